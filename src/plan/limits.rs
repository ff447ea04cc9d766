//! Checks a plan against the adapter's limits, so that the error names a layer. A driver's would not.

use super::{Binding, Dispatch, Place, Plan, Step};
use crate::error::{Error, Result};
use crate::graph::Source;
use crate::op::MAX_ITERATIONS;

/// Workgroup counts in x, y and z whose product is at least `count`, each within the limit if possible.
pub(crate) fn fold(count: u64, limit: u32) -> [u32; 3] {
    // The check below refuses an adapter that allows none.
    let limit = u64::from(limit.max(1));
    let cap = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    if count <= limit {
        return [cap(count.max(1)), 1, 1];
    }
    let y = count.div_ceil(limit);
    if y <= limit {
        return [cap(count.div_ceil(y)), cap(y), 1];
    }
    let z = count.div_ceil(limit * limit);
    let y = count.div_ceil(limit.saturating_mul(z)).min(limit);
    [cap(count.div_ceil(y.saturating_mul(z))), cap(y), cap(z)]
}

/// Fails with the first limit that a plan exceeds. Limits that a smaller batch does not help against come first.
pub(crate) fn check(plan: &Plan) -> Result<()> {
    let mut found = Found { batch: batch(plan), largest: batch(plan), fixed: None, scaling: None };
    for step in &plan.steps {
        for dispatch in &plan.dispatches[step.dispatches.clone()] {
            check_buffers(plan, step, dispatch)?;
            check_bindings(plan, step, dispatch, &mut found);
            check_iterations(plan, step, dispatch, &mut found);
            check_workgroups(plan, step, dispatch, &mut found);
        }
    }
    let batch_helps = found.fixed.is_none();
    let Some((step, mut message)) = found.fixed.or(found.scaling) else { return check_inputs(plan) };
    let node = plan.graph.node_at(plan.steps[step].node);
    let largest_batch = (batch_helps && found.largest > 0).then_some(found.largest);
    if batch_helps && found.largest == 0 {
        message += "; a batch of 1 does not fit: make the layer smaller or choose another adapter";
    }
    Err(Error::Limit {
        operator: node.operator.name().to_owned(),
        node: node.name.clone(),
        message,
        largest_batch,
    })
}

/// Exceeded limits: the first of each kind, with the number of its step.
struct Found {
    batch: usize,
    /// The largest batch that fits the steps so far.
    largest: usize,
    /// Exceeded with any batch.
    fixed: Option<(usize, String)>,
    /// Exceeded with this batch.
    scaling: Option<(usize, String)>,
}

impl Found {
    /// Compares a step's need with the adapter's limit, and keeps the message if it is too much.
    fn note(
        &mut self,
        plan: &Plan,
        step: &Step,
        scales: bool,
        [needed, allowed]: [u64; 2],
        message: impl Fn() -> String,
    ) {
        if scales && self.batch > 0 {
            let per_image = needed.div_ceil(self.batch as u64);
            self.largest =
                self.largest.min(usize::try_from(allowed / per_image.max(1)).unwrap_or(usize::MAX));
        }
        let place = if scales { &mut self.scaling } else { &mut self.fixed };
        if needed > allowed && place.is_none() {
            // Steps are in the order of their nodes.
            let number = plan.steps.partition_point(|other| other.node < step.node);
            *place = Some((number, message()));
        }
    }
}

/// No dispatch may read a buffer and write another part of it: the GPU library tracks use by whole buffer. Slots are
/// packed accordingly. In an arena a graph may ask for it, by an update that no optimizer made.
fn check_buffers(plan: &Plan, step: &Step, dispatch: &Dispatch) -> Result<()> {
    let buffer = |place: Place| match place {
        Place::Owned { buffer, .. } => (false, buffer),
        Place::Stored { value, .. } => {
            (true, plan.arenas.places.get(&value).map_or(usize::MAX, |place| place.0))
        }
    };
    let bindings = &dispatch.bindings;
    let clash = |i: usize| {
        bindings[..i]
            .iter()
            .any(|b| b.access != bindings[i].access && buffer(b.place) == buffer(bindings[i].place))
    };
    if !(1..bindings.len()).any(clash) {
        return Ok(());
    }
    let node = plan.graph.node_at(step.node);
    Err(Error::Node {
        operator: node.operator.name().to_owned(),
        node: node.name.clone(),
        message: "reads one tensor and writes another in the same arena, where an update places both; copy one of them first, as an optimizer does".into(),
    })
}

