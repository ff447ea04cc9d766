//! Finds, joins and parametrises WGSL.
//!
//! A kernel is a file with the entry point `main`, the parts that its head says it uses, and files that fill the holes
//! that it leaves open. All their texts are joined, each once, and the values of constants are set. The grammar of heads
//! stands in `head`, the crate's files in `library`.
//!
//! A constant that may be set stands alone on a line and ends in a comment that says so:
//!
//! ```wgsl
//! const TILE_M: u32 = 64u; // tunable
//! const CHANNELS: u32 = 1u; // shape
//! ```
//!
//! Only the right-hand side is rewritten, so every file reads as plain WGSL.
//!
//! Drivers stop long loops, so a kernel states how many loop iterations one invocation makes at most
//! ([`Kernel::iterations`]), and a function that elements pass through says so on the loop's own line.
//! Tensor shapes are baked in like tunables: divisions by them cost a multiplication, loops over
//! them unroll, and no uniform buffer has to be bound.

mod constant;
mod file;
mod half;
mod head;
mod library;
mod report;
#[cfg(test)]
mod tests;

pub use constant::{Access, Constant};
pub use file::ShaderFile;
pub use head::{Function, Hole};
pub(crate) use library::{kernels, parts};

use crate::error::{Error, Result};
use constant::{binding, settable};
use file::add;
use report::with_report;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A kernel: joined files, the values of their constants, and text that Rust wrote.
///
/// ```
/// use wgrad::shader::{Kernel, ShaderFile};
///
/// static TWICE: ShaderFile = ShaderFile::new(
///     "twice",
///     "//! hole value_of(x: f32) -> f32 { return x; }
/// //!     by half
/// @group(0) @binding(0) var<storage, read_write> data: array<f32>;
///
/// @compute @workgroup_size(64)
/// fn main(@builtin(global_invocation_id) id: vec3<u32>) {
///     if (id.x < arrayLength(&data)) {
///         data[id.x] = 2.0 * value_of(data[id.x]);
///     }
/// }
/// ",
/// );
/// static HALF: ShaderFile =
///     ShaderFile::new("half", "//! fills value_of\nfn value_of(x: f32) -> f32 {\n    return 0.5 * x;\n}\n");
///
/// assert!(Kernel::new(&TWICE).source()?.contains("return x;"));
/// assert!(Kernel::new(&TWICE).fill(&HALF).source()?.contains("return 0.5 * x;"));
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Kernel {
    name: &'static str,
    /// The files that were asked for: the one with `main`, and those that fill holes.
    asked: Vec<&'static ShaderFile>,
    /// Those and what they need, in the order they are joined: the one with `main` last.
    files: Vec<&'static ShaderFile>,
    constants: Vec<(&'static str, Constant)>,
    written: Vec<Written>,
    /// Loop iterations of one invocation at most, without those within `epilogue`.
    iterations: u64,
    /// Calls of `epilogue` by one invocation at most, and the loop iterations of each.
    epilogue: (u64, u64),
    /// Whether `main` ends with a report to the numerics watch.
    reports: bool,
    /// The number of the first workgroup.
    first_group: u32,
    /// Bindings that hold f16.
    halves: Vec<u32>,
}

/// Text that Rust wrote, and the holes that it fills.
#[derive(Clone, Debug)]
struct Written {
    fills: &'static [&'static str],
    text: String,
    /// Whether it is the crate's.
    own: bool,
}

impl Kernel {
    /// The kernel of a file with `main`, and what that needs.
    pub fn new(main: &'static ShaderFile) -> Self {
        let mut files = main.needs().to_vec();
        files.push(main);
        Kernel {
            name: main.name(),
            asked: vec![main],
            files,
            constants: Vec::new(),
            written: Vec::new(),
            iterations: 0,
            epilogue: (1, 0),
            reports: false,
            first_group: 0,
            halves: Vec::new(),
        }
    }

    /// Fills one or more of the holes with a file, and joins what that needs.
    #[must_use]
    pub fn fill(mut self, file: &'static ShaderFile) -> Self {
        self.asked.push(file);
        self.join(file)
    }

    /// [`Kernel::fill`] with several files; an option is none or one.
    #[must_use]
    pub fn fill_all(self, files: impl IntoIterator<Item = &'static ShaderFile>) -> Self {
        files.into_iter().fold(self, Kernel::fill)
    }

