//! Constants of a shader that may be set, and the lines that declare them and the bindings.

use std::fmt;

/// Value of a constant in a shader.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum Constant {
    /// `u32`
    U32(u32),
    /// `i32`
    I32(i32),
    /// `f32`, kept as bits so that a kernel can be compared and hashed.
    F32(u32),
    /// `bool`
    Bool(bool),
    /// `array<u32, 6>`: a number for each dimension of a tensor of the highest rank.
    U32s([u32; 6]),
    /// `array<i32, 6>`
    I32s([i32; 6]),
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

impl From<[u32; 6]> for Constant {
    fn from(values: [u32; 6]) -> Self {
        Constant::U32s(values)
    }
}
impl From<[i32; 6]> for Constant {
    fn from(values: [i32; 6]) -> Self {
        Constant::I32s(values)
    }
}

impl Constant {
    pub(super) fn wgsl_type(self) -> &'static str {
        match self {
            Constant::U32(_) => "u32",
            Constant::I32(_) => "i32",
            Constant::F32(_) => "f32",
            Constant::Bool(_) => "bool",
            Constant::U32s(_) => "array<u32, 6>",
            Constant::I32s(_) => "array<i32, 6>",
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
            Constant::U32s(values) => {
                write!(f, "array({})", values.map(|value| format!("{value}u")).join(", "))
            }
            Constant::I32s(values) => {
                write!(f, "array({})", values.map(|value| format!("i32({value})")).join(", "))
            }
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

/// Name and type of a constant that may be set, if the line declares one.
pub(super) fn settable(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_end();
    if !(line.ends_with("// tunable") || line.ends_with("// shape")) {
        return None;
    }
    let (name, rest) = line.strip_prefix("const ")?.split_once(':')?;
    let (kind, _) = rest.split_once('=')?;
    Some((name.trim(), kind.trim()))
}

/// Number and access of a storage binding, if the line declares one.
pub(super) fn binding(line: &str) -> Option<(u32, Access)> {
    let rest = line.strip_prefix("@group(0) @binding(")?;
    let (index, rest) = rest.split_once(')')?;
    let access = if rest.contains("var<storage, read_write>") { Access::Write } else { Access::Read };
    Some((index.parse().ok()?, access))
}

/// Iterations that a line with a loop states, if it does.
pub(super) fn stated_iterations(line: &str) -> Option<u64> {
    let (_, count) = line.rsplit_once("// at most ")?;
    count.strip_suffix(" iterations")?.parse().ok()
}