/// Inputs and constants have buffers of their own even where no kernel reads them.
fn check_inputs(plan: &Plan) -> Result<()> {
    let limit = plan.caps.max_buffer_bytes;
    let too_large = |buffer: &&super::BufferPlan| buffer.value.is_some() && buffer.bytes > limit;
    let Some(buffer) = plan.buffers.iter().find(too_large) else { return Ok(()) };
    let info = buffer.value.map(|value| plan.graph.info(value));
    Err(Error::Value {
        name: info.map_or_else(String::new, |info| info.name.clone()),
        message: format!("takes {} bytes, the adapter's buffers hold {limit}", buffer.bytes),
    })
}

fn check_bindings(plan: &Plan, step: &Step, dispatch: &Dispatch, found: &mut Found) {
    let (kernel, caps) = (dispatch.kernel.name(), &plan.caps);
    let limit = caps.max_binding_bytes.min(caps.max_buffer_bytes);
    for binding in &dispatch.bindings {
        let bytes = binding.place.bytes();
        let scales = scales_with_batch(plan, binding.place, found.batch);
        found.note(plan, step, scales, [bytes, limit], || {
            let what = bound(plan, step, binding);
            let mut message = format!(
                "{what} takes {bytes} bytes, which kernel {kernel} binds at once; the adapter binds {limit}"
            );
            if !scales {
                message += ". Split the layer into several whose tensors fit, or choose an adapter that binds more; where the plan was made for WebGPU's default limits, plan for the device's own, which are often higher (`Device::caps`)";
            }
            message
        });
    }
    let (count, allowed) = (dispatch.bindings.len() as u64, u64::from(caps.max_storage_buffers));
    found.note(plan, step, false, [count, allowed], || {
        format!(
            "kernel {kernel} binds {count} storage buffers, the adapter allows {allowed}; choose another adapter: all that WebGPU runs on allow 8"
        )
    });
}

/// The largest tensor that a binding holds, by name.
fn bound(plan: &Plan, step: &Step, binding: &Binding) -> String {
    let graph = &plan.graph;
    let node = graph.node_at(step.node);
    let value = match &binding.run[..] {
        [] => {
            let mut values = node.inputs.iter().chain(&node.outputs);
            values.find(|&&value| plan.place(value) == Some(binding.place)).copied()
        }
        run => run.iter().max_by_key(|&&value| graph.info(value).ty.bytes()).copied(),
    };
    let Some(value) = value else { return "scratch memory".into() };
    let info = graph.info(graph.storage(value));
    let what = match info.source {
        Source::Parameter(_) => "parameter ",
        Source::State { .. } => "state ",
        Source::Input => "input ",
        _ => "",
    };
    let gradient = if what.is_empty() && !binding.run.is_empty() { "the gradient of " } else { what };
    format!("{gradient}\"{}\" {}", info.name, info.ty)
}

fn check_iterations(plan: &Plan, step: &Step, dispatch: &Dispatch, found: &mut Found) {
    let iterations = dispatch.kernel.max_iterations();
    found.note(plan, step, false, [iterations, MAX_ITERATIONS], || {
        format!(
            "kernel {} may loop {iterations} times in one invocation, drivers stop loops, so at most {MAX_ITERATIONS} are allowed; choose another variant or make the summed dimensions smaller",
            dispatch.kernel.name()
        )
    });
}

fn check_workgroups(plan: &Plan, step: &Step, dispatch: &Dispatch, found: &mut Found) {
    let limit = u64::from(plan.caps.max_workgroups);
    let counts = dispatch.workgroups.iter().map(|&n| u64::from(n));
    let needed = counts.fold(1u64, u64::saturating_mul);
    let allowed = limit.saturating_mul(limit).saturating_mul(limit);
    let scales = dispatch.bindings.iter().any(|b| scales_with_batch(plan, b.place, found.batch));
    found.note(plan, step, scales, [needed, allowed], || {
        format!("kernel {} needs {needed} workgroups, the adapter allows {allowed}", dispatch.kernel.name())
    });
}

/// The batch: the leading size of the first input.
fn batch(plan: &Plan) -> usize {
    plan.graph
        .values()
        .find(|(_, info)| matches!(info.source, Source::Input) && !info.ty.shape.is_empty())
        .map_or(0, |(_, info)| info.ty.shape[0])
}

/// Whether memory grows with the batch. Weights and their gradients don't; other memory does if its size is a
/// multiple of the batch.
fn scales_with_batch(plan: &Plan, place: Place, batch: usize) -> bool {
    match place {
        Place::Stored { .. } => false,
        Place::Owned { buffer, bytes, .. } => {
            plan.buffers[buffer].kind != super::BufferKind::Gradients
                && batch > 0
                && bytes % (4 * batch as u64) == 0
        }
    }
}
