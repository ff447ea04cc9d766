//! Tokens of WGSL, as far as a rewriting needs them: where operators stand, and how deep in brackets.

use std::ops::Range;

/// Names before a list of types in angle brackets.
const GENERIC: [&str; 9] = ["vec2", "vec3", "vec4", "array", "bitcast", "ptr", "atomic", "var", "mat4x4"];

/// Signs of two characters.
const LONG: [&str; 13] = ["<=", ">=", "==", "!=", "&&", "||", "->", "<<", ">>", "+=", "-=", "*=", "/="];

/// A word, a number or a sign.
pub struct Token {
    pub place: Range<usize>,
    /// Brackets around it. Those of a list of types count too.
    pub depth: usize,
}

/// The tokens of a text without comments.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let (mut at, mut depth, mut generic) = (0, 0, Vec::new());
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = |of: fn(char) -> bool| rest.find(|c| !of(c)).unwrap_or(rest.len());
        if first.is_whitespace() {
            at += length(char::is_whitespace);
            continue;
        }
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        }
        let size = if first.is_alphanumeric() || first == '_' {
            let size = length(|c| c.is_alphanumeric() || c == '_' || c == '.');
            // A number may go on behind the sign of its exponent.
            let exponent = first.is_ascii_digit() && rest[..size].ends_with('e') && !rest.starts_with("0x");
            let more = if exponent && rest[size..].starts_with(['+', '-']) { &rest[size + 1..] } else { "" };
            let digits = more.find(|c: char| !c.is_alphanumeric()).unwrap_or(more.len());
            if more.is_empty() { size } else { size + 1 + digits }
        } else if generic.is_empty() && LONG.iter().any(|sign| rest.starts_with(sign)) {
            2
        } else {
            1
        };
        let opens_types = first == '<'
            && size == 1
            && tokens.last().is_some_and(|last| GENERIC.contains(&&text[last.place.clone()]));
        let closes_types = first == '>' && generic.last() == Some(&depth);
        if matches!(first, ')' | ']' | '}') || closes_types {
            depth -= 1;
        }
        if closes_types {
            generic.pop();
        }
        let shown = if opens_types || closes_types { depth + 1 } else { depth };
        tokens.push(Token { place: at..at + size, depth: shown });
        if matches!(first, '(' | '[' | '{') || opens_types {
            depth += 1;
        }
        if opens_types {
            generic.push(depth);
        }
        at += size;
    }
    tokens
}
