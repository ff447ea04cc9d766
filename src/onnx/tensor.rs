//! Tensors of a file in host memory, and their element types.

use super::proto::TensorProto;
use crate::error::Result as CrateResult;
use crate::memory;
use crate::tensor::{HostData, HostTensor, Shape};
use half::{bf16, f16};
use std::fmt;

/// The most elements of a tensor, as in a graph.
pub(super) const MOST_ELEMENTS: usize = i32::MAX as usize;

/// Element types of ONNX that are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ElementType {
    /// 32-bit float.
    F32,
    /// 16-bit float.
    F16,
    /// bfloat16.
    Bf16,
    /// 64-bit float.
    F64,
    /// Signed integers of 4 bits, two in a byte.
    I4,
    /// 8-bit signed integer.
    I8,
    /// 16-bit signed integer.
    I16,
    /// 32-bit signed integer.
    I32,
    /// 64-bit signed integer.
    I64,
    /// Unsigned integers of 4 bits, two in a byte.
    U4,
    /// Byte.
    U8,
    /// 16-bit unsigned integer.
    U16,
    /// 32-bit unsigned integer.
    U32,
    /// 64-bit unsigned integer.
    U64,
    /// Truth value.
    Bool,
}

use ElementType::{Bf16, Bool, F16, F32, F64, I4, I8, I16, I32, I64, U4, U8, U16, U32, U64};

/// Numbers of onnx.proto, names, bits of one element.
const TYPES: [(i32, ElementType, &str, usize); 15] = [
    (1, F32, "float32", 32),
    (2, U8, "uint8", 8),
    (3, I8, "int8", 8),
    (4, U16, "uint16", 16),
    (5, I16, "int16", 16),
    (6, I32, "int32", 32),
    (7, I64, "int64", 64),
    (9, Bool, "bool", 8),
    (10, F16, "float16", 16),
    (11, F64, "float64", 64),
    (12, U32, "uint32", 32),
    (13, U64, "uint64", 64),
    (16, Bf16, "bfloat16", 16),
    (21, U4, "uint4", 4),
    (22, I4, "int4", 4),
];

/// Names of types that are not read.
const OTHERS: [(i32, &str); 14] = [
    (0, "undefined"),
    (8, "string"),
    (14, "complex64"),
    (15, "complex128"),
    (17, "float8e4m3fn"),
    (18, "float8e4m3fnuz"),
    (19, "float8e5m2"),
    (20, "float8e5m2fnuz"),
    (23, "float4e2m1"),
    (24, "float8e8m0"),
    (25, "uint2"),
    (26, "int2"),
    (27, "float6e2m3"),
    (28, "float6e3m2"),
];

impl ElementType {
    /// The type of a number of onnx.proto. The message of a failure names the type.
    pub(super) fn of(number: i64) -> Result<ElementType, String> {
        if let Some(found) = TYPES.iter().find(|row| i64::from(row.0) == number) {
            return Ok(found.1);
        }
        let name =
            OTHERS.iter().find(|row| i64::from(row.0) == number).map_or("of an unknown number", |row| row.1);
        Err(format!("element type {name} ({number}) is not supported; convert the model to float32"))
    }

    fn row(self) -> &'static (i32, ElementType, &'static str, usize) {
        TYPES.iter().find(|row| row.1 == self).expect("the table has every type")
    }

    fn bits(self) -> usize {
        self.row().3
    }

    /// Whether it is a float.
    pub fn is_float(self) -> bool {
        matches!(self, F32 | F16 | Bf16 | F64)
    }

    /// The least and the largest integer of an integer type, as far as `i64` holds them.
    pub(super) fn range(self) -> [i64; 2] {
        match self {
            I4 => [-8, 7],
            U4 => [0, 15],
            I8 => [i8::MIN.into(), i8::MAX.into()],
            U8 => [0, u8::MAX.into()],
            I16 => [i16::MIN.into(), i16::MAX.into()],
            U16 => [0, u16::MAX.into()],
            I32 => [i32::MIN.into(), i32::MAX.into()],
            U32 => [0, u32::MAX.into()],
            U64 => [0, i64::MAX],
            Bool => [0, 1],
            I64 | F32 | F16 | Bf16 | F64 => [i64::MIN, i64::MAX],
        }
    }

    /// An integer as this type holds it: its lowest bits.
    pub(super) fn wrap(self, number: i64) -> i64 {
        match self {
            I4 => number << 60 >> 60,
            U4 => number & 15,
            I8 => number as i8 as i64,
            U8 => number as u8 as i64,
            I16 => number as i16 as i64,
            U16 => number as u16 as i64,
            I32 => number as i32 as i64,
            U32 => number as u32 as i64,
            _ => number,
        }
    }

    /// A float as this type holds it.
    pub(super) fn round(self, number: f32) -> f32 {
        match self {
            F16 => f16::from_f32(number).to_f32(),
            Bf16 => bf16::from_f32(number).to_f32(),
            _ => number,
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().2)
    }
}

