//! Finds, joins and parametrises WGSL.
//!
//! A kernel is a list of files whose texts are concatenated, and values for their constants.
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

use crate::error::{Error, Result};
use std::fmt;
use std::sync::OnceLock;

/// A WGSL file of the crate.
#[derive(Debug)]
pub struct ShaderFile {
    /// Path below `shaders/`, without the ending: `shared/philox`.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
    /// The storage bindings that the text declares, once they were looked for.
    declared: OnceLock<Vec<(u32, Access)>>,
}

impl ShaderFile {
    /// A file of this name and text.
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        ShaderFile { name, text, declared: OnceLock::new() }
    }

    fn bindings(&self) -> &[(u32, Access)] {
        self.declared.get_or_init(|| self.text.lines().filter_map(binding).collect())
    }
}

impl ShaderFile {
    /// Upper bound on the loop iterations of one call of a function of this file: the sum over the lines that
    /// end in `// at most N iterations`.
    pub fn iterations(&self) -> u64 {
        let stated = |line: &str| {
            let (_, count) = line.rsplit_once("// at most ")?;
            count.strip_suffix(" iterations")?.parse::<u64>().ok()
        };
        self.text.lines().filter_map(stated).sum()
    }
}

/// Names a file below `shaders/` and takes in its text when the crate is built.
#[macro_export]
#[doc(hidden)]
macro_rules! shader_file {
    ($name:literal) => {
        $crate::shader::ShaderFile::new(
            $name,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $name, ".wgsl")),
        )
    };
}

/// Value of a constant in a shader.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Constant {
    /// `u32`
    U32(u32),
    /// `i32`
    I32(i32),
    /// `f32`, kept as bits so that a kernel can be compared and hashed.
    F32(u32),
    /// `bool`
    Bool(bool),
}

impl From<u32> for Constant {
    fn from(value: u32) -> Self {
        Constant::U32(value)
    }
}
impl From<i32> for Constant {
    fn from(value: i32) -> Self {
        Constant::I32(value)
    }
}
impl From<f32> for Constant {
    fn from(value: f32) -> Self {
        Constant::F32(value.to_bits())
    }
}
impl From<bool> for Constant {
    fn from(value: bool) -> Self {
        Constant::Bool(value)
    }
}

impl Constant {
    fn wgsl_type(self) -> &'static str {
        match self {
            Constant::U32(_) => "u32",
            Constant::I32(_) => "i32",
            Constant::F32(_) => "f32",
            Constant::Bool(_) => "bool",
        }
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Constant::U32(value) => write!(f, "{value}u"),
            Constant::I32(value) => write!(f, "i32({value})"),
            // A decimal that reads back as exactly this number: naga evaluates no bitcast in a constant.
            // The shortest for an f32 may lie above the largest f32, which strict compilers refuse; the
            // shortest for the same number as an f64 does not.
            Constant::F32(bits) => write!(f, "{:?}f", f64::from(f32::from_bits(bits))),
            Constant::Bool(value) => write!(f, "{value}"),
        }
    }
}

/// How a kernel uses a buffer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// `var<storage, read>`
    Read,
    /// `var<storage, read_write>`
    Write,
}

