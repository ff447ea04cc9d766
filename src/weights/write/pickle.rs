//! The pickle of a state dict: an `OrderedDict` of tensors. Each names its storage by number. Protocol 2, as
//! `torch.save` writes; of Python's objects it names those that `torch.load(weights_only=True)` allows.

use super::Tensor;
use crate::file::printable;
use crate::weights::StoredType;
use std::collections::HashMap;

/// How many entries of a dict Python sets at a time.
const BATCH: usize = 1000;

/// How PyTorch names an element type: by a class of storages, or where there is none by a dtype.
enum Class {
    Storage(&'static str),
    Dtype(&'static str),
}

fn class(ty: StoredType) -> Option<Class> {
    use Class::{Dtype, Storage};
    Some(match ty {
        StoredType::F16 => Storage("HalfStorage"),
        StoredType::Bf16 => Storage("BFloat16Storage"),
        StoredType::F32 => Storage("FloatStorage"),
        StoredType::F64 => Storage("DoubleStorage"),
        StoredType::I64 => Storage("LongStorage"),
        StoredType::I32 => Storage("IntStorage"),
        StoredType::I16 => Storage("ShortStorage"),
        StoredType::I8 => Storage("CharStorage"),
        StoredType::U8 => Storage("ByteStorage"),
        StoredType::Bool => Storage("BoolStorage"),
        StoredType::C64 => Storage("ComplexFloatStorage"),
        StoredType::U16 => Dtype("uint16"),
        StoredType::U32 => Dtype("uint32"),
        StoredType::U64 => Dtype("uint64"),
        StoredType::F8E4M3 => Dtype("float8_e4m3fn"),
        StoredType::F8E5M2 => Dtype("float8_e5m2"),
        StoredType::F8E4M3Fnuz => Dtype("float8_e4m3fnuz"),
        StoredType::F8E5M2Fnuz => Dtype("float8_e5m2fnuz"),
        StoredType::F8E8M0 => Dtype("float8_e8m0fnu"),
        StoredType::F4 | StoredType::F6E2M3 | StoredType::F6E3M2 => return None,
    })
}

/// The pickle of these tensors. The error says what PyTorch has no word for.
pub(super) fn state_dict(tensors: &[Tensor<'_>]) -> Result<Vec<u8>, String> {
    let mut pickle = Pickle::default();
    pickle.bytes.extend(b"\x80\x02");
    pickle.global("collections", "OrderedDict");
    pickle.bytes.extend(b")R");
    for (number, batch) in tensors.chunks(BATCH).enumerate() {
        pickle.bytes.push(b'(');
        for (i, tensor) in batch.iter().enumerate() {
            pickle.text(&tensor.name)?;
            pickle.tensor(tensor, number * BATCH + i)?;
        }
        pickle.bytes.push(b'u');
    }
    pickle.bytes.push(b'.');
    Ok(pickle.bytes)
}

#[derive(Default)]
struct Pickle {
    bytes: Vec<u8>,
    /// Names of Python's objects that were written, by their numbers. There are few.
    known: HashMap<String, u8>,
}

impl Pickle {
    /// A function or class; the second time by its number.
    fn global(&mut self, module: &str, name: &str) {
        let next = self.known.len() as u8;
        let object = format!("c{module}\n{name}\n");
        if let Some(&number) = self.known.get(&object) {
            return self.bytes.extend([b'h', number]);
        }
        self.bytes.extend(object.as_bytes());
        self.bytes.extend([b'q', next]);
        self.known.insert(object, next);
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        let length = u32::try_from(text.len()).map_err(|_| "a name takes 4 GiB or more".to_owned())?;
        self.bytes.push(b'X');
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(text.as_bytes());
        Ok(())
    }

    fn number(&mut self, number: u64) {
        match number {
            0..=0xff => self.bytes.extend([b'K', number as u8]),
            0x100..=0xffff => {
                self.bytes.push(b'M');
                self.bytes.extend((number as u16).to_le_bytes());
            }
            0x1_0000..=0x7fff_ffff => {
                self.bytes.push(b'J');
                self.bytes.extend((number as u32).to_le_bytes());
            }
            // As few bytes as Python takes: the first bit of the last one is the sign.
            _ => {
                let bytes = number.to_le_bytes();
                let length = 8 - number.leading_zeros() as usize / 8;
                let signed = usize::from(bytes[length - 1] >= 0x80);
                self.bytes.extend([0x8a, (length + signed) as u8]);
                self.bytes.extend(&bytes[..length]);
                self.bytes.extend(&[0][..signed]);
            }
        }
    }

    fn numbers(&mut self, numbers: impl IntoIterator<Item = u64>) {
        self.bytes.push(b'(');
        numbers.into_iter().for_each(|number| self.number(number));
        self.bytes.push(b't');
    }

    /// `_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)`, or `_v3` with a dtype behind them.
    fn tensor(&mut self, tensor: &Tensor<'_>, key: usize) -> Result<(), String> {
        let class = class(tensor.ty).ok_or_else(|| {
            format!(
                "tensor \"{}\" is {}, which PyTorch does not have; write it to a .safetensors file",
                printable(&tensor.name),
                tensor.ty
            )
        })?;
        let function =
            if matches!(class, Class::Storage(_)) { "_rebuild_tensor_v2" } else { "_rebuild_tensor_v3" };
        self.global("torch._utils", function);
        self.bytes.extend(b"((");
        self.text("storage")?;
        match class {
            Class::Storage(name) => self.global("torch", name),
            Class::Dtype(_) => self.global("torch.storage", "UntypedStorage"),
        }
        self.text(&key.to_string())?;
        self.text("cpu")?;
        let elements = tensor.shape.elements() as u64;
        // Storages without a type count bytes.
        self.number(if matches!(class, Class::Storage(_)) { elements } else { tensor.size() });
        self.bytes.extend(b"tQ");
        self.number(0);
        self.numbers(tensor.shape.iter().map(|&size| size as u64));
        self.numbers(strides(&tensor.shape));
        self.bytes.push(0x89);
        self.global("collections", "OrderedDict");
        self.bytes.extend(b")R");
        if let Class::Dtype(name) = class {
            self.global("torch", name);
        }
        self.bytes.extend(b"tR");
        Ok(())
    }
}

/// The distances between neighbours along each axis. PyTorch counts an axis without elements as one of one element.
fn strides(shape: &[usize]) -> Vec<u64> {
    let mut strides = vec![1u64; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis].max(1) as u64);
    }
    strides
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::{StoredTensor, TensorWriter};

    fn pickled(tensors: &[(&str, StoredType, &[usize])]) -> Result<Vec<u8>, String> {
        let mut writer = TensorWriter::new();
        for &(name, ty, shape) in tensors {
            let empty = move || StoredTensor::new(ty, shape, vec![]);
            writer.add_with(name, ty, shape, empty).expect("the name is new");
        }
        state_dict(&writer.tensors)
    }

    /// Worked by hand from Python's pickletools.
    #[test]
    fn a_state_dict_is_this_pickle() {
        let expected: &[&[u8]] = &[
            b"\x80\x02ccollections\nOrderedDict\nq\0)R(",
            b"X\x01\0\0\0w",
            b"ctorch._utils\n_rebuild_tensor_v2\nq\x01((",
            b"X\x07\0\0\0storagectorch\nFloatStorage\nq\x02X\x01\0\0\x000X\x03\0\0\0cpuK\x06tQ",
            b"K\0(K\x02K\x03t(K\x03K\x01t\x89h\0)RtR",
            b"X\x01\0\0\0nh\x01((",
            b"X\x07\0\0\0storagectorch\nLongStorage\nq\x03X\x01\0\0\x001X\x03\0\0\0cpuK\x01tQ",
            b"K\0(t(t\x89h\0)RtR",
            b"u.",
        ];
        let found = pickled(&[("w", StoredType::F32, &[2, 3]), ("n", StoredType::I64, &[])]);
        assert_eq!(
            found.map(|bytes| bytes.escape_ascii().to_string()),
            Ok(expected.concat().escape_ascii().to_string())
        );
    }

    #[test]
    fn numbers_of_every_length_keep_their_sign() {
        for (number, expected) in [
            (0u64, &b"K\0"[..]),
            (255, b"K\xff"),
            (256, b"M\0\x01"),
            (65_536, b"J\0\0\x01\0"),
            (i32::MAX as u64, b"J\xff\xff\xff\x7f"),
            (1 << 31, b"\x8a\x05\0\0\0\x80\0"),
            ((1 << 32) + 5, b"\x8a\x05\x05\0\0\0\x01"),
            (i64::MAX as u64, b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"),
            (u64::MAX, b"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\0"),
        ] {
            let mut pickle = Pickle::default();
            pickle.number(number);
            assert_eq!(pickle.bytes, expected, "{number}");
        }
    }

    #[test]
    fn strides_are_those_of_pytorch() {
        assert_eq!(strides(&[2, 3, 4]), [12, 4, 1]);
        assert!(strides(&[]).is_empty());
        // torch.zeros(2, 0, 3).stride()
        assert_eq!(strides(&[2, 0, 3]), [3, 3, 1]);
    }

    #[test]
    fn what_pytorch_has_no_type_for_is_refused() {
        let error = pickled(&[("a\n", StoredType::F4, &[2])]).expect_err("there is none");
        assert!(error.contains("tensor \"a\\n\" is F4, which PyTorch does not have"), "{error}");
    }
}