/// Elements of a tensor. Floats of all widths are f32 here, as on the device; integers are i64.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Data {
    Float(Vec<f32>),
    Int(Vec<i64>),
    Bool(Vec<bool>),
}

/// A tensor in host memory: an initialiser, or what constant folding made. It may have no elements.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Tensor {
    pub element: ElementType,
    pub shape: Shape,
    pub data: Data,
}

impl Tensor {
    pub(super) fn floats(element: ElementType, shape: impl Into<Shape>, data: Vec<f32>) -> Tensor {
        Tensor { element, shape: shape.into(), data: Data::Float(data) }
    }

    pub(super) fn ints(element: ElementType, shape: impl Into<Shape>, data: Vec<i64>) -> Tensor {
        Tensor { element, shape: shape.into(), data: Data::Int(data) }
    }

    pub(super) fn bools(shape: impl Into<Shape>, data: Vec<bool>) -> Tensor {
        Tensor { element: Bool, shape: shape.into(), data: Data::Bool(data) }
    }

    /// A list of int64, as shapes are.
    pub(super) fn list(numbers: Vec<i64>) -> Tensor {
        Tensor::ints(I64, [numbers.len()], numbers)
    }

    pub(super) fn elements(&self) -> usize {
        self.shape.elements()
    }

    pub(super) fn as_floats(&self) -> Option<&[f32]> {
        if let Data::Float(data) = &self.data { Some(data) } else { None }
    }

    pub(super) fn as_ints(&self) -> Option<&[i64]> {
        if let Data::Int(data) = &self.data { Some(data) } else { None }
    }

    pub(super) fn as_bools(&self) -> Option<&[bool]> {
        if let Data::Bool(data) = &self.data { Some(data) } else { None }
    }

    /// All elements as f64.
    pub(super) fn to_f64(&self) -> Vec<f64> {
        match &self.data {
            Data::Float(data) => data.iter().map(|&x| x.into()).collect(),
            Data::Int(data) => data.iter().map(|&x| x as f64).collect(),
            Data::Bool(data) => data.iter().map(|&x| f64::from(u8::from(x))).collect(),
        }
    }

    /// The tensor as the graph and programs take it: floats as f32, integers as i32, truth values as bytes.
    pub(super) fn to_host(&self) -> Result<HostTensor, String> {
        let data = match &self.data {
            Data::Float(data) => HostData::F32(data.clone()),
            Data::Bool(data) => HostData::U8(data.iter().map(|&x| x.into()).collect()),
            Data::Int(data) => {
                let small: Result<Vec<i32>, _> = data.iter().map(|&x| i32::try_from(x)).collect();
                HostData::I32(small.map_err(|_| "holds integers beyond 32 bits".to_owned())?)
            }
        };
        Ok(HostTensor { shape: self.shape.clone(), data })
    }

    /// A program's tensor as the element type that the file declares.
    pub(super) fn from_host(tensor: &HostTensor, element: ElementType) -> Result<Tensor, String> {
        tensor.check()?;
        let shape = tensor.shape.clone();
        let refused = || format!("expected {element}, found {}", tensor.ty());
        let ints = |data: Vec<i64>| match element {
            Bool => Ok(Tensor::bools(shape.clone(), data.into_iter().map(|x| x != 0).collect())),
            _ if element.is_float() => Err(refused()),
            _ => Ok(Tensor::ints(element, shape.clone(), data)),
        };
        match &tensor.data {
            HostData::F32(data) if element.is_float() => Ok(Tensor::floats(element, shape, data.clone())),
            HostData::F32(_) => Err(refused()),
            HostData::I32(data) => ints(data.iter().map(|&x| x.into()).collect()),
            HostData::U32(data) => ints(data.iter().map(|&x| x.into()).collect()),
            HostData::U8(data) => ints(data.iter().map(|&x| x.into()).collect()),
        }
    }

    /// The tensor of a message whose data lies in it, or in `external`. The error has no name in it.
    pub(super) fn read(proto: &TensorProto, external: Option<&[u8]>) -> Result<Tensor, String> {
        let (element, shape) = type_of(proto)?;
        let count = shape.elements();
        if proto.segment.is_some() {
            return Err("is a segment of a larger tensor, which is not supported".into());
        }
        if let Some(bytes) = external.or(proto.raw_data.as_deref()) {
            let expected = byte_count(element, count);
            if bytes.len() != expected {
                return Err(format!(
                    "{element}{shape} takes {expected} bytes, found {}; the file is damaged",
                    bytes.len()
                ));
            }
            let data = from_bytes(element, count, bytes).map_err(|e| e.to_string())?;
            return Ok(Tensor { element, shape, data });
        }
        let (found, data) = typed(proto, element, count).map_err(|e| e.to_string())?;
        if found != count {
            return Err(format!("{element}{shape} has {count} elements, found {found}; the file is damaged"));
        }
        Ok(Tensor { element, shape, data })
    }
}

