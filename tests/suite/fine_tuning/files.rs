//! Files of other programs and other networks.

use super::{contents, forward, network, says, weights_of};
use crate::harness::files::write;
use crate::harness::{device, labels, numbers};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use wgrad::nn;
use wgrad::optim::{Adam, Ema};
use wgrad::weights::LoadOptions;
use wgrad::{Mode, Plan, Result, Session, Weights};

fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder can be made")
}

/// Writes a copy of a file with other names; `None` leaves a tensor out.
fn renamed(folder: &Path, path: &Path, name: impl Fn(&str) -> Option<String>) -> PathBuf {
    let bytes = std::fs::read(path).expect("the file was written");
    let file = SafeTensors::deserialize(&bytes).expect("it is whole");
    let tensors = file.tensors().into_iter().filter_map(|(old, tensor)| Some((name(&old)?, tensor)));
    let bytes = safetensors::serialize(tensors, None).expect("it can be written");
    write(folder, "renamed.safetensors", &bytes)
}

/// The weights of a network, and a file of them.
fn saved(folder: &Path, net: &nn::Sequential) -> Result<(Weights, PathBuf)> {
    let (weights, path) = (weights_of(net, 1)?, folder.join("w.safetensors"));
    weights.save(&path)?;
    Ok((weights, path))
}

#[test]
fn other_names_and_prefixes_load() -> Result<()> {
    let folder = folder();
    let (weights, path) = saved(folder.path(), &network(3))?;
    let wrapped = |prefix: &'static str| move |name: &str| Some(format!("{prefix}{name}"));
    for prefix in
        ["module.", "_orig_mod.", "model.", "module._orig_mod.", "_orig_mod.module.", "model.model.module."]
    {
        let file = renamed(folder.path(), &path, wrapped(prefix));
        let fresh = weights_of(&network(3), 2)?;
        let strict = fresh.load(&file).unwrap_err();
        let begin = format!("its names begin with \"{prefix}\"");
        says(&strict, &["is missing", &begin, "LoadOptions::strip_wrappers"]);
        let report = fresh.load_with(&file, &LoadOptions::new().strip_wrappers())?;
        assert!(report.is_complete(), "{report}");
        assert_eq!(report.taken[0].from, format!("{prefix}{}", report.taken[0].name));
        assert_eq!(contents(&fresh), contents(&weights), "{prefix}");
    }
    let file = renamed(folder.path(), &path, |name| {
        Some(match name {
            "fc.bias" => "classifier.offset".to_owned(),
            name => format!("net.{}", name.replace("block.", "layer.").replace("weight", "gamma")),
        })
    });
    let options = LoadOptions::new()
        .strip_prefix("net.")
        .rename("classifier.offset", "fc.bias")
        .rename_prefix("layer.", "block.")
        .rename_with(|name| name.replace("gamma", "weight"));
    let fresh = weights_of(&network(3), 2)?;
    fresh.load_with(&file, &options)?;
    assert_eq!(contents(&fresh), contents(&weights));
    // Two names that become one.
    let before = contents(&fresh);
    let options = options.rename_with(|name| name.replace("bn.bias", "bn.weight"));
    says(
        &fresh.load_with(&file, &options).unwrap_err(),
        &["\"net.bn.bias\" and \"net.bn.gamma\" both become \"bn.weight\""],
    );
    assert_eq!(contents(&fresh), before);
    Ok(())
}

#[test]
fn all_but_the_head_loads() -> Result<()> {
    let folder = folder();
    let (weights, path) = saved(folder.path(), &network(1000))?;
    let fresh = weights_of(&network(3), 2)?;
    let head = fresh.read("fc.weight")?;
    let other_shape = ["\"fc.bias\" has shape [1000], expected [3]", "LoadOptions::filter"];
    says(&fresh.load(&path).unwrap_err(), &other_shape);
    says(&fresh.load_with(&path, &LoadOptions::new().partial()).unwrap_err(), &other_shape);
    let report = fresh.load_with(&path, &LoadOptions::new().filter(|name| !name.starts_with("fc.")))?;
    assert_eq!(
        (report.taken.len(), &report.filtered[..]),
        (11, &["fc.bias".to_owned(), "fc.weight".to_owned()][..])
    );
    assert_eq!(fresh.read("fc.weight")?, head);
    assert_eq!(fresh.read("block.1.running_var")?, weights.read("block.1.running_var")?);
    assert_eq!(fresh.read("conv.weight")?, weights.read("conv.weight")?);
    Ok(())
}

