//! Bindings of f16: kernels are written for f32, and what they load and store is converted in their text. They compute in
//! f32 either way. What is used in a way that this can't follow is refused, and stays f32.

use super::constant::binding;
use std::fmt::Write as _;

/// A binding of floats: its name, and the type of an element in f32 and in f16.
struct Floats {
    name: String,
    single: String,
    half: &'static str,
}

/// The text with f16 in the bindings of these numbers; `None` if one of them holds something else than floats, or is used
/// in another way than element by element. Comments are left out.
pub(super) fn with_halves(text: &str, numbers: &[u32]) -> Option<String> {
    let text = without_comments(text);
    let (mut found, mut rest) = (Vec::new(), String::with_capacity(text.len()));
    let mut declarations = String::new();
    for line in text.lines() {
        match binding(line).filter(|(number, _)| numbers.contains(number)) {
            None => rest.extend([line, "\n"]),
            Some(_) => {
                let floats = Floats::declared(line, &text)?;
                let of = |element: &str| format!(": array<{element}>;");
                declarations
                    .extend([&line.trim_end().replace(&of(element_of(line)?), &of(floats.half)), "\n"]);
                found.push(floats);
            }
        }
    }
    if found.len() != numbers.len() {
        return None;
    }
    let mut converted = declarations + &Scope { all: &found, ..Scope::default() }.converted(&rest)?;
    // A call is no constant expression, in which a number past the range of f16 would be an error.
    for (single, half) in FLOATS {
        let name = stores(half);
        if converted.contains(&name) {
            let _ =
                writeln!(converted, "fn {name}(value: {single}) -> {half} {{\n    return {half}(value);\n}}");
        }
    }
    Some(converted)
}

/// Types of elements in f32 and in f16.
const FLOATS: [(&str, &str); 3] = [("f32", "f16"), ("vec2<f32>", "vec2<f16>"), ("vec4<f32>", "vec4<f16>")];

/// Name of the function that makes an element of f16.
fn stores(half: &str) -> String {
    format!("stored_as_{}", half.replace('<', "_").replace('>', ""))
}

