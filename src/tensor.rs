//! Shapes, element types and tensors in host memory.
//!
//! A tensor on the GPU is a value of a graph ([`Value`](crate::Value)); a plan decides where it lies.

use crate::error::{Error, Result};
use crate::memory;
use std::fmt;
use std::ops::Deref;

/// Sizes of a tensor's dimensions, outermost first (row-major; NCHW for images).
///
/// A scalar has the empty shape and one element.
///
/// ```
/// use wgrad::Shape;
///
/// let shape = Shape::from([64, 3, 32, 32]);
/// assert_eq!((shape.len(), shape.elements()), (4, 64 * 3 * 32 * 32));
/// assert_eq!(shape.to_string(), "[64, 3, 32, 32]");
/// assert_eq!(Shape::from(10), Shape::from([10]));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// A shape of the given sizes.
    pub fn new(sizes: impl Into<Vec<usize>>) -> Self {
        Shape(sizes.into())
    }

    /// The shape of a single number.
    pub fn scalar() -> Self {
        Shape(Vec::new())
    }

    /// Number of elements: the product of the sizes, saturating.
    pub fn elements(&self) -> usize {
        self.0.iter().fold(1usize, |product, &size| product.saturating_mul(size))
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(sizes: [usize; N]) -> Self {
        Shape(sizes.to_vec())
    }
}

impl From<&[usize]> for Shape {
    fn from(sizes: &[usize]) -> Self {
        Shape(sizes.to_vec())
    }
}

impl From<Vec<usize>> for Shape {
    fn from(sizes: Vec<usize>) -> Self {
        Shape(sizes)
    }
}

impl From<usize> for Shape {
    fn from(size: usize) -> Self {
        Shape(vec![size])
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Element type. Each takes four bytes, but for f16 and bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum DType {
    /// 32-bit float.
    F32,
    /// 16-bit float, in which a plan of mixed precision keeps values. No graph is built with it, and the host reads it as
    /// f32.
    F16,
    /// 32-bit signed integer: class labels and indices.
    I32,
    /// 32-bit unsigned integer: counters.
    U32,
    /// Byte: pixels. Four lie in a word of a buffer, the first in the lowest bits.
    U8,
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::F16 => "f16",
            DType::I32 => "i32",
            DType::U32 => "u32",
            DType::U8 => "u8",
        })
    }
}

/// Shape and element type.
///
/// ```
/// use wgrad::TensorType;
///
/// let images = TensorType::f32([64, 3, 32, 32]);
/// assert_eq!(images.bytes(), 64 * 3 * 32 * 32 * 4);
/// assert_eq!(images.to_string(), "f32[64, 3, 32, 32]");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TensorType {
    /// Sizes, outermost first.
    pub shape: Shape,
    /// Element type.
    pub dtype: DType,
}

impl TensorType {
    /// A float tensor of this shape.
    pub fn f32(shape: impl Into<Shape>) -> Self {
        TensorType { shape: shape.into(), dtype: DType::F32 }
    }

    /// A signed-integer tensor of this shape.
    pub fn i32(shape: impl Into<Shape>) -> Self {
        TensorType { shape: shape.into(), dtype: DType::I32 }
    }

    /// An unsigned-integer tensor of this shape.
    pub fn u32(shape: impl Into<Shape>) -> Self {
        TensorType { shape: shape.into(), dtype: DType::U32 }
    }

    /// A tensor of bytes of this shape.
    pub fn u8(shape: impl Into<Shape>) -> Self {
        TensorType { shape: shape.into(), dtype: DType::U8 }
    }

    /// Size in a buffer, in bytes: a multiple of four, and at most 2^48. Larger sizes saturate there, so that sums of
    /// sizes don't overflow.
    pub fn bytes(&self) -> u64 {
        let each = match self.dtype {
            DType::U8 => 1,
            DType::F16 => 2,
            DType::F32 | DType::I32 | DType::U32 => 4,
        };
        (self.shape.elements() as u64).saturating_mul(each).min(1 << 48).next_multiple_of(4)
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.dtype, self.shape)
    }
}

