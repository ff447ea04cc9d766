//! Reads PyTorch's answers from `tests/fixtures`: named cases of tensors with JSON attributes.

use super::{floats, root};
use safetensors::tensor::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use wgrad::op::Array;
use wgrad::{HostData, HostTensor, Shape};

/// One case: attributes under PyTorch's names, and tensors in f64.
pub struct Fixture {
    pub name: String,
    pub attributes: serde_json::Value,
    pub tensors: BTreeMap<String, Array>,
}

impl Fixture {
    /// All cases of a file, by name.
    pub fn all(file: &str) -> Vec<Fixture> {
        let path = root().join("tests/fixtures").join(file).with_extension("safetensors");
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a fixture is a whole safetensors file");
        let attributes = header.metadata().clone().unwrap_or_default();
        let mut cases: BTreeMap<String, BTreeMap<String, Array>> = BTreeMap::new();
        for (name, view) in
            SafeTensors::deserialize(&bytes).expect("a fixture is a whole safetensors file").tensors()
        {
            let data = match view.dtype() {
                Dtype::F32 => {
                    view.data().as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect()
                }
                Dtype::F64 => view.data().as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
                Dtype::I64 => {
                    view.data().as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect()
                }
                other => panic!("{name} is {other:?}, which no fixture holds"),
            };
            let (case, tensor) = name.rsplit_once('/').expect("fixture tensors are named CASE/NAME");
            let array = Array::new(view.shape().to_vec(), data);
            cases.entry(case.to_owned()).or_default().insert(tensor.to_owned(), array);
        }
        let parse = |case: &str| {
            attributes
                .get(case)
                .map_or(serde_json::Value::Null, |a| serde_json::from_str(a).expect("attributes are JSON"))
        };
        cases.into_iter().map(|(name, tensors)| Fixture { attributes: parse(&name), name, tensors }).collect()
    }

    /// The cases of a file whose `op` attribute is `op`; fails where there are none.
    pub fn of(file: &str, op: &str) -> Vec<Fixture> {
        let found: Vec<Fixture> =
            Fixture::all(file).into_iter().filter(|f| f.attributes["op"] == op).collect();
        assert!(!found.is_empty(), "{file} has no case of {op}");
        found
    }

    /// A tensor in f64.
    pub fn array(&self, name: &str) -> &Array {
        self.tensors.get(name).unwrap_or_else(|| panic!("case {} has no tensor {name}", self.name))
    }

    /// A tensor rounded to f32, as the GPU gets it.
    pub fn f32(&self, name: &str) -> HostTensor {
        let array = self.array(name);
        floats(array.shape.clone(), array.data.iter().map(|&x| x as f32).collect())
    }

    /// Class labels.
    pub fn i32(&self, name: &str) -> HostTensor {
        let array = self.array(name);
        HostTensor {
            shape: array.shape.clone(),
            data: HostData::I32(array.data.iter().map(|&x| x as i32).collect()),
        }
    }

    /// A number attribute, or `default` where it is absent.
    pub fn number(&self, name: &str, default: f64) -> f64 {
        self.attributes[name].as_f64().unwrap_or(default)
    }

    /// A pair of sizes.
    pub fn pair(&self, name: &str) -> [usize; 2] {
        let pair = self.attributes[name]
            .as_array()
            .unwrap_or_else(|| panic!("case {} has no pair {name}", self.name));
        [0, 1].map(|i| pair[i].as_u64().expect("sizes are whole numbers") as usize)
    }
}

/// Fails unless `found` is within `tolerance` of the fixture's tensor, relative to its largest value.
pub fn assert_close(fixture: &Fixture, tensor: &str, found: &HostTensor, tolerance: f64) {
    let expected = fixture.array(tensor);
    assert_eq!(expected.shape.elements(), found.shape.elements(), "{} {tensor}: sizes differ", fixture.name);
    let found = HostTensor { shape: Shape::from(&expected.shape[..]), data: found.data.clone() };
    let error = super::relative_error(expected, &found);
    assert!(error <= tolerance, "{} {tensor}: off by {error:.2e}, tolerance {tolerance:.0e}", fixture.name);
}
