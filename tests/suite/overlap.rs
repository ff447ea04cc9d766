//! Groups of dispatches that a GPU may run at the same time: the GPU library's rule, followed apart from the plan, and
//! steps whose nodes were moved.

use crate::harness::network::{Training, residual_training, training, training_of};
use crate::harness::{device, labels, numbers};
use std::collections::BTreeMap;
use wgrad::nn::models;
use wgrad::op::AdapterKind;
use wgrad::plan::{BufferKind, Place, Watch};
use wgrad::shader::Access;
use wgrad::{Caps, Error, HostTensor, Plan, PlanOptions, Session, Weights};

/// A buffer as this rule sees it: one of the plan's, or an arena by one of its tensors.
type Bound = (bool, usize);

/// What each dispatch binds and whether it writes it. Tensors of the weights that some dispatch binds as one run lie in
/// one buffer.
fn bound(plan: &Plan) -> Vec<Vec<(Bound, bool)>> {
    let number =
        |value| plan.graph().values().position(|(other, _)| other == value).expect("it is the plan's");
    let mut arena: BTreeMap<usize, usize> = BTreeMap::new();
    for binding in plan.dispatches().iter().flat_map(|dispatch| &dispatch.bindings) {
        if let Place::Stored { value, .. } = binding.place {
            arena.extend(binding.run.iter().map(|&member| (number(member), number(value))));
        }
    }
    let of = |place: Place| match place {
        Place::Owned { buffer, .. } => (false, buffer),
        Place::Stored { value, .. } => {
            let number = number(value);
            (true, arena.get(&number).copied().unwrap_or(number))
        }
    };
    let dispatches = plan.dispatches().iter();
    dispatches
        .map(|d| d.bindings.iter().map(|b| (of(b.place), b.access == Access::Write)).collect())
        .collect()
}

/// The dispatches before which the GPU library puts a barrier. Within a pass it remembers the last use of each buffer,
/// and puts a barrier before a dispatch that uses one otherwise, or writes it again. The first uses in a pass are
/// compared with the last ones before it, and their barrier stands before the pass.
fn barriers(plan: &Plan) -> Vec<usize> {
    let bound = bound(plan);
    let mut found = Vec::new();
    let mut ended: BTreeMap<Bound, bool> = BTreeMap::new();
    for pass in plan.passes() {
        let (mut first, mut last) = (BTreeMap::new(), BTreeMap::new());
        for at in pass.clone() {
            let changes = |(buffer, writes): &(Bound, bool)| {
                last.get(buffer).is_some_and(|&wrote: &bool| wrote || *writes)
            };
            if bound[at].iter().any(changes) {
                found.push(at);
            }
            for &(buffer, writes) in &bound[at] {
                first.entry(buffer).or_insert(writes);
                last.insert(buffer, writes);
            }
        }
        let changes =
            |(buffer, &writes): (&Bound, &bool)| ended.get(buffer).is_some_and(|&wrote| wrote || writes);
        if first.iter().any(changes) {
            found.push(pass.start);
        }
        ended.append(&mut last);
    }
    found.sort_unstable();
    found
}

fn plan_of(training: &Training, kind: AdapterKind) -> Plan {
    let caps = Caps { max_binding_bytes: 1 << 31, max_buffer_bytes: 1 << 31, ..Caps::webgpu_defaults(kind) };
    Plan::new(&training.graph, &[training.loss], &caps).expect("the network fits")
}

#[test]
fn barriers_fall_between_groups_only() {
    let networks: [(&str, Result<Training, Error>); 5] = [
        ("seed network, batch 64", training(64)),
        ("ResNet-18, 8 of 64 x 64", residual_training(8, 64, 64, 1000)),
        ("ResNet-50, 8 of 224 x 224", training_of(&models::resnet50(3, 1000), [8, 3, 224, 224])),
        ("MobileNetV2, 8 of 224 x 224", training_of(&models::mobilenet_v2(3, 1000), [8, 3, 224, 224])),
        ("U-Net, 2 of 256 x 256", training_of(&models::unet(3, 2, 32), [2, 3, 256, 256])),
    ];
    for (name, training) in networks {
        let training = training.expect("the network is valid");
        for kind in [AdapterKind::Discrete, AdapterKind::Integrated, AdapterKind::Software] {
            let plan = plan_of(&training, kind);
            let bytes = plan.device_bytes()[&BufferKind::Activations];
            println!(
                "{name}, {kind}: {} dispatches, {} groups, {} passes; activations {bytes}, {:.3} of the least",
                plan.dispatches().len(),
                plan.groups().len(),
                plan.passes().len(),
                bytes as f64 / plan.activation_lower_bound() as f64
            );
            let starts: Vec<usize> = plan.groups().iter().map(|group| group.start).skip(1).collect();
            assert_eq!(barriers(&plan), starts, "{name}, {kind}\n{plan}");
        }
    }
}

/// The numerics watch counts in one buffer, so a watched plan has the graph's order. Both have the same bits.
#[test]
fn moved_nodes_have_the_bits_of_the_graphs_order() -> Result<(), Error> {
    let discrete = Caps::webgpu_defaults(AdapterKind::Discrete);
    for training in [training(64)?, residual_training(2, 32, 8, 10)?] {
        let mut found: Vec<Vec<HostTensor>> = Vec::new();
        let mut orders: Vec<Vec<String>> = Vec::new();
        for options in [PlanOptions::default(), PlanOptions::default().watch(Watch::new())] {
            let plan = Plan::with_options(&training.graph, &[training.loss], &discrete, &options)?;
            let nodes =
                plan.graph().nodes().map(|(_, node)| format!("{} {}", node.operator.name(), node.name));
            orders.push(nodes.collect());
            let weights = Weights::init(device(), &training.graph, 3)?;
            let mut session = Session::new(device(), plan, &weights)?;
            let images = training.graph.shape(training.images)?;
            session.write(training.images, &numbers(images.clone(), 1))?;
            session.write(training.labels, &labels(images[0], 10, 2))?;
            session.write_scalar(training.rate, 0.05)?;
            session.step()?;
            session.step()?;
            let mut tensors = vec![session.read(training.loss)?];
            for name in weights.names() {
                tensors.push(weights.read(name)?);
            }
            found.push(tensors);
        }
        assert_ne!(orders[0], orders[1], "no node moved");
        orders.iter_mut().for_each(|order| order.sort());
        assert_eq!(orders[0], orders[1], "the nodes are the same");
        let bits = |tensors: &[HostTensor]| -> Vec<Vec<u32>> {
            let floats = tensors.iter().map(|t| t.as_f32().expect("they are floats"));
            floats.map(|floats| floats.iter().map(|x| x.to_bits()).collect()).collect()
        };
        assert_eq!(bits(&found[0]), bits(&found[1]));
    }
    Ok(())
}