/// Borrowed numbers to upload to a value of the same element type. Slices, vectors, arrays and
/// [`HostTensor`]s convert to it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum HostSlice<'a> {
    /// Floats.
    F32(&'a [f32]),
    /// Signed integers.
    I32(&'a [i32]),
    /// Unsigned integers.
    U32(&'a [u32]),
    /// Bytes.
    U8(&'a [u8]),
}

impl<'a> HostSlice<'a> {
    /// Element type.
    pub fn dtype(&self) -> DType {
        match self {
            HostSlice::F32(_) => DType::F32,
            HostSlice::I32(_) => DType::I32,
            HostSlice::U32(_) => DType::U32,
            HostSlice::U8(_) => DType::U8,
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            HostSlice::F32(data) => data.len(),
            HostSlice::I32(data) => data.len(),
            HostSlice::U32(data) => data.len(),
            HostSlice::U8(data) => data.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as bytes, in the host's byte order.
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            HostSlice::F32(data) => bytemuck::cast_slice(data),
            HostSlice::I32(data) => bytemuck::cast_slice(data),
            HostSlice::U32(data) => bytemuck::cast_slice(data),
            HostSlice::U8(data) => data,
        }
    }
}

macro_rules! host_slice_from {
    ($($element:ty => $variant:ident),*) => {$(
        impl<'a> From<&'a [$element]> for HostSlice<'a> {
            fn from(data: &'a [$element]) -> Self { HostSlice::$variant(data) }
        }
        impl<'a> From<&'a Vec<$element>> for HostSlice<'a> {
            fn from(data: &'a Vec<$element>) -> Self { HostSlice::$variant(data) }
        }
        impl<'a, const N: usize> From<&'a [$element; N]> for HostSlice<'a> {
            fn from(data: &'a [$element; N]) -> Self { HostSlice::$variant(data) }
        }
    )*};
}
host_slice_from!(f32 => F32, i32 => I32, u32 => U32, u8 => U8);

impl<'a> From<&'a HostTensor> for HostSlice<'a> {
    fn from(tensor: &'a HostTensor) -> Self {
        HostSlice::from(&tensor.data)
    }
}

impl<'a> From<&'a HostData> for HostSlice<'a> {
    fn from(data: &'a HostData) -> Self {
        match data {
            HostData::F32(data) => HostSlice::F32(data),
            HostData::I32(data) => HostSlice::I32(data),
            HostData::U32(data) => HostSlice::U32(data),
            HostData::U8(data) => HostSlice::U8(data),
        }
    }
}

/// Elements of a [`HostTensor`], or of a field of a batch.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum HostData {
    /// Floats.
    F32(Vec<f32>),
    /// Signed integers.
    I32(Vec<i32>),
    /// Unsigned integers.
    U32(Vec<u32>),
    /// Bytes.
    U8(Vec<u8>),
}

/// A tensor in host memory, row-major.
#[derive(Clone, PartialEq, Debug)]
pub struct HostTensor {
    /// Sizes, outermost first.
    pub shape: Shape,
    /// `shape.elements()` numbers.
    pub data: HostData,
}

impl HostTensor {
    /// A float tensor.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::HostTensor;
    ///
    /// let rows = HostTensor::f32([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
    /// assert_eq!(rows.as_f32().unwrap()[3..], [4.0, 5.0, 6.0]);
    /// assert!(HostTensor::f32([2, 3], vec![0.0; 5]).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A vector of another length than the shape has elements.
    pub fn f32(shape: impl Into<Shape>, data: Vec<f32>) -> Result<Self> {
        HostTensor::checked(shape.into(), HostData::F32(data))
    }

    /// A tensor of signed integers, such as class labels.
    ///
    /// # Errors
    /// As [`HostTensor::f32`].
    pub fn i32(shape: impl Into<Shape>, data: Vec<i32>) -> Result<Self> {
        HostTensor::checked(shape.into(), HostData::I32(data))
    }

    /// A tensor of unsigned integers.
    ///
    /// # Errors
    /// As [`HostTensor::f32`].
    pub fn u32(shape: impl Into<Shape>, data: Vec<u32>) -> Result<Self> {
        HostTensor::checked(shape.into(), HostData::U32(data))
    }

