//! Updates in place next to fusion, and updates that no optimizer made.

use super::assert_says;
use std::collections::BTreeMap;
use wgrad::graph::Init;
use wgrad::op::AdapterKind;
use wgrad::ops::optimizer::{Group, LionRule, SgdRule, Update};
use wgrad::optim::Sgd;
use wgrad::plan::Place;
use wgrad::shader::Access;
use wgrad::{Caps, Graph, Plan, Result, Value};

fn caps() -> Caps {
    Caps::webgpu_defaults(AdapterKind::Software)
}

/// By dispatch, how each of the plan's buffers is used.
fn assert_buffers_are_read_or_written(plan: &Plan) {
    for dispatch in plan.dispatches() {
        let mut used: BTreeMap<usize, Access> = BTreeMap::new();
        for binding in &dispatch.bindings {
            let Place::Owned { buffer, .. } = binding.place else { continue };
            let access = *used.entry(buffer).or_insert(binding.access);
            assert_eq!(access, binding.access, "{} reads and writes a buffer", dispatch.kernel.name());
        }
    }
}

/// With y = mean(p) + q the gradient of q is y's, and that of p what `expand` and `scale` make of it. Gradients lie in
/// one arena, so `scale` may not become part of the kernel that reads y's.
#[test]
fn no_fusion_has_a_kernel_read_one_gradient_and_write_another() -> Result<()> {
    let mut g = Graph::new();
    let (p, q) = (g.parameter("p", [4], Init::Constant(1.0))?, g.parameter("q", [1], Init::Constant(2.0))?);
    let mean = g.mean(p, &[0], true)?;
    let y = g.add(mean, q)?;
    let square = g.mul(y, y)?;
    let loss = g.sum(square, &[], false)?;
    let rate = g.input_scalar("rate")?;
    Sgd::new(rate).minimize(&mut g, loss)?;
    let plan = Plan::new(&g, &[loss], &caps())?;
    assert_buffers_are_read_or_written(&plan);
    Ok(())
}

/// An update that is applied by hand, with these parameters and gradients.
fn update(g: &mut Graph, parameters: [Value; 2], gradients: [Value; 2]) -> Result<Vec<Value>> {
    let (rate, step) = (g.input_scalar("rate")?, g.step_counter());
    let inputs: Vec<Value> = parameters.into_iter().chain(gradients).chain([rate, step]).collect();
    g.apply(Update::new(SgdRule::default(), 2), &inputs)
}

#[test]
fn groups_have_one_kind_of_rule() -> Result<()> {
    let mut g = Graph::new();
    let tensors = ["p", "q", "dp", "dq", "a", "b"].map(|name| g.input(name, [4]));
    let mut inputs: Vec<Value> = tensors.into_iter().collect::<Result<_>>()?;
    inputs.extend([g.input_scalar("rate")?, g.input_scalar("other_rate")?, g.step_counter()]);
    let groups = vec![Group::new(SgdRule::default(), 1), Group::new(LionRule::default(), 1)];
    let refused = g.apply(Update { groups, ..Update::new(SgdRule::default(), 0) }, &inputs);
    let message = refused.expect_err("the rules differ").to_string();
    assert!(message.contains("one kind of rule, found sgd_update and lion_update"), "{message}");
    Ok(())
}

#[test]
fn what_lies_in_no_arena_is_not_updated() -> Result<()> {
    let build = |last: usize| -> Result<Plan> {
        let mut g = Graph::new();
        let p = g.parameter("p", [4], Init::Constant(1.0))?;
        let (q, x) = (g.parameter("q", [4], Init::Constant(1.0))?, g.input("x", [4])?);
        let kept = g.state("kept", [4], Init::Constant(1.0), false)?;
        let (dp, dq) = (g.softmax(x, 0)?, g.softmax(q, 0)?);
        let of_dp = g.softmax(dp, 0)?;
        let (parameters, gradients) = match last {
            0 => ([p, q], [dp, dq]),
            1 => ([p, x], [dp, dq]),
            2 => ([p, kept], [dp, dq]),
            3 => ([p, q], [dp, x]),
            _ => ([p, q], [dp, of_dp]),
        };
        update(&mut g, parameters, gradients)?;
        Plan::new(&g, &[], &caps())
    };
    assert_buffers_are_read_or_written(&build(0)?);
    for (last, words) in [
        (1, ["\"p\" together with \"x\"", "of one optimizer"]),
        (2, ["\"p\" together with \"kept\"", "of one optimizer"]),
        (3, ["together with \"x\"", "of one optimizer"]),
        (4, ["softmax", "in the same arena, where an update places both; copy one of them"]),
    ] {
        let error = build(last).map(drop).expect_err("this can't be updated");
        assert_says(&error.to_string(), &words);
    }
    Ok(())
}

/// A plan's graph has fewer nodes than the graph that was planned, so that the one which overwrote a value has another
/// number.
#[test]
fn a_plans_graph_knows_what_overwrites() -> Result<()> {
    let mut g = Graph::new();
    let x = g.input("x", [4, 3])?;
    let w = g.parameter("w", [2, 3], Init::Constant(0.5))?;
    let mut y = g.linear(x, w, None)?;
    for _ in 0..20 {
        y = g.relu(y)?;
    }
    let loss = g.mean(y, &[0, 1], false)?;
    let rate = g.input_scalar("rate")?;
    wgrad::optim::Sgd::new(rate).minimize(&mut g, loss)?;
    let plan = Plan::new(&g, &[loss], &Caps::webgpu_defaults(AdapterKind::Discrete))?;
    let mut planned = plan.graph().clone();
    assert!(planned.nodes().len() < g.nodes().len());
    for graph in [&mut g, &mut planned] {
        let error = graph.relu(w).expect_err("the optimizer overwrote it").to_string();
        assert!(error.contains("was updated in place by \"sgd"), "{error}");
    }
    Ok(())
}
