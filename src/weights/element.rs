//! Element types of tensors in files, and tensors in host memory as files hold them. What a graph computes with are the
//! element types of `tensor.rs`, which are fewer.

use super::floats;
use crate::error::{Error, Result};
use crate::tensor::Shape;
use safetensors::tensor::Dtype;
use std::fmt;

/// Element type of a tensor in a file, as safetensors and PyTorch have them.
///
/// ```
/// use wgrad::weights::StoredType;
///
/// assert_eq!((StoredType::Bf16.bits(), StoredType::Bf16.to_string()), (16, "BF16".to_owned()));
/// assert!(StoredType::Bf16.is_float() && !StoredType::I64.is_float());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum StoredType {
    /// Truth value, a byte each.
    Bool,
    /// Float of 4 bits, two in a byte.
    F4,
    /// Float of 6 bits: 2 of them exponent, 3 fraction.
    F6E2M3,
    /// Float of 6 bits: 3 of them exponent, 2 fraction.
    F6E3M2,
    /// Byte.
    U8,
    /// 8-bit signed integer.
    I8,
    /// Float of 8 bits: 5 of them exponent.
    F8E5M2,
    /// Float of 8 bits: 4 of them exponent.
    F8E4M3,
    /// Power of two of 8 bits.
    F8E8M0,
    /// [`StoredType::F8E4M3`] without infinities and without a negative zero.
    F8E4M3Fnuz,
    /// [`StoredType::F8E5M2`] without infinities and without a negative zero.
    F8E5M2Fnuz,
    /// 16-bit signed integer.
    I16,
    /// 16-bit unsigned integer.
    U16,
    /// 16-bit float.
    F16,
    /// bfloat16.
    Bf16,
    /// 32-bit signed integer.
    I32,
    /// 32-bit unsigned integer.
    U32,
    /// 32-bit float.
    F32,
    /// Complex number of two 32-bit floats.
    C64,
    /// 64-bit float.
    F64,
    /// 64-bit signed integer.
    I64,
    /// 64-bit unsigned integer.
    U64,
}

use StoredType::{
    Bf16, Bool, C64, F4, F6E2M3, F6E3M2, F8E4M3, F8E4M3Fnuz, F8E5M2, F8E5M2Fnuz, F8E8M0, F16, F32, F64, I8,
    I16, I32, I64, U8, U16, U32, U64,
};

/// Each type with its name in safetensors.
const TYPES: [(StoredType, Dtype, &str); 22] = [
    (Bool, Dtype::BOOL, "BOOL"),
    (F4, Dtype::F4, "F4"),
    (F6E2M3, Dtype::F6_E2M3, "F6_E2M3"),
    (F6E3M2, Dtype::F6_E3M2, "F6_E3M2"),
    (U8, Dtype::U8, "U8"),
    (I8, Dtype::I8, "I8"),
    (F8E5M2, Dtype::F8_E5M2, "F8_E5M2"),
    (F8E4M3, Dtype::F8_E4M3, "F8_E4M3"),
    (F8E8M0, Dtype::F8_E8M0, "F8_E8M0"),
    (F8E4M3Fnuz, Dtype::F8_E4M3FNUZ, "F8_E4M3FNUZ"),
    (F8E5M2Fnuz, Dtype::F8_E5M2FNUZ, "F8_E5M2FNUZ"),
    (I16, Dtype::I16, "I16"),
    (U16, Dtype::U16, "U16"),
    (F16, Dtype::F16, "F16"),
    (Bf16, Dtype::BF16, "BF16"),
    (I32, Dtype::I32, "I32"),
    (U32, Dtype::U32, "U32"),
    (F32, Dtype::F32, "F32"),
    (C64, Dtype::C64, "C64"),
    (F64, Dtype::F64, "F64"),
    (I64, Dtype::I64, "I64"),
    (U64, Dtype::U64, "U64"),
];

impl StoredType {
    /// `None` for a type that a later version of the format may have.
    pub(super) fn of(dtype: Dtype) -> Option<StoredType> {
        TYPES.iter().find(|row| row.1 == dtype).map(|row| row.0)
    }