    /// A tensor of bytes.
    ///
    /// # Errors
    /// As [`HostTensor::f32`].
    pub fn u8(shape: impl Into<Shape>, data: Vec<u8>) -> Result<Self> {
        HostTensor::checked(shape.into(), HostData::U8(data))
    }

    fn checked(shape: Shape, data: HostData) -> Result<Self> {
        let tensor = HostTensor { shape, data };
        tensor.check().map_err(|message| Error::Value { name: "tensor".into(), message })?;
        Ok(tensor)
    }

    /// A float tensor whose elements are all `value`.
    ///
    /// # Errors
    /// Not enough host memory for the shape.
    pub fn filled(shape: impl Into<Shape>, value: f32) -> Result<Self> {
        let shape = shape.into();
        let data = memory::filled(shape.elements(), value, &format!("a tensor {shape}"))?;
        Ok(HostTensor { shape, data: HostData::F32(data) })
    }

    /// A tensor of type `kind` from the bytes of a GPU buffer.
    ///
    /// # Errors
    /// Not enough host memory.
    pub fn from_bytes(kind: &TensorType, bytes: &[u8]) -> Result<Self> {
        fn numbers<T: bytemuck::Pod>(kind: &TensorType, bytes: &[u8]) -> Result<Vec<T>> {
            let count = bytes.len() / size_of::<T>();
            let mut numbers = memory::filled(count, T::zeroed(), &format!("a tensor {kind}"))?;
            bytemuck::cast_slice_mut(&mut numbers).copy_from_slice(&bytes[..count * size_of::<T>()]);
            Ok(numbers)
        }
        let data = match kind.dtype {
            DType::F32 => HostData::F32(numbers(kind, bytes)?),
            DType::F16 => {
                let halves: Vec<u16> = numbers(kind, &bytes[..bytes.len().min(2 * kind.shape.elements())])?;
                let mut floats = memory::filled(halves.len(), 0.0, &format!("a tensor {kind}"))?;
                floats
                    .iter_mut()
                    .zip(halves)
                    .for_each(|(float, half)| *float = half::f16::from_bits(half).to_f32());
                HostData::F32(floats)
            }
            DType::I32 => HostData::I32(numbers(kind, bytes)?),
            DType::U32 => HostData::U32(numbers(kind, bytes)?),
            // The last word of a buffer may hold fewer than four.
            DType::U8 => HostData::U8(numbers(kind, &bytes[..bytes.len().min(kind.shape.elements())])?),
        };
        Ok(HostTensor { shape: kind.shape.clone(), data })
    }

    /// Rounds floats to those that f16 has.
    pub(crate) fn round_to_f16(&mut self) {
        if let HostData::F32(numbers) = &mut self.data {
            numbers.iter_mut().for_each(|number| *number = half::f16::from_f32(*number).to_f32());
        }
    }

    /// Checks that `data` holds as many numbers as `shape` has elements.
    ///
    /// # Errors
    /// A message with both numbers.
    pub fn check(&self) -> Result<(), String> {
        let (expected, found) = (self.shape.elements(), HostSlice::from(self).len());
        if expected == found {
            return Ok(());
        }
        Err(format!("shape {} has {expected} elements, the tensor holds {found}", self.shape))
    }

    /// Shape and element type.
    pub fn ty(&self) -> TensorType {
        TensorType { shape: self.shape.clone(), dtype: HostSlice::from(self).dtype() }
    }

    /// The floats, if it is a float tensor.
    pub fn as_f32(&self) -> Option<&[f32]> {
        match &self.data {
            HostData::F32(data) => Some(data),
            _ => None,
        }
    }

    /// Every element as `f64`. The conversion is exact.
    pub fn to_f64(&self) -> Vec<f64> {
        match &self.data {
            HostData::F32(data) => data.iter().map(|&x| f64::from(x)).collect(),
            HostData::I32(data) => data.iter().map(|&x| f64::from(x)).collect(),
            HostData::U32(data) => data.iter().map(|&x| f64::from(x)).collect(),
            HostData::U8(data) => data.iter().map(|&x| f64::from(x)).collect(),
        }
    }
}
