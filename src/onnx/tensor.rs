//! Tensors of a file in host memory.

use super::element::ElementType;
use super::proto::TensorProto;
use crate::error::Result as CrateResult;
use crate::memory;
use crate::tensor::{HostData, HostTensor, Shape};
use half::{bf16, f16};
use std::sync::Arc;

use ElementType::{Bf16, Bool, F16, F32, F64, I4, I8, I16, I32, I64, U4, U8, U16, U32, U64};

/// The most elements of a tensor, as in a graph.
pub(super) const MOST_ELEMENTS: usize = i32::MAX as usize;

/// Elements of a tensor. Floats of up to 32 bits are f32 here, as on the device; float64 stays f64 until it enters a graph;
/// integers are i64.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Data {
    Float(Vec<f32>),
    Double(Vec<f64>),
    Int(Vec<i64>),
    Bool(Vec<bool>),
}

/// Floats of either width, each read as f64, which holds both.
#[derive(Clone, Copy)]
pub(super) enum Floats<'t> {
    Single(&'t [f32]),
    Double(&'t [f64]),
}

impl Floats<'_> {
    pub(super) fn at(self, i: usize) -> f64 {
        match self {
            Floats::Single(data) => data[i].into(),
            Floats::Double(data) => data[i],
        }
    }
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

    pub(super) fn as_doubles(&self) -> Option<&[f64]> {
        if let Data::Double(data) = &self.data { Some(data) } else { None }
    }

    /// The elements, if they are floats.
    pub(super) fn any_floats(&self) -> Option<Floats<'_>> {
        match &self.data {
            Data::Float(data) => Some(Floats::Single(data)),
            Data::Double(data) => Some(Floats::Double(data)),
            _ => None,
        }
    }

    /// The tensor with floats of 32 bits, as a graph holds them.
    pub(super) fn narrowed(self: &Arc<Tensor>) -> Arc<Tensor> {
        match &self.data {
            Data::Double(data) => {
                let data = data.iter().map(|&x| x as f32).collect();
                Arc::new(Tensor::floats(F32, self.shape.clone(), data))
            }
            _ => Arc::clone(self),
        }
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
            Data::Double(data) => data.clone(),
            Data::Int(data) => data.iter().map(|&x| x as f64).collect(),
            Data::Bool(data) => data.iter().map(|&x| f64::from(u8::from(x))).collect(),
        }
    }

    /// The tensor as the graph and programs take it: floats as f32, integers as i32, truth values as bytes.
    pub(super) fn to_host(&self) -> Result<HostTensor, String> {
        let data = match &self.data {
            Data::Float(data) => HostData::F32(data.clone()),
            Data::Double(data) => HostData::F32(data.iter().map(|&x| x as f32).collect()),
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
            HostData::F32(data) if element == F64 => {
                let data = Data::Double(data.iter().map(|&x| x.into()).collect());
                Ok(Tensor { element, shape, data })
            }
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

/// `count` elements from little-endian bytes. The caller has checked their number.
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
        F64 => Data::Double(each(bytes, 0.0, f64::from_le_bytes)?),
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
        F64 => {
            let (n, data) = each(&proto.double_data, 0.0, |x| x)?;
            (n, Data::Double(data))
        }
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