    /// Fills holes with text, such as what an operator writes for the number of its inputs.
    #[must_use]
    pub fn fill_text(mut self, fills: &'static [&'static str], text: String) -> Self {
        self.written.push(Written { fills, text, own: false });
        self
    }

    /// [`Kernel::fill_text`] by the crate, with text that uses these files.
    pub(crate) fn fill_written(
        mut self,
        fills: &'static [&'static str],
        uses: &[&'static ShaderFile],
        text: String,
    ) -> Self {
        self.written.push(Written { fills, text, own: true });
        uses.iter().fold(self, |kernel, file| kernel.join(file))
    }

    fn join(mut self, file: &'static ShaderFile) -> Self {
        let main = self.files.pop().expect("a kernel has at least one file");
        for part in file.needs().iter().copied().chain([file, main]) {
            add(&mut self.files, part);
        }
        self
    }

    /// Gives the kernel another name than its file's, for plans, profiles and errors.
    #[must_use]
    pub fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Sets a constant.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Constant>) -> Self {
        self.constants.push((name, value.into()));
        self
    }

    /// Adds to the upper bound on the loop iterations of one invocation: all loops together, nested and
    /// successive ones and those of the functions it calls, except within `epilogue`. A kernel without loops
    /// states nothing.
    #[must_use]
    pub fn iterations(mut self, most: u64) -> Self {
        self.iterations = self.iterations.saturating_add(most);
        self
    }

    /// States how often one invocation calls `epilogue` at most; once otherwise.
    #[must_use]
    pub fn epilogue_calls(mut self, calls: u64) -> Self {
        self.epilogue.0 = calls;
        self
    }

    /// Adds to the loop iterations of one call of `epilogue`.
    pub(crate) fn epilogue_iterations(mut self, most: u64) -> Self {
        self.epilogue.1 = self.epilogue.1.saturating_add(most);
        self
    }

    /// Upper bound on the loop iterations of one invocation: see [`Kernel::iterations`]. A plan compares it
    /// with [`MAX_ITERATIONS`](crate::op::MAX_ITERATIONS).
    pub fn max_iterations(&self) -> u64 {
        self.iterations.saturating_add(self.epilogue.0.saturating_mul(self.epilogue.1))
    }

    /// Calls `report_watch` of the part `watch` wherever `main` ends; magnitudes count from these bits on.
    pub(crate) fn reporting(mut self, least_bits: i32) -> Self {
        self.reports = true;
        self.with("LEAST_BITS", least_bits)
    }

    /// Begins with another workgroup than the first, for a part of a split dispatch. The kernel has to find its number by
    /// the part `group`.
    pub(crate) fn starting_at(mut self, first: u32) -> Self {
        self.first_group = first;
        self
    }

    /// Lets the bindings of these numbers hold f16, which the kernel converts where it loads and stores; it computes in
    /// f32.
    ///
    /// # Errors
    /// As [`Kernel::source`]; a binding that can't.
    pub(crate) fn with_f16(&self, bindings: &[u32]) -> Result<Kernel> {
        let kernel = Kernel { halves: bindings.to_vec(), ..self.clone() };
        kernel.source()?;
        Ok(kernel)
    }

    /// The name: that of the file with `main`, unless it was given another.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The files, in the order they are joined.
    pub fn files(&self) -> &[&'static ShaderFile] {
        &self.files
    }

    /// Whether a file is joined.
    pub(crate) fn has(&self, file: &'static ShaderFile) -> bool {
        self.files.iter().any(|known| std::ptr::eq(*known, file))
    }

    /// Whether all of it is the crate's, whose tests run it.
    pub(crate) fn is_own(&self) -> bool {
        self.files.iter().all(|file| file.is_own()) && self.written.iter().all(|written| written.own)
    }

    /// Checks that every name is that of a file, every hole filled once, and every file that was to fill one does.
    ///
    /// # Errors
    /// The name, the hole or the file.
    pub fn check(&self) -> Result<()> {
        for file in &self.files {
            if let Some(problem) = file.problem() {
                return Err(self.error(format!("{}: {problem}", file.path())));
            }
            for hole in file.holes() {
                let fillers = self.fillers(hole.name);
                if fillers > 1 || (fillers == 0 && !hole.has_default()) {
                    return Err(self.error(format!(
                        "hole {} of {} is filled {fillers} times, expected once, by {}",
                        hole.name,
                        file.path(),
                        hole.by.join(", ")
                    )));
                }
            }
        }
        if let Some(file) =
            self.asked[1..].iter().find(|file| !file.fills().iter().any(|name| self.leaves(name)))
        {
            let expected = format!("it fills {:?}, none of which the other files leave open", file.fills());
            return Err(self.error(format!("{} fills no hole: {expected}", file.path())));
        }
        match self.written.iter().flat_map(|written| written.fills).find(|name| !self.leaves(name)) {
            Some(name) => Err(self.error(format!("no file leaves a hole {name} open"))),
            None => Ok(()),
        }
    }

    /// How many files and texts fill a hole.
    fn fillers(&self, name: &str) -> usize {
        let files = self.files.iter().filter(|file| file.fills().contains(&name));
        files.count() + self.written.iter().filter(|written| written.fills.contains(&name)).count()
    }

    /// Whether a file leaves a hole of this name open.
    fn leaves(&self, name: &str) -> bool {
        self.files.iter().any(|file| file.holes().iter().any(|hole| hole.name == name))
    }

    /// The holes that neither a file nor text fills nor a default closes, and whose they are.
    pub fn open(&self) -> Vec<(&'static ShaderFile, &'static Hole)> {
        let holes = self.files.iter().flat_map(|&file| file.holes().iter().map(move |hole| (file, hole)));
        holes.filter(|(_, hole)| !hole.has_default() && self.fillers(hole.name) == 0).collect()
    }

    /// The WGSL text as the driver gets it.
    ///
    /// # Errors
    /// As [`Kernel::check`]; a constant that no file declares as settable, declares with another type, or that is
    /// set twice.
    pub fn source(&self) -> Result<String> {
        self.check()?;
        let mut text = String::new();
        let mut used = vec![0usize; self.constants.len()];
        let mut directives = BTreeSet::new();
        for file in &self.files {
            let _ = writeln!(text, "// {}.wgsl", file.path());
            directives.extend(file.text().lines().filter(|line| is_directive(line)));
            for line in file.text().lines().filter(|line| !is_directive(line)) {
                text.push_str(&self.set(line, &mut used)?);
                text.push('\n');
            }
        }
        for written in &self.written {
            text.push_str(&written.text);
        }
        let holes = self.files.iter().flat_map(|file| file.holes());
        for function in holes.filter(|hole| self.fillers(hole.name) == 0).flat_map(|hole| &hole.functions) {
            let _ =
                writeln!(text, "fn {} {{\n    {}\n}}", function.signature, function.body.unwrap_or_default());
        }
        if self.reports {
            text = with_report(&text);
        }
        if self.first_group > 0 {
            text = text.replace(GROUP_NUMBER, &format!("return {}u + group.x + ", self.first_group));
        }
        if !self.halves.is_empty() {
            let text_in_halves = half::with_halves(&text, &self.halves);
            let refused = || self.error(format!("bindings {:?} can't hold f16", self.halves));
            text = text_in_halves.ok_or_else(refused)?;
            directives.insert("enable f16;");
        }
        if !directives.is_empty() {
            let directives: Vec<&str> = directives.into_iter().rev().collect();
            text.insert_str(0, &(directives.join("\n") + "\n"));
        }
        match used.iter().position(|&count| count != 1) {
            None => Ok(text),
            Some(i) => Err(self.error(format!(
                "constant {} is declared {} times, expected once",
                self.constants[i].0, used[i]
            ))),
        }
    }

    /// A line of a file, with the value of the constant that it declares, if that is set; counts how often each is.
    fn set<'l>(&self, line: &'l str, used: &mut [usize]) -> Result<Cow<'l, str>> {
        let Some((name, kind)) = settable(line) else { return Ok(line.into()) };
        let Some(at) = self.constants.iter().position(|(constant, _)| *constant == name) else {
            return Ok(line.into());
        };
        let value = self.constants[at].1;
        if value.wgsl_type() != kind {
            return Err(self.error(format!("constant {name} is {kind}, not {}", value.wgsl_type())));
        }
        used[at] += 1;
        Ok(format!("const {name}: {kind} = {value};").into())
    }

    /// The text as browsers and other strict compilers want it: one that uses subgroups says so
    /// first. The native library's compiler does not know that line and refuses it.
    ///
    /// # Errors
    /// As [`Kernel::source`].
    pub fn strict_source(&self) -> Result<String> {
        let source = self.source()?;
        Ok(if source.contains("subgroup_invocation_id") {
            format!("enable subgroups;\n{source}")
        } else {
            source
        })
    }

    /// The storage bindings that the text declares: number and access, by number.
    ///
    /// # Errors
    /// As [`Kernel::check`]; a binding declared twice.
    pub fn bindings(&self) -> Result<Vec<(u32, Access)>> {
        self.check()?;
        let of_files = self.files.iter().flat_map(|file| file.bindings()).copied();
        let of_text = self.written.iter().flat_map(|written| written.text.lines().filter_map(binding));
        let mut bindings: Vec<(u32, Access)> = of_files.chain(of_text).collect();
        bindings.sort_by_key(|&(index, _)| index);
        if let Some(pair) = bindings.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(self.error(format!("binding {} is declared twice", pair[0].0)));
        }
        Ok(bindings)
    }

    fn error(&self, message: String) -> Error {
        Error::Shader { shader: self.name.to_owned(), message }
    }
}

/// Whether a line is a directive, which stands before all declarations of the joined text.
fn is_directive(line: &str) -> bool {
    line.starts_with("enable ") || line.starts_with("diagnostic(")
}

/// The start of the line in which the part `group` computes a workgroup's number.
const GROUP_NUMBER: &str = "return group.x + ";
