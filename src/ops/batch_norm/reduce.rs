//! The two reductions of normalisation over channels: the moments of the source, and the sums for a gradient. Each is
//! one dispatch if a channel is one part, and otherwise two.

use super::split::ChannelSplit;
use crate::error::Result;
use crate::op::{LowerContext, Operand};
use crate::shader::{Kernel, ShaderFile, kernels, parts};

/// What follows from a channel's moments or sums: the files that fill `finalize` and its own holes, their constants,
/// and what they bind, in order.
pub(crate) struct Finalizer<'s> {
    pub files: &'s [&'static ShaderFile],
    pub constants: &'s [(&'static str, f32)],
    pub operands: Vec<Operand>,
}

impl Finalizer<'_> {
    fn fill(&self, kernel: Kernel) -> Kernel {
        let kernel = kernel.fill_all(self.files.iter().copied());
        self.constants.iter().fold(kernel, |kernel, &(name, value)| kernel.with(name, value))
    }
}

/// Records the moments of each channel of `source`, and the finalizer.
pub(crate) fn moments(
    cx: &mut LowerContext<'_>,
    split: &ChannelSplit,
    source: Operand,
    finalizer: Finalizer<'_>,
) -> Result<()> {
    let kernel = split.kernel(cx, &kernels::batch_norm_moments)?.iterations(split.iterations());
    if split.parts == 1 {
        let kernel = finalizer.fill(kernel);
        cx.dispatch(kernel, &[vec![source], finalizer.operands].concat(), split.workgroups());
        return Ok(());
    }
    let partial = cx.temporary(split.pairs());
    let kernel = kernel.fill(&parts::batch_norm_parts);
    cx.dispatch(kernel, &[source.clone(), partial.clone()], split.workgroups());
    let kernel =
        finalizer.fill(split.kernel(cx, &kernels::batch_norm_merge)?).iterations(split.merge_iterations());
    cx.dispatch(kernel, &[vec![source, partial], finalizer.operands].concat(), split.channels);
    Ok(())
}

/// Two sums over each channel.
pub(crate) struct Sums<'s> {
    /// The division of channels into parts.
    pub split: ChannelSplit,
    /// The file that defines `terms`, its constants, and what it and `line` bind, in order.
    pub terms: &'static ShaderFile,
    pub constants: &'s [(&'static str, u32)],
    pub operands: Vec<Operand>,
    /// What is known of each channel.
    pub line: Option<Operand>,
    /// WGSL of `weight_at`, which the terms may call.
    pub weight_at: Option<String>,
}

impl Sums<'_> {
    /// Records the sums, and the finalizer.
    pub(crate) fn lower(self, cx: &mut LowerContext<'_>, finalizer: Finalizer<'_>) -> Result<()> {
        let split = &self.split;
        let line = self.line.is_some().then_some(&parts::channel_line);
        let kernel = split
            .kernel(cx, &kernels::batch_norm_grad_sums)?
            .fill(self.terms)
            .fill_all(line)
            .iterations(split.iterations());
        let constants = self.constants.iter();
        let mut kernel = constants.fold(kernel, |kernel, &(name, value)| kernel.with(name, value));
        if let Some(text) = self.weight_at {
            kernel = kernel.fill_written(&["weight_at"], &[], text);
        }
        if split.parts == 1 {
            let operands = [self.operands, finalizer.operands.clone()].concat();
            cx.dispatch(finalizer.fill(kernel), &operands, split.workgroups());
            return Ok(());
        }
        let partial = cx.temporary(split.pairs());
        let kernel = kernel.fill(&parts::batch_norm_grad_parts);
        cx.dispatch(kernel, &[self.operands, vec![partial.clone()]].concat(), split.workgroups());
        let kernel = split.kernel(cx, &kernels::batch_norm_grad_merge)?.fill_all(line);
        let kernel = finalizer.fill(kernel).iterations(split.merge_iterations());
        let operands: Vec<_> = self.line.into_iter().chain([partial]).chain(finalizer.operands).collect();
        cx.dispatch(kernel, &operands, split.channels);
        Ok(())
    }
}