    /// The type of this name in safetensors.
    pub(super) fn named(name: &str) -> Option<StoredType> {
        TYPES.iter().find(|row| row.2 == name).map(|row| row.0)
    }

    fn row(self) -> &'static (StoredType, Dtype, &'static str) {
        TYPES.iter().find(|row| row.0 == self).expect("the table has every type")
    }

    pub(super) fn dtype(self) -> Dtype {
        self.row().1
    }

    /// Bits of one element.
    pub fn bits(self) -> usize {
        self.dtype().bitsize()
    }

    /// Whether it is a float, of any width.
    pub fn is_float(self) -> bool {
        self.row().2.starts_with(['F', 'B']) && self != Bool
    }

    /// Bytes of so many elements; saturates.
    pub(super) fn bytes(self, elements: u64) -> u64 {
        // Whole bytes first, so that the product of bits is no bound on the elements.
        let bits = self.bits() as u64;
        (elements / 8).saturating_mul(bits).saturating_add((elements % 8 * bits).div_ceil(8))
    }
}

impl fmt::Display for StoredType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().2)
    }
}

/// A tensor in host memory, as a file holds it.
///
/// ```
/// use wgrad::weights::{StoredTensor, StoredType};
///
/// let tensor = StoredTensor::new(StoredType::F32, [2], [1.0f32, -2.5].map(f32::to_le_bytes).concat())?;
/// let half = tensor.to_f16().expect("f16 holds both");
/// assert_eq!((half.ty(), half.bytes()), (StoredType::F16, &[0x00, 0x3c, 0x00, 0xc1][..]));
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct StoredTensor {
    ty: StoredType,
    shape: Shape,
    bytes: Vec<u8>,
}

impl StoredTensor {
    /// A tensor of little-endian elements in the order of its shape. Elements of less than a byte fill each byte from its
    /// lowest bits.
    ///
    /// # Errors
    /// Another number of bytes than the shape's elements take.
    pub fn new(ty: StoredType, shape: impl Into<Shape>, bytes: Vec<u8>) -> Result<StoredTensor> {
        let shape = shape.into();
        let expected = ty.bytes(shape.elements() as u64);
        if bytes.len() as u64 != expected {
            let message = format!("{ty}{shape} takes {expected} bytes, found {}", bytes.len());
            return Err(Error::Setting { setting: "tensor", message });
        }
        Ok(StoredTensor { ty, shape, bytes })
    }

    /// The element type.
    pub fn ty(&self) -> StoredType {
        self.ty
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The elements, little-endian.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The elements, little-endian, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The tensor rounded to the nearest f16, from F32, F64 or BF16. `None` for any other type, and for a tensor with a
    /// finite number past f16's range, 65,504.
    pub fn to_f16(&self) -> Option<StoredTensor> {
        let bytes = floats::to_f16(self.ty.dtype(), &self.bytes)?;
        Some(StoredTensor { ty: F16, shape: self.shape.clone(), bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_of_safetensors() {
        for (ty, dtype, name) in TYPES {
            assert_eq!((StoredType::of(dtype), dtype.to_string().as_str()), (Some(ty), name));
        }
        let floats: Vec<String> =
            TYPES.iter().filter(|row| row.0.is_float()).map(|row| row.2.to_owned()).collect();
        assert_eq!(
            floats.join(" "),
            "F4 F6_E2M3 F6_E3M2 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ F16 BF16 F32 F64"
        );
    }

    #[test]
    fn bytes_are_counted_without_overflow() {
        assert_eq!([F4.bytes(3), F6E2M3.bytes(4), F32.bytes(3), F64.bytes(0)], [2, 3, 12, 0]);
        assert_eq!(F64.bytes(u64::MAX), u64::MAX);
        let error = StoredTensor::new(F32, [2], vec![0; 7]).expect_err("a byte is missing").to_string();
        assert!(error.contains("F32[2] takes 8 bytes, found 7"), "{error}");
    }
}
