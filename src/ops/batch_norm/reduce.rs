//! The two reductions of normalisation over channels: the moments of the source, and the sums that a
//! gradient needs. Each is one dispatch where a channel is one part, and otherwise two.

use super::split::ChannelSplit;
use crate::error::Result;
use crate::op::{LowerContext, Operand};
use crate::shader::{Kernel, ShaderFile};
use crate::shader_file;

static MERGE_MOMENTS: ShaderFile = shader_file!("shared/moments");
static MOMENTS: ShaderFile = shader_file!("batch_norm_moments");
static MOMENTS_PARTS: ShaderFile = shader_file!("batch_norm_parts");
static MOMENTS_MERGE: ShaderFile = shader_file!("batch_norm_merge");
static CHANNEL_SUMS: ShaderFile = shader_file!("shared/channel_sums");
static SUMS: ShaderFile = shader_file!("batch_norm_grad_sums");
static SUMS_PARTS: ShaderFile = shader_file!("batch_norm_grad_parts");
static SUMS_MERGE: ShaderFile = shader_file!("batch_norm_grad_merge");

/// What follows from a channel's moments or sums: the files that define `finalize`, their constants, and
/// what they bind, in order.
pub(crate) struct Finalizer<'s> {
    pub files: &'s [&'static ShaderFile],
    pub constants: &'s [(&'static str, f32)],
    pub operands: Vec<Operand>,
}

impl Finalizer<'_> {
    fn set(&self, kernel: Kernel) -> Kernel {
        self.constants.iter().fold(kernel, |kernel, &(name, value)| kernel.with(name, value))
    }
}

/// Records the moments of each channel of `source`, and what follows from them.
pub(crate) fn moments(
    cx: &mut LowerContext<'_>,
    split: &ChannelSplit,
    source: Operand,
    finalizer: Finalizer<'_>,
) -> Result<()> {
    let mut files = vec![&MERGE_MOMENTS];
    files.extend(finalizer.files);
    if split.parts == 1 {
        files.push(&MOMENTS);
        let kernel = finalizer.set(split.kernel(cx, &files)?).iterations(split.iterations());
        cx.dispatch(kernel, &[vec![source], finalizer.operands].concat(), split.workgroups());
        return Ok(());
    }
    let partial = cx.temporary(split.pairs());
    let kernel =
        split.kernel(cx, &[&MERGE_MOMENTS, &MOMENTS_PARTS, &MOMENTS])?.iterations(split.iterations());
    cx.dispatch(kernel, &[source.clone(), partial.clone()], split.workgroups());
    files.push(&MOMENTS_MERGE);
    let kernel = finalizer.set(split.kernel(cx, &files)?).iterations(split.merge_iterations());
    cx.dispatch(kernel, &[vec![source, partial], finalizer.operands].concat(), split.channels);
    Ok(())
}

/// Two sums over each channel.
pub(crate) struct Sums<'s> {
    /// How the channels are cut over which the terms are summed.
    pub split: ChannelSplit,
    /// The files that define `terms`, their constants, and what they and `line` bind, in order.
    pub terms: &'s [&'static ShaderFile],
    pub constants: &'s [(&'static str, u32)],
    pub operands: Vec<Operand>,
    /// The file that defines `line_of`, and what it binds.
    pub line: (&'static ShaderFile, Option<Operand>),
    /// WGSL that the terms call.
    pub glue: &'s str,
}

impl Sums<'_> {
    /// Records them, and what follows from them.
    pub fn lower(self, cx: &mut LowerContext<'_>, finalizer: Finalizer<'_>) -> Result<()> {
        let split = &self.split;
        let (line, line_operand) = self.line;
        let mut files = vec![&CHANNEL_SUMS, line];
        files.extend(self.terms);
        let with_terms = |kernel: Kernel| {
            let constants = self.constants.iter();
            let kernel = constants.fold(kernel, |kernel, &(name, value)| kernel.with(name, value));
            kernel.joined(&[], self.glue).iterations(split.iterations())
        };
        if split.parts == 1 {
            files.extend(finalizer.files);
            files.push(&SUMS);
            let kernel = with_terms(finalizer.set(split.kernel(cx, &files)?));
            cx.dispatch(kernel, &[self.operands, finalizer.operands].concat(), split.workgroups());
            return Ok(());
        }
        let partial = cx.temporary(split.pairs());
        files.extend([&SUMS_PARTS, &SUMS]);
        let kernel = with_terms(split.kernel(cx, &files)?);
        cx.dispatch(kernel, &[self.operands, vec![partial.clone()]].concat(), split.workgroups());
        let mut files = vec![line];
        files.extend(finalizer.files);
        files.push(&SUMS_MERGE);
        let kernel = finalizer.set(split.kernel(cx, &files)?).iterations(split.merge_iterations());
        let operands: Vec<_> = line_operand.into_iter().chain([partial]).chain(finalizer.operands).collect();
        cx.dispatch(kernel, &operands, split.channels);
        Ok(())
    }
}
