//! Models as layers, parts of models, frozen parameters.

use crate::harness::{device, root};
use wgrad::nn::{self, Layer};
use wgrad::onnx::{Dimension, Model};
use wgrad::{Error, Graph, HostTensor, Mode, Plan, Session, Weights};

fn small() -> Result<Model, Error> {
    Model::open(root().join("tests/fixtures/onnx/small.onnx"))
}

#[test]
fn a_model_says_what_it_takes() -> Result<(), Error> {
    let model = small()?;
    let [images] = model.inputs() else { panic!("it has one input") };
    assert_eq!(images.to_string(), "images float32 [N, 3, 16, 16]");
    assert_eq!(images.dimensions.as_ref().expect("it has a shape")[0], Dimension::Symbolic("N".into()));
    assert_eq!((model.opset(), model.outputs()[0].name.as_str()), (17, "logits"));
    assert!(model.producer().starts_with("pytorch"), "{}", model.producer());
    Ok(())
}

#[test]
fn a_model_is_a_layer() -> Result<(), Error> {
    let net = nn::Sequential::new().add("body", small()?).add("head", nn::Linear::new(10, 2));
    let mut train = Graph::new();
    let x = train.input("x", [4, 3, 16, 16])?;
    let y = net.forward(&mut train, x, Mode::Train)?;
    assert_eq!(train.shape(y)?[..], [4, 2]);
    for name in ["body.stem.0.weight", "body.stem.1.running_mean", "head.weight"] {
        assert!(train.find(name).is_some(), "{name}");
    }
    // A second application shares the parameters.
    let before = train.parameters().len();
    net.forward(&mut train, x, Mode::Train)?;
    assert_eq!(train.parameters().len(), before);
    // So does an evaluation, whose results are those of the plain import.
    let model = small()?;
    let images = HostTensor::f32([1, 3, 16, 16], (0..768).map(|i| (i % 17) as f32 / 17.0).collect())?;
    let mut results = Vec::new();
    for layer in [true, false] {
        let mut g = Graph::new();
        let x = g.input("x", [1, 3, 16, 16])?;
        let (y, weights) = if layer {
            let y = model.forward(&mut g, x, Mode::Eval)?;
            let weights = Weights::init(device(), &g, 0)?;
            model.load_into(&weights)?;
            (y, weights)
        } else {
            let network = model.import().input("images", x).build(&mut g)?;
            let weights = Weights::init(device(), &g, 0)?;
            network.load_into(&weights)?;
            (network.value("logits")?, weights)
        };
        let mut session = Session::new(device(), Plan::new(&g, &[y], device().caps())?, &weights)?;
        session.write(x, &images)?;
        session.step()?;
        results.push(session.read(y)?);
    }
    assert_eq!(results[0], results[1]);
    assert!(results[0].to_f64().iter().any(|&y| y != 0.0));
    let other = Weights::init(device(), &train, 0)?;
    assert!(model.load_into(&other).is_err(), "these weights are another model's");
    Ok(())
}

#[test]
fn a_part_is_built_and_frozen() -> Result<(), Error> {
    let model = small()?;
    let mut g = Graph::new();
    let network = model
        .import()
        .dimension("N", 2)
        .outputs(["/down/down.2/Clip_output_0"])
        .frozen(|name| name.starts_with("stem."))
        .build(&mut g)?;
    let features = network.value("/down/down.2/Clip_output_0")?;
    assert_eq!(g.shape(features)?[..], [2, 16, 8, 8]);
    assert!(g.find("fc.weight").is_none(), "what is behind is not built");
    let frozen = |name: &str| g.is_frozen(g.find(name).expect("it is a parameter"));
    assert!(frozen("stem.0.weight") && !frozen("down.0.weight"));
    Ok(())
}