#[test]
fn a_partial_load_reports_what_it_did() -> Result<()> {
    let folder = folder();
    let (weights, path) = saved(folder.path(), &network(3))?;
    let file = renamed(folder.path(), &path, |name| match name {
        "bn.running_mean" | "bn.running_var" => None,
        "fc.bias" => Some("head.bias".into()),
        "conv.bias" => Some("bn.num_batches_tracked".into()),
        name => Some(name.into()),
    });
    let fresh = weights_of(&network(3), 2)?;
    says(&fresh.load(&file).unwrap_err(), &["\"bn.running_mean\" [4] is missing", "LoadOptions::partial"]);
    let report = fresh.load_with(&file, &LoadOptions::new().partial())?;
    assert_eq!(report.missing, ["bn.running_mean", "bn.running_var", "conv.bias", "fc.bias"]);
    assert_eq!(report.left_over, ["head.bias"], "counts of batches are no part of a network");
    assert_eq!(
        report.to_string(),
        "\
taken          9 tensors, 216 numbers, F32
  block (5)
  bn (2)
  conv (1)
  fc (1)
missing        4, not in the file, kept as they were
  bn.running_mean
  bn.running_var
  conv.bias
  fc.bias
left over      1, in the file and not in the network
  head.bias"
    );
    assert_eq!(fresh.read("fc.weight")?, weights.read("fc.weight")?);
    let extra = renamed(folder.path(), &path, |name| Some(name.replace("fc.bias", "fc.bias2")));
    says(&weights.load(&extra).unwrap_err(), &["\"fc.bias\" [3] is missing"]);
    let mut small = network(3);
    small.truncate("fc")?;
    says(&weights_of(&small, 0)?.load(&path).unwrap_err(), &["\"fc.bias\" is extra", "LoadOptions::partial"]);
    // A file that has nothing of the network is another's.
    let file = renamed(folder.path(), &path, |name| Some(format!("backbone.{name}")));
    let nothing =
        ["no tensor that was to be loaded", "backbone.block.0.weight", "block.0.weight", "rename_prefix"];
    says(&fresh.load_with(&file, &LoadOptions::new().partial()).unwrap_err(), &nothing);
    Ok(())
}

#[test]
fn floats_of_other_formats_convert() -> Result<()> {
    let folder = folder();
    let mut net = network(3);
    net.split_off("block")?;
    let weights = weights_of(&net, 1)?;
    let values = [1.0f64, -0.5, 2.5, -1024.0];
    for dtype in [Dtype::F16, Dtype::BF16, Dtype::F64] {
        let bytes = |value: f64| match dtype {
            // These values are exact in all formats, and bf16 is the upper half of f32.
            Dtype::F16 => f16_bits(value).to_le_bytes().to_vec(),
            Dtype::BF16 => (((value as f32).to_bits() >> 16) as u16).to_le_bytes().to_vec(),
            _ => value.to_le_bytes().to_vec(),
        };
        let of = |count: usize| -> Vec<u8> { (0..count).flat_map(|i| bytes(values[i % 4])).collect() };
        let names: Vec<String> = weights.names().map(str::to_owned).collect();
        let shapes: Vec<Vec<usize>> =
            names.iter().map(|name| Ok(weights.read(name)?.shape.to_vec())).collect::<Result<_>>()?;
        let data: Vec<Vec<u8>> = shapes.iter().map(|shape| of(shape.iter().product())).collect();
        let views = names.iter().zip(&shapes).zip(&data).map(|((name, shape), data)| {
            (name.clone(), TensorView::new(dtype, shape.clone(), data).expect("the sizes agree"))
        });
        let path =
            write(folder.path(), "w", &safetensors::serialize(views, None).expect("it can be written"));
        let fresh = weights_of(&net, 2)?;
        fresh.load(&path)?;
        for name in &names {
            for (i, found) in fresh.read(name)?.to_f64().into_iter().enumerate() {
                assert_eq!(found, values[i % 4], "{dtype:?} {name}");
            }
        }
    }
    let data: Vec<u8> = [1e300f64, -1e39, 0.1, f64::INFINITY].iter().flat_map(|x| x.to_le_bytes()).collect();
    let views = [("bn.bias", TensorView::new(Dtype::F64, vec![4], &data).expect("the sizes agree"))];
    let path = write(folder.path(), "w", &safetensors::serialize(views, None).expect("it can be written"));
    let report = weights.load_with(&path, &LoadOptions::new().partial())?;
    assert_eq!((report.taken[0].dtype.as_str(), report.taken[0].overflowed), ("F64", 2));
    assert!(report.to_string().ends_with("2 numbers of bn.bias became infinite in f32"), "{report}");
    assert_eq!(
        weights.read("bn.bias")?.as_f32(),
        Some(&[f32::INFINITY, f32::NEG_INFINITY, 0.1, f32::INFINITY][..])
    );
    Ok(())
}