/// A kernel: joined files, the values of their constants, and glue that the plan generates.
#[derive(Clone, Debug)]
pub struct Kernel {
    files: Vec<&'static ShaderFile>,
    constants: Vec<(&'static str, Constant)>,
    /// Text that calls the files' functions one after the other; see `op/epilogue.rs`.
    glue: String,
    /// Loop iterations of one invocation at most, without those within `epilogue`.
    iterations: u64,
    /// Calls of `epilogue` by one invocation at most, and the loop iterations of each.
    finish: (u64, u64),
    /// Whether `main` ends with a report to the numerics watch.
    reports: bool,
}

impl Kernel {
    /// A kernel from these files, each taken once; one has `main`, and the last gives the kernel its name.
    pub fn new(files: &[&'static ShaderFile]) -> Self {
        assert!(!files.is_empty(), "a kernel has at least one file");
        let first = |i: &usize| files[..*i].iter().all(|known| known.name != files[*i].name);
        let files = (0..files.len()).filter(first).map(|i| files[i]).collect();
        Kernel {
            files,
            constants: Vec::new(),
            glue: String::new(),
            iterations: 0,
            finish: (1, 0),
            reports: false,
        }
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
        self.finish.0 = calls;
        self
    }

    /// Adds to the loop iterations of one call of `epilogue`.
    pub(crate) fn epilogue_iterations(mut self, most: u64) -> Self {
        self.finish.1 = self.finish.1.saturating_add(most);
        self
    }

    /// Upper bound on the loop iterations of one invocation: see [`Kernel::iterations`]. A plan compares it
    /// with [`MAX_ITERATIONS`](crate::op::MAX_ITERATIONS).
    pub fn max_iterations(&self) -> u64 {
        self.iterations.saturating_add(self.finish.0.saturating_mul(self.finish.1))
    }

    /// Calls `report_watch` of `shared/watch` wherever `main` ends; magnitudes count from these bits on.
    pub(crate) fn reporting(mut self, least_bits: i32) -> Self {
        self.reports = true;
        self.with("LEAST_BITS", least_bits)
    }

    /// Joins further files, unless they are there already, and generated text.
    pub(crate) fn joined(mut self, files: &[&'static ShaderFile], glue: &str) -> Self {
        let main = self.files.pop().expect("a kernel has at least one file");
        for file in files {
            if !self.files.iter().any(|known| known.name == file.name) {
                self.files.push(file);
            }
        }
        self.files.push(main);
        self.glue.push_str(glue);
        self
    }

    /// Name of the last file.
    pub fn name(&self) -> &'static str {
        self.files.last().expect("a kernel has at least one file").name
    }

    /// The files, in the order they are joined.
    pub fn files(&self) -> &[&'static ShaderFile] {
        &self.files
    }

    /// The WGSL text as the driver gets it.
    ///
    /// # Errors
    /// A constant that no file declares as settable, declares with another type, or that is set twice.
    pub fn source(&self) -> Result<String> {
        let error = |message: String| Error::Shader { shader: self.name().to_owned(), message };
        let mut text = String::new();
        let mut used = vec![0usize; self.constants.len()];
        for file in &self.files {
            for line in file.text.lines() {
                match settable(line) {
                    Some((name, kind)) => match self.constants.iter().position(|(n, _)| *n == name) {
                        Some(i) => {
                            let value = self.constants[i].1;
                            if value.wgsl_type() != kind {
                                return Err(error(format!(
                                    "constant {name} is {kind}, not {}",
                                    value.wgsl_type()
                                )));
                            }
                            used[i] += 1;
                            text.push_str(&format!("const {name}: {kind} = {value};\n"));
                        }
                        None => {
                            text.push_str(line);
                            text.push('\n');
                        }
                    },
                    None => {
                        text.push_str(line);
                        text.push('\n');
                    }
                }
            }
        }
        text.push_str(&self.glue);
        if self.reports {
            text = with_report(&text);
        }
        match used.iter().position(|&count| count != 1) {
            None => Ok(text),
            Some(i) => Err(error(format!(
                "constant {} is declared {} times, expected once",
                self.constants[i].0, used[i]
            ))),
        }
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
    /// As [`Kernel::source`]; a binding declared twice.
    pub fn bindings(&self) -> Result<Vec<(u32, Access)>> {
        let of_files = self.files.iter().flat_map(|file| file.bindings()).copied();
        let mut bindings: Vec<(u32, Access)> =
            of_files.chain(self.glue.lines().filter_map(binding)).collect();
        bindings.sort_by_key(|&(index, _)| index);
        if let Some(pair) = bindings.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(Error::Shader {
                shader: self.name().to_owned(),
                message: format!("binding {} is declared twice", pair[0].0),
            });
        }
        Ok(bindings)
    }
}

/// The text with a call of `report_watch` wherever `main` ends. Files are formatted alike: `main` begins and ends at
/// the start of a line, and a return is a line of its own.
fn with_report(text: &str) -> String {
    let mut reported = String::with_capacity(text.len() + 64);
    let mut within = false;
    for line in text.lines() {
        within |= line.starts_with("fn main(");
        let (body, end) = (line.trim_end(), within && line.trim_end() == "}");
        if within && body.trim_start() == "return;" {
            reported.push_str(&body.replace("return;", "report_watch();\n"));
        } else if end {
            reported.push_str("    report_watch();\n");
            within = false;
        }
        reported.push_str(line);
        reported.push('\n');
    }
    reported
}

/// Name and type of a constant that may be set, if the line declares one.
fn settable(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_end();
    if !(line.ends_with("// tunable") || line.ends_with("// shape")) {
        return None;
    }
    let (name, rest) = line.strip_prefix("const ")?.split_once(':')?;
    let (kind, _) = rest.split_once('=')?;
    Some((name.trim(), kind.trim()))
}

/// Number and access of a storage binding, if the line declares one.
fn binding(line: &str) -> Option<(u32, Access)> {
    let rest = line.strip_prefix("@group(0) @binding(")?;
    let (index, rest) = rest.split_once(')')?;
    let access = if rest.contains("var<storage, read_write>") { Access::Write } else { Access::Read };
    Some((index.parse().ok()?, access))
}
