//! Whether a plan does what its graph says, followed byte by byte: what every dispatch reads is what the right node wrote.

use std::collections::BTreeMap;
use wgrad::graph::{Source, Value};
use wgrad::plan::{Binding, BufferKind, Place, Plan, Step};
use wgrad::shader::Access;
use wgrad::{DType, Graph};

/// What lies somewhere: a value by where it is kept, or scratch memory of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Holds {
    At(Value),
    Scratch(usize),
}

/// By buffer: where ranges start, where they end and what they hold.
#[derive(Default)]
struct Memory(Vec<BTreeMap<u64, (u64, Holds)>>);

impl Memory {
    fn write(&mut self, buffer: usize, start: u64, end: u64, holds: Holds) {
        let ranges = &mut self.0[buffer];
        let overlaps: Vec<u64> =
            ranges.range(..end).filter(|(_, (other, _))| *other > start).map(|(&start, _)| start).collect();
        for other in overlaps {
            let (other_end, held) = ranges.remove(&other).expect("it was just found");
            // What is left of it is no whole value any more, but tells whose it was.
            if other < start {
                ranges.insert(other, (start, held));
            }
            if other_end > end {
                ranges.insert(end, (other_end, held));
            }
        }
        ranges.insert(start, (end, holds));
    }

    fn holds(&self, buffer: usize, start: u64, end: u64) -> Option<Holds> {
        let &(found_end, holds) = self.0[buffer].get(&start)?;
        (found_end == end).then_some(holds)
    }
}

/// Checks a plan of `graph`; with `kernels`, that their texts are valid too.
pub fn check(graph: &Graph, plan: &Plan, kernels: bool) {
    let caps = plan.caps();
    let mut memory = Memory(plan.buffers().iter().map(|_| BTreeMap::new()).collect());
    for (number, buffer) in plan.buffers().iter().enumerate() {
        assert!(buffer.bytes <= caps.max_buffer_bytes, "buffer {number} of {} bytes", buffer.bytes);
        if let Some(value) = buffer.value {
            memory.write(number, 0, buffer.bytes, Holds::At(value));
        }
    }
    for (number, step) in plan.steps().iter().enumerate() {
        check_step(plan, number, step, &mut memory);
    }
    check_versions(plan);
    check_groups(plan);
    for &output in plan.outputs() {
        assert!(graph.owns(output) && plan.graph().owns(output));
        match plan.place(output).expect("outputs have places") {
            Place::Owned { buffer, offset, bytes } => {
                let found = memory.holds(buffer, offset, offset + bytes);
                assert_eq!(found, Some(Holds::At(root(plan, output))), "output {output:?}");
            }
            Place::Stored { value, .. } => assert!(is_kept(plan, value)),
        }
    }
    let bytes = plan.device_bytes();
    let activations = bytes.get(&BufferKind::Activations).copied().unwrap_or(0);
    assert!(activations >= plan.activation_lower_bound());
    if kernels {
        assert!(!plan.to_string().is_empty());
    }
    for dispatch in plan.dispatches() {
        let source = dispatch.kernel.source().expect("a planned kernel joins");
        for word in ["NaNf", "inff"] {
            assert!(!source.contains(word), "{}: {word} is no number of WGSL", dispatch.kernel.name());
        }
        if kernels {
            validate(dispatch.kernel.name(), &source);
        }
    }
}

/// The value whose storage this one has, by the rules of the graph's own nodes.
fn root(plan: &Plan, value: Value) -> Value {
    let graph = plan.graph();
    let mut value = value;
    loop {
        let Source::Node { node, output } = graph.value(value).expect("it is the plan's").source else {
            return value;
        };
        let node = graph.node(node).expect("it is the plan's");
        let in_place = node.operator.in_place().into_iter().find(|&(out, _)| out == output);
        match in_place {
            _ if node.operator.is_view() => value = node.inputs[0],
            Some((_, input)) => value = node.inputs[input],
            None => return value,
        }
    }
}

fn is_kept(plan: &Plan, value: Value) -> bool {
    matches!(
        plan.graph().value(value).expect("it is the plan's").source,
        Source::Parameter(_) | Source::State { .. }
    )
}

/// The values that a binding holds, by its place.
fn values_of(plan: &Plan, step: &Step, binding: &Binding) -> Vec<Value> {
    if !binding.run.is_empty() {
        return binding.run.iter().map(|&value| root(plan, value)).collect();
    }
    let node = plan.graph().node(step.node).expect("it is the plan's");
    // An output may take the place of an input that is read no more.
    let inputs = if binding.access == Access::Read { &node.inputs[..] } else { &[] };
    let all = inputs.iter().chain(&node.outputs).map(|&value| root(plan, value));
    all.filter(|&value| plan.place(value) == Some(binding.place)).collect()
}

