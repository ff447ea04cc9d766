//! The two reductions of normalisation over channels: the moments of the source, and the sums that a
//! gradient needs. Each is one dispatch where a channel is one part, and otherwise two.

use super::cut::Cut;
use crate::error::Result;
use crate::plan::{Lower, Operand};
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

/// What follows from a channel's moments or sums: the files that define `conclude`, their constants, and
/// what they bind, in order.
pub(crate) struct Conclusion<'s> {
    pub files: &'s [&'static ShaderFile],
    pub constants: &'s [(&'static str, f32)],
    pub operands: Vec<Operand>,
}

impl Conclusion<'_> {
    fn set(&self, kernel: Kernel) -> Kernel {
        self.constants.iter().fold(kernel, |kernel, &(name, value)| kernel.with(name, value))
    }
}

/// Records the moments of each channel of `source`, and what follows from them.
pub(crate) fn moments(
    cx: &mut Lower<'_>,
    cut: &Cut,
    source: Operand,
    conclusion: Conclusion<'_>,
) -> Result<()> {
    let mut files = vec![&MERGE_MOMENTS];
    files.extend(conclusion.files);
    if cut.parts == 1 {
        files.push(&MOMENTS);
        let kernel = conclusion.set(cut.kernel(cx, &files)?).iterations(cut.iterations());
        cx.dispatch(kernel, &[vec![source], conclusion.operands].concat(), cut.workgroups());
        return Ok(());
    }
    let partial = cx.temporary(cut.pairs());
    let kernel = cut.kernel(cx, &[&MERGE_MOMENTS, &MOMENTS_PARTS, &MOMENTS])?.iterations(cut.iterations());
    cx.dispatch(kernel, &[source.clone(), partial.clone()], cut.workgroups());
    files.push(&MOMENTS_MERGE);
    let kernel = conclusion.set(cut.kernel(cx, &files)?).iterations(cut.merge_iterations());
    cx.dispatch(kernel, &[vec![source, partial], conclusion.operands].concat(), cut.channels);
    Ok(())
}

/// Two sums over each channel.
pub(crate) struct Sums<'s> {
    /// How the channels are cut over which the terms are summed.
    pub cut: Cut,
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
    pub fn lower(self, cx: &mut Lower<'_>, conclusion: Conclusion<'_>) -> Result<()> {
        let cut = &self.cut;
        let (line, line_operand) = self.line;
        let mut files = vec![&CHANNEL_SUMS, line];
        files.extend(self.terms);
        let with_terms = |kernel: Kernel| {
            let constants = self.constants.iter();
            let kernel = constants.fold(kernel, |kernel, &(name, value)| kernel.with(name, value));
            kernel.joined(&[], self.glue).iterations(cut.iterations())
        };
        if cut.parts == 1 {
            files.extend(conclusion.files);
            files.push(&SUMS);
            let kernel = with_terms(conclusion.set(cut.kernel(cx, &files)?));
            cx.dispatch(kernel, &[self.operands, conclusion.operands].concat(), cut.workgroups());
            return Ok(());
        }
        let partial = cx.temporary(cut.pairs());
        files.extend([&SUMS_PARTS, &SUMS]);
        let kernel = with_terms(cut.kernel(cx, &files)?);
        cx.dispatch(kernel, &[self.operands, vec![partial.clone()]].concat(), cut.workgroups());
        let mut files = vec![line];
        files.extend(conclusion.files);
        files.push(&SUMS_MERGE);
        let kernel = conclusion.set(cut.kernel(cx, &files)?).iterations(cut.merge_iterations());
        let operands: Vec<_> = line_operand.into_iter().chain([partial]).chain(conclusion.operands).collect();
        cx.dispatch(kernel, &operands, cut.channels);
        Ok(())
    }
}