/// The text with blanks for its comments. Those between `/*` and `*/` nest.
fn without_comments(text: &str) -> String {
    let (mut out, mut rest, mut depth) = (String::with_capacity(text.len()), text, 0usize);
    while let Some(first) = rest.chars().next() {
        if depth == 0 && rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if rest.starts_with("/*") || (depth > 0 && rest.starts_with("*/")) {
            if depth == 0 {
                out.push(' ');
            }
            depth = if rest.starts_with("/*") { depth + 1 } else { depth - 1 };
            rest = &rest[2..];
        } else {
            if depth == 0 || first == '\n' {
                out.push(first);
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// What a declaration's array holds.
fn element_of(line: &str) -> Option<&str> {
    line.trim_end().split_once(": array<")?.1.strip_suffix(">;")
}

impl Floats {
    /// The binding that a line declares; a type may have another name in the text.
    fn declared(line: &str, text: &str) -> Option<Floats> {
        let name = line.split_once("> ")?.1.split_once(':')?.0.to_owned();
        let element = element_of(line)?;
        let alias = format!("alias {element} = ");
        let meant = text.lines().find_map(|line| line.strip_prefix(&alias)?.split_once(';'));
        let single = meant.map_or(element, |(meant, _)| meant);
        let (_, half) = FLOATS.into_iter().find(|(known, _)| *known == single)?;
        Some(Floats { name, single: single.to_owned(), half })
    }
}

/// Where a text is being converted: what its names mean there.
#[derive(Default)]
struct Scope<'f> {
    all: &'f [Floats],
    /// Open braces and other brackets.
    braces: usize,
    brackets: usize,
    /// Names of bindings that variables, parameters and members have, and how many braces are open where they do.
    hidden: Vec<(String, usize)>,
    /// A variable whose declaration has not ended.
    declared: Option<(String, usize)>,
}

impl Scope<'_> {
    /// The text with conversions around every element of the bindings.
    fn converted(&mut self, text: &str) -> Option<String> {
        let mut out = String::with_capacity(text.len() + 64);
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if is_of_name(first) {
                let end = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
                let (name, behind) = rest.split_at(end);
                let all = self.all;
                rest =
                    match all.iter().find(|floats| floats.name == name && !self.is_other(name, behind, &out))
                    {
                        Some(floats) => self.convert(floats, behind, &mut out)?,
                        None => {
                            out.push_str(name);
                            behind
                        }
                    };
            } else {
                self.step(first);
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        Some(out)
    }

    /// Notes a character between names.
    fn step(&mut self, c: char) {
        match c {
            '{' => self.braces += 1,
            '}' => {
                self.braces = self.braces.saturating_sub(1);
                self.hidden.retain(|&(_, braces)| braces <= self.braces);
            }
            '(' | '[' => self.brackets += 1,
            ')' | ']' => self.brackets = self.brackets.saturating_sub(1),
            ';' => self.hidden.extend(self.declared.take()),
            _ => {}
        }
    }

    /// Whether the name of a binding means something else here: a member, a parameter, a variable. Notes declarations.
    fn is_other(&mut self, name: &str, behind: &str, out: &str) -> bool {
        let before = out.trim_end();
        if before.ends_with('.') || self.hidden.iter().any(|(hidden, _)| hidden == name) {
            return true;
        }
        let word = before.rsplit(|c| !is_of_name(c)).next().unwrap_or_default();
        let inner = if self.brackets > 0 { self.braces + 1 } else { self.braces };
        if ["let", "var", "const"].contains(&word) {
            self.declared = Some((name.to_owned(), inner));
            return true;
        }
        if behind.trim_start().starts_with(':') {
            self.hidden.push((name.to_owned(), inner));
            return true;
        }
        false
    }

    /// Writes what stands behind a binding's name, with conversions, and returns the rest.
    fn convert<'t>(&mut self, floats: &Floats, behind: &'t str, out: &mut String) -> Option<&'t str> {
        let Floats { name, single, half } = floats;
        let before = out.trim_end();
        if before.ends_with("arrayLength(&") {
            out.push_str(name);
            return Some(behind);
        }
        // An address, also in brackets; but not both conditions of two.
        let outer = before.trim_end_matches(|c: char| c == '(' || c.is_whitespace());
        if outer.ends_with('&') && !outer.ends_with("&&") {
            return None;
        }
        let within = behind.trim_start().strip_prefix('[')?;
        let end = end_of(within, ']')?;
        let index = self.converted(&within[..end])?;
        let rest = &within[end + 1..];
        let rest = if rest.trim_start().starts_with('.') { rest.trim_start() } else { rest };
        let members = rest.strip_prefix('.').map_or(0, |rest| {
            let name = rest.trim_start();
            1 + rest.len() - name.len() + name.find(|c: char| !is_of_name(c)).unwrap_or(name.len())
        });
        let (member, behind) = rest.split_at(members);
        let next = behind.trim_start();
        let Some(value) = next.strip_prefix('=').filter(|value| !value.starts_with('=')) else {
            let operator = next.trim_start_matches(['<', '>']);
            let assigns = |c: u8| b"+-*/%&|^".contains(&c) && operator.as_bytes().get(1) == Some(&b'=');
            let shifts = next.len() - operator.len() == 2 && operator.starts_with('=');
            // A component by its number may be stored to, and a compound assignment does.
            if next.starts_with('[') || shifts || operator.as_bytes().first().is_some_and(|&c| assigns(c)) {
                return None;
            }
            let _ = write!(out, "{single}({name}[{index}]){member}");
            return Some(behind);
        };
        let end = end_of(value, ';')?;
        if member.trim_start_matches('.').trim().len() > 1 {
            return None;
        }
        let half = if member.is_empty() { half } else { "f16" };
        let rest = &value[end..];
        let value = self.converted(value[..end].trim())?;
        let _ = write!(out, "{name}[{index}]{member} = {}({value})", stores(half));
        Some(rest)
    }
}

/// Beyond ASCII, code without comments has letters only.
fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

/// Where this character stands outside all brackets.
fn end_of(text: &str, wanted: char) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            _ if c == wanted && depth == 0 => return Some(at),
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
alias Element = vec4<f32>;
@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read> at: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
struct Pair { y: f32, }
fn load(i: u32) -> f32 {
    // x[i] is not y[i];
    return x[at[i] + u32(y[i])].z + p.y[i] /* /* y */ ] */ + y [i];
}
fn main() {
    y[i] = select(
        load(i), y[i + 1u] * 2.0, y[i] == x[0].x && y[i] < 1e30); // y;
    if (i < arrayLength(&y) && y[0] >= 0.0) { y[at[0]] = 1e30; }
}
";

    #[test]
    fn letters_beyond_ascii_are_of_a_name() {
        let text = "\
@group(0) @binding(0) var<storage, read> row: array<f32>;
fn first(érow: f32) -> f32 { return érow * row[0]; }
";
        let found = with_halves(text, &[0]).expect("it is read element by element");
        assert!(found.contains("return érow * f32(row[0]);"), "{found}");
    }

    #[test]
    fn loads_and_stores_are_converted() {
        let found = with_halves(TEXT, &[0, 2]).expect("both hold floats");
        assert_eq!(
            found,
            "\
@group(0) @binding(0) var<storage, read> x: array<vec4<f16>>;
@group(0) @binding(2) var<storage, read_write> y: array<f16>;
alias Element = vec4<f32>;
@group(0) @binding(1) var<storage, read> at: array<u32>;
struct Pair { y: f32, }
fn load(i: u32) -> f32 {
    
    return vec4<f32>(x[at[i] + u32(f32(y[i]))]).z + p.y[i]   + f32(y[i]);
}
fn main() {
    y[i] = stored_as_f16(select(
        load(i), f32(y[i + 1u]) * 2.0, f32(y[i]) == vec4<f32>(x[0]).x && f32(y[i]) < 1e30)); 
    if (i < arrayLength(&y) && f32(y[0]) >= 0.0) { y[at[0]] = stored_as_f16(1e30); }
}
fn stored_as_f16(value: f32) -> f16 {
    return f16(value);
}
"
        );
        let one = with_halves(TEXT, &[2]).expect("it holds floats");
        assert!(
            one.contains("x: array<Element>") && one.contains("return x[at[i] + u32(f32(y[i]))].z"),
            "{one}"
        );
    }

    #[test]
    fn what_can_not_be_converted_is_refused() {
        assert_eq!(with_halves(TEXT, &[1]), None, "integers");
        assert_eq!(with_halves(TEXT, &[3]), None, "no binding");
        let with = |use_of_y: &str| with_halves(&TEXT.replace("y[at[0]] = 1e30;", use_of_y), &[2]);
        for use_of_y in [
            "y[i] += 1.0;",
            "y[i] |= 1;",
            "y[i]>>=1;",
            "let all = &y;",
            "let all = & y;",
            "let all = &(y);",
            "f(&y[0]);",
            "f(& ( y[0]));",
            "let z = (y)[i];",
            "let z = y;",
            "{ let y = 1.0; } let z = y;",
            "y[i / 4u][i % 4u] = 1.0;",
            "y[i].xy = z;",
        ] {
            assert_eq!(with(use_of_y), None, "{use_of_y}");
        }
        for (use_of_y, converted) in [
            ("if (y[i] != 1.0) {}", "if (f32(y[i]) != 1.0) {}"),
            (
                "var y = array<u32, 2>(u32(y[i]), 2u); z = y[0];",
                "var y = array<u32, 2>(u32(f32(y[i])), 2u); z = y[0];",
            ),
            ("{ let y = v; z = y[0]; } z = y[0];", "{ let y = v; z = y[0]; } z = f32(y[0]);"),
            (
                "for (var y = 0; y < 2; y++) { z += y; } z = y[0];",
                "for (var y = 0; y < 2; y++) { z += y; } z = f32(y[0]);",
            ),
            (
                "} fn f(y: vec4<f32>) -> f32 { return y[0]; } fn g() { z = y[0];",
                "return y[0]; } fn g() { z = f32(y[0]);",
            ),
            ("let éy = z; let w = éy[0];", "let w = éy[0];"),
            ("y[i] .x = z /* ; */ + 1.0;", "y[i].x = stored_as_f16(z   + 1.0);"),
            ("if (a && (y[i] > 0.0)) {}", "if (a && (f32(y[i]) > 0.0)) {}"),
        ] {
            let found = with(use_of_y).unwrap_or_else(|| panic!("{use_of_y} is refused"));
            assert!(found.contains(converted), "{use_of_y}: {found}");
        }
    }
}