fn check_step(plan: &Plan, number: usize, step: &Step, memory: &mut Memory) {
    let (graph, caps) = (plan.graph(), plan.caps());
    let node = graph.node(step.node).expect("it is the plan's");
    let name = format!("{} \"{}\"", node.operator.name(), node.name);
    let types: Vec<_> = node.inputs.iter().map(|&v| &graph.value(v).expect("it is the plan's").ty).collect();
    let outputs = node.operator.infer(&types).unwrap_or_else(|e| panic!("{name}: {e}"));
    let known: Vec<_> = node.outputs.iter().map(|&v| graph.value(v).expect("it is the plan's")).collect();
    for (output, info) in outputs.iter().zip(&known) {
        assert_eq!(output.bytes(), info.ty.bytes(), "{name}");
        assert!(output.dtype == info.ty.dtype || info.ty.dtype != DType::F32, "{name}");
    }
    for dispatch in &plan.dispatches()[step.dispatches.clone()] {
        assert!(dispatch.bindings.len() <= caps.max_storage_buffers as usize, "{name}");
        assert!(dispatch.workgroups.iter().all(|&n| (1..=caps.max_workgroups).contains(&n)), "{name}");
        let mut used: Vec<(usize, Access)> = Vec::new();
        for binding in &dispatch.bindings {
            let values = values_of(plan, step, binding);
            assert!(binding.place.bytes() > 0 && binding.place.bytes() <= caps.max_binding_bytes, "{name}");
            let Place::Owned { buffer, offset, bytes } = binding.place else {
                assert!(values.iter().all(|&value| is_kept(plan, value)), "{name}");
                continue;
            };
            assert!(offset % 256 == 0 && offset + bytes <= plan.buffers()[buffer].bytes, "{name}");
            used.push((buffer, binding.access));
            if binding.access == Access::Read {
                let found = |value: Value| match plan.place(value) {
                    Some(Place::Owned { buffer, offset, bytes }) => {
                        memory.holds(buffer, offset, offset + bytes) == Some(Holds::At(value))
                    }
                    _ => false,
                };
                // What is no value is what the step wrote itself.
                let scratch = memory.holds(buffer, offset, offset + bytes) == Some(Holds::Scratch(number));
                let right = if binding.run.is_empty() {
                    values.iter().any(|&value| found(value)) || scratch
                } else {
                    values.iter().all(|&value| found(value))
                };
                assert!(right, "{name}: kernel {} reads what is not there", dispatch.kernel.name());
            }
        }
        for &(buffer, access) in &used {
            let other = used.iter().find(|other| other.0 == buffer && other.1 != access);
            assert!(other.is_none(), "{name} reads and writes buffer {buffer}");
        }
        for binding in dispatch.bindings.iter().filter(|binding| binding.access == Access::Write) {
            let values = values_of(plan, step, binding);
            for &value in &values {
                if let Some(Place::Owned { buffer, offset, bytes }) = plan.place(value) {
                    memory.write(buffer, offset, offset + bytes, Holds::At(value));
                }
            }
            if let (true, Place::Owned { buffer, offset, bytes }) = (values.is_empty(), binding.place) {
                memory.write(buffer, offset, offset + bytes, Holds::Scratch(number));
            }
        }
    }
}

/// Every node reads the version of a tensor that the graph says: what an update in place overwrites was read before,
/// and what it writes is read after it.
fn check_versions(plan: &Plan) {
    let graph = plan.graph();
    let mut newest: BTreeMap<Value, Value> = BTreeMap::new();
    for step in plan.steps() {
        let node = graph.node(step.node).expect("it is the plan's");
        for &input in &node.inputs {
            let version = behind_views(plan, input);
            let of_node =
                matches!(graph.value(version).expect("it is the plan's").source, Source::Node { .. });
            let found = newest.get(&root(plan, input)).copied();
            let expected = if of_node || found.is_some() { Some(version) } else { None };
            assert_eq!(found, expected, "{} \"{}\" reads {input:?}", node.operator.name(), node.name);
        }
        for &output in node.outputs.iter().filter(|_| !node.operator.is_view()) {
            newest.insert(root(plan, output), output);
        }
    }
}

fn behind_views(plan: &Plan, mut value: Value) -> Value {
    let graph = plan.graph();
    while let Source::Node { node, .. } = graph.value(value).expect("it is the plan's").source {
        let node = graph.node(node).expect("it is the plan's");
        if !node.operator.is_view() {
            break;
        }
        value = node.inputs[0];
    }
    value
}

/// Groups are all dispatches, in order, and no buffer of the plan is written and used in one.
fn check_groups(plan: &Plan) {
    let mut next = 0;
    for group in plan.groups() {
        assert!(group.start == next && group.end > next, "{:?}", plan.groups());
        next = group.end;
        let mut used: BTreeMap<usize, (usize, bool)> = BTreeMap::new();
        for (number, dispatch) in plan.dispatches()[group.clone()].iter().enumerate() {
            for binding in &dispatch.bindings {
                let Place::Owned { buffer, .. } = binding.place else { continue };
                let writes = binding.access == Access::Write;
                let (before, written) = *used.entry(buffer).or_insert((number, writes));
                assert!(before == number || !(writes || written), "{:?} meet in buffer {buffer}", group);
                used.insert(buffer, (before, written || writes));
            }
        }
    }
    assert_eq!(next, plan.dispatches().len());
    let starts =
        |ranges: &[std::ops::Range<usize>]| ranges.iter().map(|range| range.start).collect::<Vec<_>>();
    let (groups, passes) = (starts(plan.groups()), starts(plan.passes()));
    assert!(passes.iter().all(|start| groups.contains(start)), "{passes:?} of {groups:?}");
}

fn validate(name: &str, source: &str) {
    use naga::valid::{Capabilities, ValidationFlags, Validator};
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(source)));
    Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP)
        .validate(&module)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(source)));
}
