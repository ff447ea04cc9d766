//! Choices of kernel variants, and errors about limits.

use super::assert_says;
use wgrad::graph::Init;
use wgrad::op::AdapterKind;
use wgrad::ops::conv2d::Conv2dOptions;
use wgrad::{Caps, Error, Graph, Plan, PlanOptions, Result, Value};

fn caps() -> Caps {
    Caps::webgpu_defaults(AdapterKind::Discrete)
}

/// Two convolutions with the gradients of their weights, which have the convolutions' names.
fn convolutions() -> Result<(Graph, Vec<Value>)> {
    let mut graph = Graph::new();
    let mut x = graph.input("x", [2, 4, 8, 8])?;
    let mut weights = Vec::new();
    for name in ["first", "second"] {
        let weight = graph.parameter(&format!("{name}.weight"), [4, 4, 3, 3], Init::Uniform(0.1))?;
        let attributes = Conv2dOptions::new().padding([1, 1]);
        x = graph.scoped(name, |g| g.conv2d(x, weight, None, attributes))?;
        weights.push(weight);
    }
    let loss = graph.sum(x, &[], false)?;
    let mut outputs: Vec<Value> = graph.gradients(loss, &weights)?.into_iter().flatten().collect();
    outputs.push(loss);
    Ok((graph, outputs))
}

/// Operator, name and variant of each convolution of the plan.
fn chosen(options: &PlanOptions) -> Result<Vec<(String, String, &'static str)>> {
    let (graph, outputs) = convolutions()?;
    let plan = Plan::with_options(&graph, &outputs, &caps(), options)?;
    let all = plan.steps().iter().map(|step| {
        let node = plan.graph().node(step.node)?;
        Ok((node.operator.name().to_owned(), node.name.clone(), step.variant.name()))
    });
    let all = all.collect::<Result<Vec<_>>>()?;
    Ok(all.into_iter().filter(|(operator, ..)| operator.starts_with("conv2d")).collect())
}

#[test]
fn a_choice_for_an_operator_or_a_node_leaves_the_gradients_of_that_name_alone() -> Result<()> {
    let default = chosen(&PlanOptions::default())?;
    assert!(default.iter().filter(|(_, name, _)| name == "second").count() >= 3, "{default:?}");
    assert!(default.iter().all(|&(.., variant)| variant == "tiled"), "{default:?}");
    // `im2col` computes no gradient.
    for (operator, name, variant) in chosen(&PlanOptions::default().variant("conv2d", "im2col"))? {
        assert_eq!(variant, if operator == "conv2d" { "im2col" } else { "tiled" }, "{operator} {name}");
    }
    let options =
        PlanOptions::default().variant("conv2d", "register").node_variant("conv2d", "second", "im2col");
    for (operator, name, variant) in chosen(&options)? {
        let expected = match (operator.as_str(), name.as_str()) {
            ("conv2d", "second") => "im2col",
            ("conv2d", _) => "register",
            _ => "tiled",
        };
        assert_eq!(variant, expected, "{operator} {name}");
    }
    Ok(())
}

#[test]
fn a_choice_that_no_node_can_take_is_refused() {
    for options in [
        PlanOptions::default().variant("conv3d", "tiled"),
        PlanOptions::default().variant("second", "tiled"),
        PlanOptions::default().node_variant("conv2d", "third", "tiled"),
        PlanOptions::default().node_variant("linear", "second", "tiled"),
    ] {
        let error = chosen(&options).expect_err("the plan has no such node");
        assert!(matches!(error, Error::Setting { setting: "variant", .. }), "{error}");
        assert_says(&error.to_string(), &["does not have", "conv2d_grad_weight"]);
    }
}

#[test]
fn a_limit_that_is_not_the_batchs_fault_does_not_speak_of_the_batch() -> Result<()> {
    let (graph, outputs) = convolutions()?;
    let few = Caps { max_storage_buffers: 2, ..caps() };
    let error = Plan::new(&graph, &outputs, &few).map(drop).expect_err("a convolution binds 3");
    let text = error.to_string();
    assert_says(
        &text,
        &["conv2d \"first\"", "binds 3 storage buffers, the adapter allows 2", "another adapter"],
    );
    assert!(!text.contains("batch"), "{text}");

    // VGG's first linear layer on WebGPU's default 128 MiB. Its input would fit in a batch of any size here.
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 25_088])?;
    let weight = graph.parameter("classifier.0.weight", [4096, 25_088], Init::Uniform(0.1))?;
    let y = graph.scoped("classifier.0", |g| g.linear(x, weight, None))?;
    let error = Plan::new(&graph, &[y], &caps()).map(drop).expect_err("411 MB are more than 128 MiB");
    let text = error.to_string();
    assert!(matches!(error, Error::Limit { largest_batch: None, .. }), "{text}");
    assert_says(
        &text,
        &[
            "linear \"classifier.0\"",
            "parameter \"classifier.0.weight\" f32[4096, 25088] takes 411041792 bytes",
            "binds 134217728",
            "Split the layer",
            "Device::caps",
        ],
    );
    assert!(!text.contains("batch"), "{text}");

    // What grows with the batch, and is too large for a batch of one.
    let mut graph = Graph::new();
    let x = graph.input("x", [1, 1 << 26])?;
    let y = graph.relu(x)?;
    let text = Plan::new(&graph, &[y], &caps()).map(drop).expect_err("256 MiB do not fit").to_string();
    assert_says(&text, &["relu", "a batch of 1 does not fit", "make the layer smaller"]);
    Ok(())
}
