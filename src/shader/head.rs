//! The head of a WGSL file: what it is joined with.
//!
//! The head is the lines at the top that begin with `//!`; to a WGSL compiler they are comments. An entry starts
//! behind one space, and lines that are indented further go on with it:
//!
//! ```wgsl
//! //! uses group, team
//! //! fills finalize
//! //! hole weight_of(c: u32) -> f32 { return 1.0; }
//! //!     by batch_norm_weight
//! //! hole lhs
//! //!     lhs_start(z: u32, m: u32) -> u32
//! //!     lhs_block(starts: vec4<u32>, k: u32) -> mat4x4<f32>
//! //!     by matmul_lhs_rows, matmul_lhs_columns
//! //! holes lhs, rhs of gemm_product; store, add_bias of gemm_store
//! ```
//!
//! - `uses` names the parts whose functions, types and constants the file needs.
//! - `hole` declares functions that the file calls and leaves open, a single one or several under a name; behind a
//!   signature may stand the body that it has unless a file fills the hole. `by` names who does: files, or `the plan`,
//!   `the operator` or `the session` where Rust writes the text.
//! - `fills` names the holes of other files for which this file has the functions.
//! - `holes` repeats which holes of the parts that a kernel uses stay open. It is there for readers; a test keeps it
//!   true.

/// What a file says of its linkage.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Head {
    pub uses: Vec<&'static str>,
    pub fills: Vec<&'static str>,
    pub holes: Vec<Hole>,
    /// Parts, and those of their holes that stay open.
    pub open: Vec<(&'static str, Vec<&'static str>)>,
}

/// The names behind `uses`, one after the other, found while the crate is built.
pub(super) struct Used<'t> {
    text: &'t [u8],
    at: usize,
    /// Whether `at` is within an entry `uses`.
    within: bool,
}

impl<'t> Used<'t> {
    pub(super) const fn of(text: &'t str) -> Self {
        Used { text: text.as_bytes(), at: 0, within: false }
    }

    pub(super) const fn next(&mut self) -> Option<&'t [u8]> {
        loop {
            if self.at == 0 || self.text[self.at - 1] == b'\n' {
                if !self.begins(b"//!") {
                    return None;
                }
                self.at += 3;
                if !self.begins(b"  ") {
                    self.within = self.begins(b" uses ");
                    self.at += if self.within { 6 } else { 0 };
                }
            }
            let start = self.at;
            while self.at < self.text.len() && !matches!(self.text[self.at], b',' | b' ' | b'\n') {
                self.at += 1;
            }
            if self.within && self.at > start {
                return Some(self.text.split_at(self.at).0.split_at(start).1);
            }
            if self.at == self.text.len() {
                return None;
            }
            self.at += 1;
        }
    }

    const fn begins(&self, with: &[u8]) -> bool {
        let mut i = 0;
        while i < with.len() && self.at + i < self.text.len() && self.text[self.at + i] == with[i] {
            i += 1;
        }
        i == with.len()
    }
}

/// Functions that a file calls and leaves open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hole {
    /// What files call it that fill it.
    pub name: &'static str,
    /// The functions: none where a type is left open.
    pub functions: Vec<Function>,
    /// Files that fill it, or `the plan`, `the operator` or `the session`.
    pub by: Vec<&'static str>,
}

/// A function of a [`Hole`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Function {
    /// Name, parameters and result, such as `bias_of(c: u32) -> f32`.
    pub signature: &'static str,
    /// What stands between its braces unless a file fills the hole.
    pub body: Option<&'static str>,
}

impl Hole {
    /// Whether a kernel may leave it to itself.
    pub fn has_default(&self) -> bool {
        !self.functions.is_empty() && self.functions.iter().all(|function| function.body.is_some())
    }
}

impl Function {
    /// The function's name.
    pub fn name(&self) -> &'static str {
        self.signature.split_once('(').map_or(self.signature, |(name, _)| name)
    }
}

impl Head {
    /// Reads the head of a text.
    ///
    /// # Errors
    /// The line that is none of a head.
    pub(super) fn parse(text: &'static str) -> Result<Head, String> {
        let mut head = Head::default();
        let mut entry: Vec<&'static str> = Vec::new();
        for line in text.lines().map_while(|line| line.strip_prefix("//!")) {
            if !line.starts_with("  ") {
                head.add(&entry)?;
                entry.clear();
            }
            entry.push(line.trim());
        }
        head.add(&entry)?;
        Ok(head)
    }

