//! The step of ResNet-50 that stands in comparisons of frameworks, beside PyTorch's answers.

use super::{command, text};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;
use tempfile::TempDir;

#[test]
fn a_step_has_pytorchs_loss_and_gradients() {
    let work = TempDir::new().expect("there is room for temporary files");
    let run = |arguments: &[&str]| {
        let output =
            command("resnet50_step", work.path()).args(arguments).output().expect("it can be started");
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, printed, error) = run(&["--steps", "1", "--save", "step.safetensors"]);
    assert_eq!(code, Some(0), "{error}");
    for part in [
        "adapter: ",
        "4 images of 3 x 224 x 224: mean cross-entropy and its 161 gradients",
        "first step: ",
        "kernels ",
        "in the median of 1 (",
        "device memory: ",
        "gradients among them 102.2",
        "PyTorch in f64",
        "\nloss ",
        "\nnorm, conv1.weight ",
        "\nnorm, layer3.0.conv2.weight ",
        "\nnorm, layer4.2.conv3.weight ",
        "\nnorm, fc.weight ",
        "\nnorm, all gradients ",
    ] {
        assert!(printed.contains(part), "no \"{part}\" in:\n{printed}");
    }
    // What the twin in PyTorch loads.
    let saved = std::fs::read(work.path().join("step.safetensors")).expect("it was written");
    let saved = SafeTensors::deserialize(&saved).expect("it is a whole file");
    let shape = |name: &str| saved.tensor(name).map(|tensor| tensor.shape().to_vec()).expect(name);
    assert_eq!((shape("images"), shape("labels")), (vec![4, 3, 224, 224], vec![4]));
    assert_eq!(shape("layer3.0.conv2.weight"), [256, 256, 3, 3]);

    // Answers of another loss.
    let answers = std::fs::read(crate::harness::root().join("tests/fixtures/resnet50_step.safetensors"))
        .expect("the answers are committed");
    let answers = SafeTensors::deserialize(&answers).expect("they are a whole file");
    let losses = ["f64/loss", "f32/loss"].map(|name| {
        let loss = answers.tensor(name).expect(name).data().try_into().expect("a scalar of f64");
        (name, (f64::from_le_bytes(loss) * (1.0 + 1e-4)).to_le_bytes())
    });
    let mut tensors: BTreeMap<String, TensorView> = answers.tensors().into_iter().collect();
    for (name, loss) in &losses {
        tensors.insert((*name).to_owned(), TensorView::new(Dtype::F64, vec![], loss).expect("a scalar"));
    }
    let other = safetensors::serialize(tensors, None).expect("the names are distinct");
    std::fs::write(work.path().join("other.safetensors"), &other).expect("there is room");
    let (code, _, error) = run(&["--steps", "1", "--answers", "other.safetensors"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("error: loss is ") && error.contains("off by 1.0e-4"), "{error}");
    assert!(!error.contains("norm, "), "only the loss differs: {error}");

    // Mistakes are told before a device is opened.
    std::fs::write(work.path().join("cut.safetensors"), &other[..100]).expect("there is room");
    for (arguments, part) in [
        (["--answers", "cut.safetensors"], "cut.safetensors: "),
        (["--answers", "none.safetensors"], "none.safetensors: "),
        (["--steps", "0"], "cannot parse argument \"0\""),
    ] {
        let (code, printed, error) = run(&arguments);
        assert!(code == Some(1) && printed.is_empty() && error.contains(part), "{printed}{error}");
    }
}
