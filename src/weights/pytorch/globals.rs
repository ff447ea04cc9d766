//! The Python objects that a pickle may name. None is called: each stands for what the reader makes of it.

use safetensors::tensor::Dtype;

/// A Python function or class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Global {
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`: storage, offset, shape, strides.
    Tensor,
    /// `torch._utils._rebuild_tensor_v3`, which names the element type too.
    TypedTensor,
    /// `torch._utils._rebuild_parameter`: a tensor and what autograd needs.
    Parameter,
    /// `torch.Size`.
    Size,
    /// A class of storages, by their element type.
    Storage(Dtype),
    /// An element type.
    Dtype(Dtype),
    /// An entry of a checkpoint that is no tensor. What is made from it is ignored.
    Ignored,
}

/// What a name stands for; `None` if it is not among the known ones.
pub(super) fn find(module: &str, name: &str) -> Option<Global> {
    Some(match (module, name) {
        ("collections", "OrderedDict") => Global::OrderedDict,
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Global::Tensor,
        ("torch._utils", "_rebuild_tensor_v3") => Global::TypedTensor,
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Global::Parameter,
        ("torch", "Size") => Global::Size,
        ("torch.storage", "UntypedStorage") => Global::Storage(Dtype::U8),
        ("torch" | "torch.storage", name) if name.ends_with("Storage") => Global::Storage(storage(name)?),
        ("torch", name) if dtype(name).is_some() => Global::Dtype(dtype(name)?),
        ("torch", "device")
        | ("_codecs", "encode")
        | ("argparse", "Namespace")
        | ("collections", "Counter" | "defaultdict")
        | ("builtins" | "__builtin__", "dict" | "float" | "int" | "list" | "set" | "frozenset")
        | ("pathlib" | "pathlib._local", "PosixPath" | "PurePosixPath" | "WindowsPath" | "PureWindowsPath")
        | ("numpy", "dtype" | "ndarray")
        | ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar" | "_reconstruct") => Global::Ignored,
        _ => return None,
    })
}

fn storage(name: &str) -> Option<Dtype> {
    Some(match name {
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "FloatStorage" => Dtype::F32,
        "DoubleStorage" => Dtype::F64,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        "ComplexFloatStorage" => Dtype::C64,
        _ => return None,
    })
}

fn dtype(name: &str) -> Option<Dtype> {
    Some(match name {
        "float16" => Dtype::F16,
        "bfloat16" => Dtype::BF16,
        "float32" => Dtype::F32,
        "float64" => Dtype::F64,
        "int64" => Dtype::I64,
        "int32" => Dtype::I32,
        "int16" => Dtype::I16,
        "int8" => Dtype::I8,
        "uint8" => Dtype::U8,
        "uint16" => Dtype::U16,
        "uint32" => Dtype::U32,
        "uint64" => Dtype::U64,
        "bool" => Dtype::BOOL,
        "complex64" => Dtype::C64,
        "float8_e4m3fn" => Dtype::F8_E4M3,
        "float8_e5m2" => Dtype::F8_E5M2,
        "float8_e4m3fnuz" => Dtype::F8_E4M3FNUZ,
        "float8_e5m2fnuz" => Dtype::F8_E5M2FNUZ,
        "float8_e8m0fnu" => Dtype::F8_E8M0,
        _ => return None,
    })
}

/// Bytes of one element.
pub(super) fn bytes_of(dtype: Dtype) -> u64 {
    // None of these takes less than a byte.
    dtype.bitsize() as u64 / 8
}
