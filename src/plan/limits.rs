//! Checks a plan against the adapter's limits, so that a layer is named here and not in a driver.

use super::{Dispatch, MAX_ITERATIONS, Place, Plan, Step};
use crate::error::{Error, Result};
use crate::graph::Source;

/// Workgroup counts in x, y and z whose product is at least `count`, each within the limit where
/// that is possible.
pub(crate) fn fold(count: u64, limit: u32) -> [u32; 3] {
    let limit = u64::from(limit);
    let cap = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    if count <= limit {
        return [cap(count.max(1)), 1, 1];
    }
    let y = count.div_ceil(limit);
    if y <= limit {
        return [cap(count.div_ceil(y)), cap(y), 1];
    }
    let z = count.div_ceil(limit * limit);
    let y = count.div_ceil(limit * z).min(limit);
    [cap(count.div_ceil(y * z)), cap(y), cap(z)]
}

/// The first limit that a plan exceeds, as an error.
pub(crate) fn check(plan: &Plan) -> Result<()> {
    let batch = batch(plan);
    let mut largest = batch;
    let mut found: Option<(String, String, String)> = None;
    let mut exceeds = |step: &Step, scales: bool, needed: u64, allowed: u64, message: &dyn Fn() -> String| {
        if scales && batch > 0 {
            let per_image = needed.div_ceil(batch as u64);
            largest = largest.min(usize::try_from(allowed / per_image.max(1)).unwrap_or(usize::MAX));
        }
        if needed <= allowed {
            return;
        }
        if !scales {
            largest = 0;
        }
        if found.is_none() {
            let node = plan.graph.node(step.node);
            found = Some((node.operator.name().to_owned(), node.name.clone(), message()));
        }
    };
    for step in &plan.steps {
        for dispatch in &plan.dispatches[step.dispatches.clone()] {
            let kernel = dispatch.kernel.name();
            let limit = plan.caps.max_binding_bytes.min(plan.caps.max_buffer_bytes);
            for binding in &dispatch.bindings {
                let bytes = binding.place.bytes();
                exceeds(step, scales_with_batch(plan, binding.place, batch), bytes, limit, &|| {
                    format!("kernel {kernel} binds a buffer of {bytes} bytes, the adapter allows {limit}")
                });
            }
            let count = dispatch.bindings.len() as u64;
            let allowed = u64::from(plan.caps.max_storage_buffers);
            exceeds(step, false, count, allowed, &|| {
                format!("kernel {kernel} binds {count} storage buffers, the adapter allows {allowed}")
            });
            let iterations = dispatch.kernel.max_iterations();
            exceeds(step, false, iterations, MAX_ITERATIONS, &|| {
                format!(
                    "kernel {kernel} may loop {iterations} times in one invocation, drivers stop loops, so at most {MAX_ITERATIONS} are allowed; choose another variant or make the summed dimensions smaller"
                )
            });
            check_workgroups(plan, step, dispatch, batch, &mut exceeds);
        }
    }
    match found {
        None => Ok(()),
        Some((operator, node, message)) => {
            Err(Error::Limit { operator, node, message, largest_batch: (largest > 0).then_some(largest) })
        }
    }
}

type Exceeds<'a> = dyn FnMut(&Step, bool, u64, u64, &dyn Fn() -> String) + 'a;

fn check_workgroups(plan: &Plan, step: &Step, dispatch: &Dispatch, batch: usize, exceeds: &mut Exceeds<'_>) {
    let limit = u64::from(plan.caps.max_workgroups);
    let needed: u64 = dispatch.workgroups.iter().map(|&n| u64::from(n)).product();
    let allowed = limit.saturating_mul(limit).saturating_mul(limit);
    let scales = dispatch.bindings.iter().any(|b| scales_with_batch(plan, b.place, batch));
    exceeds(step, scales, needed, allowed, &|| {
        format!("kernel {} needs {needed} workgroups, the adapter allows {allowed}", dispatch.kernel.name())
    });
}

/// The leading size of the first input: what a user would call the batch.
fn batch(plan: &Plan) -> usize {
    plan.graph
        .values()
        .find(|(_, info)| matches!(info.source, Source::Input) && !info.kind.shape.is_empty())
        .map_or(0, |(_, info)| info.kind.shape[0])
}

/// Whether memory grows with the batch. Weights and their gradients don't; the rest does when it
/// is a whole multiple of it.
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