/// A normal number that f16 holds exactly.
fn f16_bits(value: f64) -> u16 {
    let bits = (value as f32).to_bits();
    let exponent = (bits >> 23 & 0xff) as u16 - 112;
    (bits >> 16 & 0x8000) as u16 | exponent << 10 | (bits >> 13 & 0x3ff) as u16
}

#[test]
fn averages_of_a_checkpoint_load_as_parameters() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("run.safetensors");
    let (mut g, x, logits) = forward(&network(3), Mode::Train)?;
    let targets = g.input_i32("labels", 4)?;
    let loss = g.cross_entropy(logits, targets)?;
    let rate = g.input_scalar("rate")?;
    Adam::new(rate).average(Ema::new(0.5)).minimize(&mut g, loss)?;
    let weights = Weights::init(device(), &g, 1)?;
    let mut session = Session::new(device(), Plan::new(&g, &[loss], device().caps())?, &weights)?;
    session.write_scalar(rate, 0.1)?;
    for step in 0..3 {
        session.write(x, &numbers([4, 1, 6, 6], step))?;
        session.write(targets, &labels(4, 3, step))?;
        session.step()?;
    }
    session.save_checkpoint(&path)?;
    let evaluation = weights_of(&network(3), 2)?;
    let averages = LoadOptions::new().averages();
    assert!(evaluation.load_with(&path, &averages)?.is_complete());
    for name in ["conv.weight", "block.0.weight", "fc.bias", "bn.running_var"] {
        assert_eq!(evaluation.read(name)?, weights.averaged()?.read(name)?, "{name}");
    }
    evaluation.load(&path)?;
    assert_eq!(evaluation.read("conv.weight")?, weights.read("conv.weight")?);
    // Under other names they are found too.
    let mut net = network(3);
    let head = net.split_off("fc")?;
    let net = nn::Sequential::new().add("body", net).inline(head);
    let other = weights_of(&net, 2)?;
    let options = averages
        .clone()
        .rename_with(|name| if name.starts_with("fc.") { name.into() } else { format!("body.{name}") });
    other.load_with(&path, &options)?;
    assert_eq!(other.read("body.conv.weight")?, weights.averaged()?.read("conv.weight")?);
    weights.save(&path)?;
    says(&evaluation.load_with(&path, &averages).unwrap_err(), &["no averages", "LoadOptions::averages"]);
    Ok(())
}

#[test]
fn a_converted_checkpoint_evaluates_but_does_not_resume() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("run.safetensors");
    let net = nn::Sequential::new().add("fc", nn::Linear::new(36, 3));
    let net = nn::Sequential::new().add("flatten", nn::Flatten).inline(net);
    let (g, _, logits) = forward(&net, Mode::Eval)?;
    let weights = Weights::init(device(), &g, 1)?;
    let mut session = Session::new(device(), Plan::new(&g, &[logits], device().caps())?, &weights)?;
    session.save_checkpoint(&path)?;
    let bytes = std::fs::read(&path).expect("it was written");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("it is whole");
    let file = SafeTensors::deserialize(&bytes).expect("it is whole");
    let wide: Vec<(String, Vec<usize>, Vec<u8>)> = file
        .tensors()
        .into_iter()
        .map(|(name, tensor)| {
            let numbers = bytemuck::pod_collect_to_vec::<u8, f32>(tensor.data());
            let bytes = numbers.iter().flat_map(|&x| f64::from(x).to_le_bytes()).collect();
            (name, tensor.shape().to_vec(), bytes)
        })
        .collect();
    let views = wide.iter().map(|(name, shape, bytes)| {
        (name.clone(), TensorView::new(Dtype::F64, shape.clone(), bytes).expect("the sizes agree"))
    });
    let bytes = safetensors::serialize(views, header.metadata().clone()).expect("it can be written");
    let path = write(folder.path(), "wide", &bytes);
    says(&session.load_checkpoint(&path).unwrap_err(), &["is F64, expected F32", "Weights::load"]);
    let before = contents(&weights);
    weights.write("fc.bias", &[9.0; 3])?;
    weights.load(&path)?;
    assert_eq!(contents(&weights), before);
    Ok(())
}
