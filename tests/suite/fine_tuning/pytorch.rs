//! Frozen networks and files of other floats against PyTorch (`fixtures/fine_tuning.py`).

use super::{forward, network, weights_of};
use crate::harness::device;
use crate::harness::fixture::{Fixture, assert_close};
use crate::harness::root;
use wgrad::optim::Sgd;
use wgrad::weights::{LoadOptions, Metadata};
use wgrad::{Mode, Plan, Result, Session, Weights};

fn case(name: &str) -> Fixture {
    let found = Fixture::all("fine_tuning").into_iter().find(|f| f.name == name);
    found.expect("the fixture has this case")
}

/// Three steps with these layers frozen.
fn assert_steps(name: &str, frozen: &[&str]) -> Result<()> {
    let [before, after] = ["before", "after"].map(|when| case(&format!("{name}.{when}")));
    let mut net = network(3);
    for &layer in frozen {
        net.freeze(layer)?;
    }
    let (mut g, x, logits) = forward(&net, Mode::Train)?;
    let labels = g.input_i32("labels", 4)?;
    let loss = g.cross_entropy(logits, labels)?;
    let rate = g.input_scalar("rate")?;
    Sgd::new(rate).momentum(0.9).weight_decay(0.01).minimize(&mut g, loss)?;
    let weights = Weights::init(device(), &g, 0)?;
    let names: Vec<String> = weights.names().map(str::to_owned).collect();
    let dict: Vec<&String> = before.tensors.keys().filter(|name| names.contains(name)).collect();
    assert_eq!(dict.len(), 13, "{dict:?}");
    for &name in &dict {
        weights.write(name, before.f32(name).as_f32().expect("parameters are floats"))?;
    }
    let mut session = Session::new(device(), Plan::new(&g, &[loss], device().caps())?, &weights)?;
    session.record(loss, 3)?;
    session.write_scalar(rate, 0.1)?;
    for step in 0..3 {
        let inputs = before.f32("inputs");
        let inputs = inputs.as_f32().expect("inputs are floats");
        session.write(x, &inputs[step * 144..][..144])?;
        let classes: Vec<i32> =
            before.array("labels").data[step * 4..][..4].iter().map(|&x| x as i32).collect();
        session.write(labels, &classes)?;
        session.step()?;
    }
    assert_close(&after, "losses", &session.recorded(loss)?, 1e-5);
    for name in dict {
        assert_close(&after, name, &weights.read(name)?, 2e-5);
    }
    Ok(())
}

#[test]
fn training_the_head_alone_agrees_with_pytorch() -> Result<()> {
    assert_steps("trunk", &["conv", "bn", "block", "dropout"])
}

#[test]
fn gradients_through_frozen_layers_agree_with_pytorch() -> Result<()> {
    assert_steps("middle", &["bn", "block", "dropout"])
}

#[test]
fn a_wrapped_state_dict_of_four_formats_converts_as_by_pytorch() -> Result<()> {
    let path = root().join("tests/fixtures/wrapped.safetensors");
    let weights = weights_of(&network(3), 1)?;
    let report = weights.load_with(&path, &LoadOptions::new().strip_wrappers())?;
    assert!(report.is_complete(), "{report}");
    let of = |name: &str| report.taken.iter().find(|tensor| tensor.name == name).expect("it was taken");
    for (name, dtype) in
        [("conv.weight", "F16"), ("bn.bias", "BF16"), ("block.1.bias", "F64"), ("fc.bias", "F32")]
    {
        assert_eq!((of(name).dtype.as_str(), &of(name).from), (dtype, &format!("module._orig_mod.{name}")));
    }
    assert_eq!(of("block.0.weight").overflowed, 2);
    let expected = case("wrapped");
    for name in weights.names() {
        let bits = |numbers: &[f32]| numbers.iter().map(|x| x.to_bits()).collect::<Vec<u32>>();
        let (found, expected) = (weights.read(name)?, expected.f32(name));
        assert_eq!(
            bits(found.as_f32().expect("it is f32")),
            bits(expected.as_f32().expect("it is f32")),
            "{name}"
        );
    }
    // The layout is no note.
    assert!(Metadata::read(&path)?.is_empty());
    Ok(())
}