    /// Adds an entry: its first line, and those that go on with it.
    fn add(&mut self, entry: &[&'static str]) -> Result<(), String> {
        let Some((&first, rest)) = entry.split_first() else { return Ok(()) };
        let (word, what) = first.split_once(' ').unwrap_or((first, ""));
        match word {
            "uses" => self.uses.extend(names([what].iter().chain(rest))),
            "fills" => self.fills.extend(names([what].iter().chain(rest))),
            "hole" => self.holes.push(hole(what.trim(), rest)?),
            "holes" => {
                for part in std::iter::once(what).chain(rest.iter().copied()).flat_map(|line| line.split(';'))
                {
                    let (open, of) = part.split_once(" of ").ok_or_else(|| unreadable(first))?;
                    self.open.push((of.trim(), names([open].iter()).collect()));
                }
            }
            _ => return Err(unreadable(first)),
        }
        Ok(())
    }
}

fn hole(first: &'static str, rest: &[&'static str]) -> Result<Hole, String> {
    let by_at = rest.iter().position(|line| line.starts_with("by ")).ok_or_else(|| unreadable(first))?;
    let (functions, by) = rest.split_at(by_at);
    let single = first.contains('(');
    let lines = single.then_some(first).into_iter().chain(functions.iter().copied());
    let name = first.split_once('(').map_or(first, |(name, _)| name);
    let by = names(by.iter().map(|line| line.strip_prefix("by ").unwrap_or(line)).collect::<Vec<_>>().iter())
        .collect();
    Ok(Hole { name, functions: lines.map(function).collect(), by })
}

fn function(line: &'static str) -> Function {
    let parts = line.strip_suffix('}').and_then(|line| line.split_once('{'));
    match parts {
        Some((signature, body)) => Function { signature: signature.trim(), body: Some(body.trim()) },
        None => Function { signature: line, body: None },
    }
}

/// The names in a list with commas that may go over several lines.
fn names<'l>(lines: impl Iterator<Item = &'l &'static str>) -> impl Iterator<Item = &'static str> {
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|name| !name.is_empty())
}

fn unreadable(line: &str) -> String {
    format!("its head has the line \"{line}\", expected uses, fills, hole or holes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read() {
        let head = Head::parse(
            "//! uses group, team\n\
             //! fills finalize\n\
             //! hole weight_of(c: u32) -> f32 { return 1.0; }\n\
             //!     by batch_norm_weight\n\
             //! hole lhs\n\
             //!     lhs_start(z: u32, m: u32) -> u32\n\
             //!     lhs_block(starts: vec4<u32>, k: u32) -> mat4x4<f32>\n\
             //!     by matmul_lhs_rows,\n\
             //!        matmul_lhs_columns\n\
             //! holes lhs, rhs of gemm_product; store of gemm_store\n\
             //\n\
             // The rest is prose.\n",
        )
        .expect("the head is right");
        assert_eq!(head.uses, ["group", "team"]);
        assert_eq!(head.fills, ["finalize"]);
        assert_eq!(head.open, [("gemm_product", vec!["lhs", "rhs"]), ("gemm_store", vec!["store"])]);
        let [weight, lhs] = &head.holes[..] else { panic!("expected two holes, found {head:?}") };
        let function = Function { signature: "weight_of(c: u32) -> f32", body: Some("return 1.0;") };
        assert_eq!(
            *weight,
            Hole { name: "weight_of", functions: vec![function], by: vec!["batch_norm_weight"] }
        );
        assert!(weight.has_default() && !lhs.has_default());
        assert_eq!(lhs.functions.iter().map(Function::name).collect::<Vec<_>>(), ["lhs_start", "lhs_block"]);
        assert_eq!(lhs.by, ["matmul_lhs_rows", "matmul_lhs_columns"]);
    }

    #[test]
    fn a_line_that_says_nothing_is_an_error() {
        for text in ["//! needs group\n", "//! hole f()\n", "//! holes f\n"] {
            Head::parse(text).expect_err(text);
        }
    }
}
