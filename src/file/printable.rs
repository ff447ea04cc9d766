//! Makes foreign text, such as names of tensors in a file, safe for errors and terminals: escapes control
//! characters and shortens long texts.

use std::borrow::Cow;
use std::path::Path;

/// Numbers of characters kept from the start and from the end of a longer text.
struct Kept(usize, usize);

const NAME: Kept = Kept(120, 60);
const PATH: Kept = Kept(500, 500);
const MESSAGE: Kept = Kept(3000, 1000);

/// Escapes control and other invisible characters (`\n`, `\u{1b}`). Of a text of more than 180 characters it
/// keeps the first 120 and the last 60.
///
/// ```
/// assert_eq!(wgrad::file::printable("fc\u{1b}[2J.weight"), "fc\\u{1b}[2J.weight");
/// ```
pub fn printable(text: &str) -> String {
    escaped(&shortened(text, &NAME))
}

/// As [`printable`], for a path. Shows up to 1,000 characters.
pub fn printable_path(path: &Path) -> String {
    escaped(&shortened(&path.to_string_lossy(), &PATH))
}

/// As [`printable`], for a sentence that contains foreign text. Shows up to 4,000 characters.
pub fn printable_message(text: &str) -> String {
    escaped(&shortened(text, &MESSAGE))
}

/// As [`printable_message`], for messages of drivers and compilers. Keeps line breaks.
pub(crate) fn printable_lines(text: &str) -> String {
    shortened(text, &MESSAGE).split('\n').map(escaped).collect::<Vec<_>>().join("\n")
}

fn shortened<'t>(text: &'t str, &Kept(start, end): &Kept) -> Cow<'t, str> {
    let at = |n: usize| text.char_indices().nth(n).map(|(at, _)| at);
    if at(start + end).is_none() {
        return Cow::Borrowed(text);
    }
    let head = &text[..at(start).unwrap_or(text.len())];
    let tail = text.char_indices().rev().nth(end - 1).map_or(text, |(at, _)| &text[at..]);
    Cow::Owned(format!("{head}[... {} bytes in all ...]{tail}", text.len()))
}

/// Escapes invisible characters. Quotes and backslashes stay, so that Windows paths read as they are.
fn escaped(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for part in text.split_inclusive(['"', '\'', '\\']) {
        let plain = part.trim_end_matches(['"', '\'', '\\']);
        result.extend(plain.escape_debug());
        result.push_str(&part[plain.len()..]);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plain_stays() {
        for text in ["", "conv1.weight", r#"C:\data "x" 'y'"#, "gr\u{f6}\u{df}e/\u{91cd}\u{307f}"] {
            assert_eq!(printable(text), text);
            assert_eq!(printable_path(Path::new(text)), text);
            assert_eq!(printable_message(text), text);
        }
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let controls: String = (0..0xa0)
            .chain([0xad, 0x200b, 0x200e, 0x2028, 0x202e, 0x2066, 0xfeff, 0xe0041])
            .filter_map(char::from_u32)
            .filter(|c| !c.is_ascii_graphic())
            .collect();
        for shown in
            [printable(&controls), printable_path(Path::new(&controls)), printable_message(&controls)]
        {
            assert!(shown.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{shown}");
        }
        assert_eq!(printable("a\n\u{1b}]0;b\u{7}"), "a\\n\\u{1b}]0;b\\u{7}");
        // A second time changes nothing.
        assert_eq!(printable(&printable("a\u{202e}b")), "a\\u{202e}b");
        assert_eq!(printable_lines("a\n\u{1b}b"), "a\n\\u{1b}b");
    }

    #[test]
    fn long_texts_are_cut_in_the_middle() {
        let long = format!("start{}end", "\u{e9}".repeat(40_000_000));
        let shown = printable(&long);
        assert!(shown.starts_with("start\u{e9}") && shown.ends_with("\u{e9}end"));
        assert!(shown.contains("80000008 bytes in all") && shown.chars().count() < 220, "{shown}");
        assert_eq!(printable(&"x".repeat(180)), "x".repeat(180));
        assert!(printable_message(&"\u{1b}".repeat(1 << 20)).len() < 40_000);
    }
}
