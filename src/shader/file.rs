//! A WGSL file, and what there is to know of it: its head, and the parts that it needs.

use super::constant::{Access, binding, stated_iterations};
use super::head::{Head, Hole};
use super::library;
use std::fmt;
use std::sync::OnceLock;

/// A WGSL file: a kernel, which has the entry point `main`, or a part that kernels are joined with.
///
/// The first lines say what it is joined with, in comments that begin with `//!`: the parts it `uses`, the holes
/// that it leaves open for others, and the holes that it `fills`. `shaders/README.md` lists the crate's own.
///
/// ```
/// use wgrad::shader::{Kernel, ShaderFile};
///
/// static SCALE: ShaderFile = ShaderFile::new(
///     "scale",
///     "//! uses group
/// @group(0) @binding(0) var<storage, read> source: array<f32>;
/// @group(0) @binding(1) var<storage, read_write> result: array<f32>;
///
/// const ELEMENTS: u32 = 64u; // shape
/// const FACTOR: f32 = 1.0; // tunable
///
/// @compute @workgroup_size(64)
/// fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
///     let i = group_number(group, groups) * 64u + lane;
///     if (i < ELEMENTS) {
///         result[i] = FACTOR * source[i];
///     }
/// }
/// ",
/// );
///
/// let kernel = Kernel::new(&SCALE).with("ELEMENTS", 1000u32).with("FACTOR", 0.5f32);
/// assert!(kernel.source()?.contains("const ELEMENTS: u32 = 1000u;"));
/// # Ok::<(), wgrad::Error>(())
/// ```
pub struct ShaderFile {
    name: &'static str,
    path: &'static str,
    text: &'static str,
    uses: Uses,
    read: OnceLock<Read>,
}

/// The parts that a file uses. A file of the crate holds them, so that a program has no others; a caller's file is read
/// when it is first joined.
enum Uses {
    Known(&'static [&'static ShaderFile]),
    Named(fn(&str) -> Option<&'static ShaderFile>),
}

/// What was found in a file's text.
struct Read {
    head: Head,
    /// The parts that the file needs, each once, used ones before their users.
    needs: Vec<&'static ShaderFile>,
    bindings: Vec<(u32, Access)>,
    iterations: u64,
    /// What is wrong with the head.
    problem: Option<String>,
}

impl ShaderFile {
    /// A file of the caller's own. Its name is what errors, plans and profiles call its kernel.
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        ShaderFile { name, path: name, text, uses: Uses::Named(ShaderFile::part), read: OnceLock::new() }
    }

    /// A file of the crate.
    pub(super) const fn own(
        name: &'static str,
        path: &'static str,
        text: &'static str,
        uses: &'static [&'static ShaderFile],
    ) -> Self {
        ShaderFile { name, path, text, uses: Uses::Known(uses), read: OnceLock::new() }
    }

    /// The crate's part of this name, such as `pack_4`.
    pub fn part(name: &str) -> Option<&'static ShaderFile> {
        ShaderFile::parts().iter().copied().find(|part| part.name == name)
    }

    /// The crate's parts.
    pub fn parts() -> &'static [&'static ShaderFile] {
        library::parts::ALL
    }

    /// The crate's kernels.
    pub fn kernels() -> &'static [&'static ShaderFile] {
        library::kernels::ALL
    }

    /// The name, by which other files use it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Path below `shaders/`, without the ending, such as `parts/common/group`; of other files than the crate's
    /// the name.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// The text.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// Whether it is the crate's, whose tests run it.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self.uses, Uses::Known(_))
    }

    /// Names of the parts that it uses.
    pub fn uses(&self) -> &[&'static str] {
        &self.read().head.uses
    }

    /// The parts that a file of the crate uses.
    #[cfg(test)]
    pub(super) fn known(&self) -> &'static [&'static ShaderFile] {
        match self.uses {
            Uses::Known(known) => known,
            Uses::Named(_) => &[],
        }
    }

    /// What it leaves open for other files.
    pub fn holes(&self) -> &[Hole] {
        &self.read().head.holes
    }

    /// Names of the holes that it fills.
    pub fn fills(&self) -> &[&'static str] {
        &self.read().head.fills
    }

    /// The parts that the head says have holes that stay open, and which.
    pub fn open(&self) -> &[(&'static str, Vec<&'static str>)] {
        &self.read().head.open
    }

    /// The parts that it needs, used ones before their users.
    pub(super) fn needs(&self) -> &[&'static ShaderFile] {
        &self.read().needs
    }

    pub(super) fn bindings(&self) -> &[(u32, Access)] {
        &self.read().bindings
    }

    pub(super) fn problem(&self) -> Option<&str> {
        self.read().problem.as_deref()
    }

    /// Upper bound on the loop iterations of one call of a function of this file: the sum over the lines that
    /// end in `// at most N iterations`, here and in the parts that it needs.
    pub fn iterations(&self) -> u64 {
        self.read().iterations
    }

    fn read(&self) -> &Read {
        self.read.get_or_init(|| {
            let (head, mut problem) = match Head::parse(self.text) {
                Ok(head) => (head, None),
                Err(problem) => (Head::default(), Some(problem)),
            };
            let mut uses: Vec<&'static ShaderFile> = Vec::new();
            match self.uses {
                Uses::Known(known) => uses.extend(known),
                Uses::Named(find) => {
                    for &name in &head.uses {
                        match find(name) {
                            Some(part) => uses.push(part),
                            None => {
                                problem = Some(format!("it uses {name}, and there is no part of that name"))
                            }
                        }
                    }
                }
            }
            let mut needs: Vec<&'static ShaderFile> = Vec::new();
            for part in uses {
                part.needs().iter().copied().chain([part]).for_each(|part| add(&mut needs, part));
            }
            let own: u64 = self.text.lines().filter_map(stated_iterations).sum();
            let iterations =
                needs.iter().map(|part| part.text.lines().filter_map(stated_iterations).sum::<u64>());
            Read {
                iterations: own + iterations.sum::<u64>(),
                bindings: self.text.lines().filter_map(binding).collect(),
                head,
                needs,
                problem,
            }
        })
    }
}

/// Adds a file unless it is there.
pub(super) fn add(files: &mut Vec<&'static ShaderFile>, file: &'static ShaderFile) {
    if !files.iter().any(|known| std::ptr::eq(*known, file)) {
        files.push(file);
    }
}

impl fmt::Debug for ShaderFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShaderFile").field("path", &self.path).finish_non_exhaustive()
    }
}
