//! Tensors of published networks: names and shapes from the tables in tests/suite/models, and contents for them.

use super::floats;
use super::numbers;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;
use std::path::Path;
use wgrad::op::Array;
use wgrad::{HostSlice, HostTensor};

/// What PyTorch counts beside running statistics, as a 64-bit integer.
const COUNTER: &str = "num_batches_tracked";

/// Names and shapes of a table in tests/suite/models, without the counters.
pub fn table(text: &str) -> BTreeMap<String, Vec<usize>> {
    let mut tensors = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let sizes: Vec<usize> = words[2..].iter().map(|size| size.parse().expect("a size")).collect();
        for name in expand(words[0]) {
            let parts: Vec<(String, Vec<usize>)> = match words[1] {
                "tensor" => vec![(name, sizes.clone())],
                "weight" => vec![(format!("{name}.weight"), sizes.clone())],
                "affine" => {
                    vec![(format!("{name}.weight"), sizes.clone()), (format!("{name}.bias"), vec![sizes[0]])]
                }
                "norm" => ["weight", "bias", "running_mean", "running_var"]
                    .map(|part| (format!("{name}.{part}"), sizes.clone()))
                    .into(),
                kind => panic!("no kind of tensors: {kind}"),
            };
            for (name, sizes) in parts {
                assert!(tensors.insert(name.clone(), sizes).is_none(), "{name} stands there twice");
            }
        }
    }
    tensors
}

/// `a{1,2}` as `a1` and `a2`.
fn expand(name: &str) -> Vec<String> {
    let Some((before, rest)) = name.split_once('{') else { return vec![name.to_owned()] };
    let (inside, after) = rest.split_once('}').expect("a brace closes");
    inside.split(',').flat_map(|part| expand(&format!("{before}{part}{after}"))).collect()
}

/// Contents that keep the numbers of a deep network near one: weights by what they sum over, norms near
/// the identity, variances above zero.
pub fn contents(tensors: &BTreeMap<String, Vec<usize>>) -> BTreeMap<String, HostTensor> {
    let tensor = |(at, (name, sizes)): (usize, (&String, &Vec<usize>))| {
        let seed = 1 + at as u64;
        let fan_in = sizes[1..].iter().product::<usize>() as f32;
        let is_norm = sizes.len() == 1 && !name.ends_with("bias") && !name.ends_with("running_mean");
        let (middle, spread) = match sizes.len() {
            1 if is_norm => (1.0, 0.5),
            1 => (0.0, 0.25),
            _ => (0.0, f32::sqrt(6.0 / fan_in)),
        };
        let data = numbers(sizes.as_slice(), seed).to_f64();
        let data = data.iter().map(|&x| middle + spread * x as f32).collect();
        (name.clone(), floats(sizes.as_slice(), data))
    };
    tensors.iter().enumerate().map(tensor).collect()
}

/// A state dict as a file: with a counter beside each running mean, as PyTorch saves it.
pub fn save(tensors: &BTreeMap<String, HostTensor>, path: &Path) {
    let counter = 7i64.to_le_bytes();
    let mut views = Vec::new();
    for (name, tensor) in tensors {
        let view = TensorView::new(Dtype::F32, tensor.shape.to_vec(), HostSlice::from(tensor).bytes());
        views.push((name.clone(), view.expect("data and shape fit")));
        if let Some(layer) = name.strip_suffix("running_mean") {
            let view = TensorView::new(Dtype::I64, vec![], &counter);
            views.push((format!("{layer}{COUNTER}"), view.expect("data and shape fit")));
        }
    }
    let bytes = safetensors::serialize(views, None).expect("names are unique");
    std::fs::write(path, bytes).expect("a temporary directory can be written");
}

/// Tensors as the reference has them.
pub fn arrays(tensors: &BTreeMap<String, HostTensor>) -> BTreeMap<String, Array> {
    tensors.iter().map(|(name, tensor)| (name.clone(), super::array(tensor))).collect()
}
