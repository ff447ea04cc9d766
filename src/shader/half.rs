//! Bindings of f16: kernels are written for f32, and what they load and store is converted in their text. They compute in
//! f32 either way.

use super::constant::binding;

/// A binding of floats: its name, and the type of an element in f32 and in f16.
struct Floats {
    name: String,
    single: String,
    half: String,
}

/// The text with f16 in the bindings of these numbers; `None` if one of them holds something else than floats, or is used
/// in another way than element by element.
pub(super) fn with_halves(text: &str, numbers: &[u32]) -> Option<String> {
    let (mut found, mut declared) = (Vec::new(), String::with_capacity(text.len() + 64));
    for line in text.lines() {
        match binding(line).filter(|(number, _)| numbers.contains(number)) {
            None => declared.push_str(line),
            Some(_) => {
                let floats = Floats::declared(line, text)?;
                let of = |element: &str| format!(": array<{element}>;");
                declared.push_str(&line.replace(&of(element_of(line)?), &of(&floats.half)));
                found.push(floats);
            }
        }
        declared.push('\n');
    }
    if found.len() != numbers.len() {
        return None;
    }
    converted(&declared, &found)
}

/// What a declaration's array holds.
fn element_of(line: &str) -> Option<&str> {
    line.split_once(": array<")?.1.strip_suffix(">;")
}

impl Floats {
    /// The binding that a line declares; a type may have another name in the text.
    fn declared(line: &str, text: &str) -> Option<Floats> {
        let name = line.split_once("> ")?.1.split_once(':')?.0.to_owned();
        let element = element_of(line)?;
        let alias = format!("alias {element} = ");
        let meant = text.lines().find_map(|line| line.strip_prefix(&alias)?.split_once(';'));
        let single = meant.map_or(element, |(meant, _)| meant);
        let half = match single {
            "f32" => "f16",
            "vec2<f32>" => "vec2<f16>",
            "vec4<f32>" => "vec4<f16>",
            _ => return None,
        };
        Some(Floats { name, single: single.to_owned(), half: half.to_owned() })
    }
}

/// The text with conversions around every element of these bindings.
fn converted(text: &str, all: &[Floats]) -> Option<String> {
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("//") {
            let end = rest.find('\n').unwrap_or(rest.len());
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        } else if is_of_name(first) {
            let end = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
            let (name, behind) = rest.split_at(end);
            // A member of that name is another thing.
            let member = out.ends_with('.');
            rest = match all.iter().find(|floats| floats.name == name && !member) {
                Some(floats) => floats.convert(behind, all, &mut out)?,
                None => {
                    out.push_str(name);
                    behind
                }
            };
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    Some(out)
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

impl Floats {
    /// Writes what stands behind this binding's name, with conversions, and returns the rest.
    fn convert<'t>(&self, behind: &'t str, all: &[Floats], out: &mut String) -> Option<&'t str> {
        let whole = out.ends_with('&');
        if whole && !out.ends_with("arrayLength(&") {
            return None;
        }
        // An array whose size is known at run time is never a value: what isn't indexed is the declaration, or a member, a
        // parameter or a variable of the same name.
        let Some(within) = behind.strip_prefix('[').filter(|_| !whole) else {
            out.push_str(&self.name);
            return Some(behind);
        };
        let end = end_of(within, ']')?;
        let index = converted(&within[..end], all)?;
        let rest = &within[end + 1..];
        let members = rest
            .strip_prefix('.')
            .map_or(0, |rest| 1 + rest.find(|c: char| !is_of_name(c)).unwrap_or(rest.len()));
        let (member, behind) = rest.split_at(members);
        let Some(value) = behind.trim_start().strip_prefix('=').filter(|value| !value.starts_with('='))
        else {
            let next = behind.trim_start().as_bytes();
            if next.len() > 1 && next[1] == b'=' && b"+-*/%&|^".contains(&next[0]) {
                return None;
            }
            out.push_str(&format!("{}({}[{index}]){member}", self.single, self.name));
            return Some(behind);
        };
        let end = end_of(value, ';')?;
        let value_in_half = if member.is_empty() { &self.half } else { "f16" };
        let rest = &value[end..];
        let value = converted(value[..end].trim(), all)?;
        out.push_str(&format!("{}[{index}]{member} = {value_in_half}({value})", self.name));
        Some(rest)
    }
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
    // x[i] is not y[i].
    let x = x[i];
    return x[at[i] + u32(y[i])].z + p.y[i];
}
fn main() {
    y[i] = select(
        load(i), y[i + 1u] * 2.0, y[i] == x[0].x);
    if (i < arrayLength(&y)) { y[at[0]] = 0.0; }
}
";

    #[test]
    fn loads_and_stores_are_converted() {
        let found = with_halves(TEXT, &[0, 2]).expect("both hold floats");
        assert_eq!(
            found,
            "\
alias Element = vec4<f32>;
@group(0) @binding(0) var<storage, read> x: array<vec4<f16>>;
@group(0) @binding(1) var<storage, read> at: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f16>;
struct Pair { y: f32, }
fn load(i: u32) -> f32 {
    // x[i] is not y[i].
    let x = vec4<f32>(x[i]);
    return vec4<f32>(x[at[i] + u32(f32(y[i]))]).z + p.y[i];
}
fn main() {
    y[i] = f16(select(
        load(i), f32(y[i + 1u]) * 2.0, f32(y[i]) == vec4<f32>(x[0]).x));
    if (i < arrayLength(&y)) { y[at[0]] = f16(0.0); }
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
        for use_of_y in ["y[i] += 1.0;", "y[i]|=1;", "let all = &y;", "f(&y[0]);"] {
            assert_eq!(with_halves(&TEXT.replace("y[at[0]] = 0.0;", use_of_y), &[2]), None, "{use_of_y}");
        }
        let compared = with_halves(&TEXT.replace("y[at[0]] = 0.0;", "if (y[i] != 1.0) {}"), &[2]);
        assert!(compared.is_some_and(|text| text.contains("if (f32(y[i]) != 1.0)")));
    }
}