/// Element type and shape of a message, checked.
pub(super) fn type_of(proto: &TensorProto) -> Result<(ElementType, Shape), String> {
    let element = ElementType::of(proto.data_type.unwrap_or(0).into())?;
    let sizes: Result<Vec<usize>, String> = proto
        .dims
        .iter()
        .map(|&size| {
            usize::try_from(size).map_err(|_| format!("has a dimension of {size}; the file is damaged"))
        })
        .collect();
    let shape = Shape::from(sizes?);
    if shape.elements() > MOST_ELEMENTS || shape.len() > 64 {
        return Err(format!("{shape} is too large; a tensor holds at most {MOST_ELEMENTS} elements"));
    }
    Ok((element, shape))
}

/// Bytes of `count` elements, as raw data has them.
pub(super) fn byte_count(element: ElementType, count: usize) -> usize {
    (count * element.bits()).div_ceil(8)
}

/// Elements from little-endian bytes, of which there are as many as needed.
fn from_bytes(element: ElementType, count: usize, bytes: &[u8]) -> CrateResult<Data> {
    const WHAT: &str = "a tensor of an ONNX file";
    fn each<const N: usize, T: Copy>(
        bytes: &[u8],
        zero: T,
        of: impl Fn([u8; N]) -> T,
    ) -> CrateResult<Vec<T>> {
        let chunks = bytes.as_chunks::<N>().0;
        let mut all = memory::filled(chunks.len(), zero, WHAT)?;
        all.iter_mut().zip(chunks).for_each(|(element, bytes)| *element = of(*bytes));
        Ok(all)
    }
    Ok(match element {
        F32 => Data::Float(each(bytes, 0.0, f32::from_le_bytes)?),
        F64 => Data::Float(each(bytes, 0.0, |b| f64::from_le_bytes(b) as f32)?),
        F16 => Data::Float(each(bytes, 0.0, |b| f16::from_le_bytes(b).to_f32())?),
        Bf16 => Data::Float(each(bytes, 0.0, |b| bf16::from_le_bytes(b).to_f32())?),
        Bool => Data::Bool(each(bytes, false, |[b]: [u8; 1]| b != 0)?),
        I8 => Data::Int(each(bytes, 0, |b| i8::from_le_bytes(b).into())?),
        U8 => Data::Int(each(bytes, 0, |b| u8::from_le_bytes(b).into())?),
        I16 => Data::Int(each(bytes, 0, |b| i16::from_le_bytes(b).into())?),
        U16 => Data::Int(each(bytes, 0, |b| u16::from_le_bytes(b).into())?),
        I32 => Data::Int(each(bytes, 0, |b| i32::from_le_bytes(b).into())?),
        U32 => Data::Int(each(bytes, 0, |b| u32::from_le_bytes(b).into())?),
        I64 => Data::Int(each(bytes, 0, i64::from_le_bytes)?),
        U64 => Data::Int(each(bytes, 0, |b| u64::from_le_bytes(b).min(i64::MAX as u64) as i64)?),
        I4 | U4 => {
            let mut all = memory::filled(count, 0, WHAT)?;
            for (i, number) in all.iter_mut().enumerate() {
                // The first of two lies in the lower half of a byte.
                *number = element.wrap(i64::from(bytes[i / 2] >> (4 * (i % 2))));
            }
            Data::Int(all)
        }
    })
}

/// Elements from the field that the type has, and how many they are.
fn typed(proto: &TensorProto, element: ElementType, count: usize) -> CrateResult<(usize, Data)> {
    fn each<S: Copy, T: Copy>(from: &[S], zero: T, of: impl Fn(S) -> T) -> CrateResult<(usize, Vec<T>)> {
        let mut all = memory::filled(from.len(), zero, "a tensor of an ONNX file")?;
        all.iter_mut().zip(from).for_each(|(to, from)| *to = of(*from));
        Ok((from.len(), all))
    }
    let floats = |(n, data)| (n, Data::Float(data));
    let ints = |(n, data)| (n, Data::Int(data));
    Ok(match element {
        F32 => floats(each(&proto.float_data, 0.0, |x| x)?),
        F64 => floats(each(&proto.double_data, 0.0, |x| x as f32)?),
        F16 => floats(each(&proto.int32_data, 0.0, |x| f16::from_bits(x as u16).to_f32())?),
        Bf16 => floats(each(&proto.int32_data, 0.0, |x| bf16::from_bits(x as u16).to_f32())?),
        Bool => {
            let (n, data) = each(&proto.int32_data, false, |x| x != 0)?;
            (n, Data::Bool(data))
        }
        I64 => ints(each(&proto.int64_data, 0, |x| x)?),
        U32 | U64 => ints(each(&proto.uint64_data, 0, |x| element.wrap(x.min(i64::MAX as u64) as i64))?),
        I4 | U4 => {
            let bytes: Vec<u8> = proto.int32_data.iter().map(|&x| x as u8).collect();
            if bytes.len() != byte_count(element, count) {
                return Ok((2 * bytes.len(), Data::Int(Vec::new())));
            }
            (count, from_bytes(element, count, &bytes)?)
        }
        I8 | U8 | I16 | U16 | I32 => ints(each(&proto.int32_data, 0, |x| element.wrap(x.into()))?),
    })
}
