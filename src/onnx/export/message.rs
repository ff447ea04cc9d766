//! The messages of a file: nodes, attributes, tensors, and the types of inputs and outputs.

use super::super::proto::GraphProto;
use super::super::proto::{
    AttributeProto, DimensionProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use super::OPSET;
use crate::tensor::{DType, HostSlice, HostTensor, Shape};
use crate::weights::Metadata;
use prost::Message;

/// The version of the file format that goes with [`OPSET`].
const IR_VERSION: i64 = 9;

// The numbers of element types, as onnx.proto has them.
pub(super) const FLOAT: i32 = 1;
const UINT8: i32 = 2;
pub(super) const INT32: i32 = 6;
pub(super) const INT64: i32 = 7;
pub(super) const BOOL: i32 = 9;
pub(super) const UINT32: i32 = 12;

/// The number of an element type.
pub(super) fn element(dtype: DType) -> Result<i32, String> {
    Ok(match dtype {
        DType::F32 => FLOAT,
        DType::U8 => UINT8,
        DType::I32 => INT32,
        DType::U32 => UINT32,
        other => return Err(format!("values of {other} can't be stored")),
    })
}

/// An attribute without a value; `kind` is the number of its type.
fn attribute(name: &str, kind: i32) -> AttributeProto {
    AttributeProto { name: Some(name.into()), r#type: Some(kind), ..AttributeProto::default() }
}

pub(super) fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { f: Some(value), ..attribute(name, 1) }
}

pub(super) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..attribute(name, 2) }
}

pub(super) fn string(name: &str, value: &str) -> AttributeProto {
    AttributeProto { s: Some(value.as_bytes().to_vec().into()), ..attribute(name, 3) }
}

pub(super) fn ints(name: &str, values: &[usize]) -> AttributeProto {
    AttributeProto { ints: values.iter().map(|&value| value as i64).collect(), ..attribute(name, 7) }
}

/// A list of signed integers, as an initialiser.
pub(super) fn integers(name: &str, values: &[i64]) -> TensorProto {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(name, INT64, &[values.len()], bytes)
}

/// A tensor of the host, as an initialiser.
pub(super) fn stored(name: &str, contents: &HostTensor) -> Result<TensorProto, String> {
    let ty = contents.ty();
    Ok(tensor(name, element(ty.dtype)?, &ty.shape, HostSlice::from(contents).bytes().to_vec()))
}

fn tensor(name: &str, element: i32, shape: &[usize], bytes: Vec<u8>) -> TensorProto {
    TensorProto {
        dims: shape.iter().map(|&size| size as i64).collect(),
        data_type: Some(element),
        name: Some(name.into()),
        raw_data: Some(bytes.into()),
        ..TensorProto::default()
    }
}

/// An input or an output; `batch` is its dimension whose size is left open, and what that is called.
pub(super) fn port(name: &str, element: i32, shape: &Shape, batch: Option<(usize, &str)>) -> ValueInfoProto {
    let dimension = |(axis, &size): (usize, &usize)| match batch {
        Some((open, called)) if open == axis => {
            DimensionProto { dim_value: None, dim_param: Some(called.into()) }
        }
        _ => DimensionProto { dim_value: Some(size as i64), dim_param: None },
    };
    let shape = TensorShapeProto { dim: shape.iter().enumerate().map(dimension).collect() };
    let tensor_type = TensorTypeProto { elem_type: Some(element), shape: Some(shape) };
    ValueInfoProto { name: Some(name.into()), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}

pub(super) fn node(
    name: &str,
    operator: &str,
    inputs: Vec<String>,
    output: String,
    attributes: Vec<AttributeProto>,
) -> NodeProto {
    NodeProto {
        input: inputs,
        output: vec![output],
        name: Some(name.into()),
        op_type: Some(operator.into()),
        attribute: attributes,
        domain: None,
    }
}

/// A node whose output is this tensor, under its name.
pub(super) fn constant(tensor: TensorProto) -> NodeProto {
    let name = tensor.name.clone().unwrap_or_default();
    let value = AttributeProto { t: Some(Box::new(tensor)), ..attribute("value", 4) };
    node(&name, "Constant", vec![], name.clone(), vec![value])
}

/// The bytes of a file with this graph.
pub(super) fn file(graph: GraphProto, metadata: &Metadata) -> Result<Vec<u8>, String> {
    let texts = metadata.to_text().into_iter();
    let entry = |(key, value)| StringStringEntryProto { key: Some(key), value: Some(value) };
    let model = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some(env!("CARGO_PKG_NAME").into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(OPSET) }],
        metadata_props: texts.map(entry).collect(),
    };
    let length = model.encoded_len();
    if i32::try_from(length).is_err() {
        return Err(format!(
            "the file would take {length} bytes, and ONNX files take less than 2 GiB; export a smaller network"
        ));
    }
    Ok(model.encode_to_vec())
}
