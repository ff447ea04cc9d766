//! What the program prints, and how it ends: text or one JSON document on standard output, errors and notes on standard
//! error. A reader that has closed the pipe (`| head`) ends it quietly.

use serde_json::{Value, json};
use std::io::{ErrorKind, Write};
use std::process::ExitCode;
use wgrad::file::printable_message;

/// The result of a part of the program.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// Why the program ends.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody reads what it prints.
    ClosedPipe,
    /// It has printed what it found to be wrong.
    Found,
    /// Something failed. The text is printable.
    Failed(String),
    /// The arguments make no sense. The text is printable.
    Usage(String),
    /// There are none. The text is the program's help.
    Help(String),
}

impl From<wgrad::Error> for Failure {
    fn from(error: wgrad::Error) -> Self {
        // The library has made foreign text in it printable.
        Failure::Failed(error.to_string())
    }
}

impl Failure {
    /// What the parser of arguments says: as JSON in one line.
    pub(crate) fn usage_of(error: &clap::Error, json: bool) -> Failure {
        let text = error.render().to_string();
        if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            return if json {
                Failure::Usage("the subcommand is missing".into())
            } else {
                Failure::Help(text)
            };
        }
        let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
        let printable = |line: &str| printable_message(line);
        if json {
            // Usage and advice follow behind an empty line.
            let message = text.split("\n\n").next().unwrap_or_default();
            let words = message.split_whitespace().collect::<Vec<_>>().join(" ");
            return Failure::Usage(printable(&words));
        }
        Failure::Usage(text.lines().map(printable).collect::<Vec<_>>().join("\n"))
    }
}

/// An error with this message, in which names may be anything.
pub(crate) fn fail<T>(message: impl AsRef<str>) -> Outcome<T> {
    Err(Failure::Failed(printable_message(message.as_ref())))
}

/// An error of the arguments.
pub(crate) fn usage<T>(message: impl AsRef<str>) -> Outcome<T> {
    Err(Failure::Usage(printable_message(message.as_ref())))
}

/// Prints text.
pub(crate) fn text(text: &str) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::ClosedPipe),
        Err(error) => fail(format!("writing to standard output: {error}")),
    }
}

/// Prints a JSON document.
pub(crate) fn json(document: &Value) -> Outcome<()> {
    text(&(escaped(&format!("{document:#}")) + "\n"))
}

/// JSON whose strings hold nothing that a terminal obeys: such characters become escapes of JSON. Outside of strings it has
/// none but line breaks.
fn escaped(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for c in text.chars() {
        let plain = c == '\n' || matches!(c, ' '..='~') || c.escape_debug().count() == 1;
        if plain {
            result.push(c);
        } else {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| result += &format!("\\u{unit:04x}"));
        }
    }
    result
}

/// A float in JSON with the digits that it needs, and not those of the f64 that it becomes. Null if it is not finite.
pub(crate) fn decimal(number: f32) -> Value {
    number.to_string().parse::<f64>().ok().filter(|number| number.is_finite()).into()
}

/// Prints notes: what was assumed, and what was left out. A JSON document has them as `notes`.
pub(crate) fn notes(notes: &[String]) {
    let mut out = std::io::stderr().lock();
    for note in notes {
        // Nothing depends on whether somebody reads it.
        let _ = writeln!(out, "note: {note}");
    }
}

/// Prints the error, if any, and returns the exit status.
pub(crate) fn end(outcome: Outcome<()>, as_json: bool) -> ExitCode {
    let (message, status) = match outcome {
        Ok(()) | Err(Failure::ClosedPipe) => return ExitCode::SUCCESS,
        Err(Failure::Help(text)) => {
            let _ = std::io::stderr().write_all(text.as_bytes());
            return ExitCode::from(2);
        }
        Err(Failure::Found) => return ExitCode::FAILURE,
        Err(Failure::Failed(message)) => (message, ExitCode::FAILURE),
        Err(Failure::Usage(message)) => (message, ExitCode::from(2)),
    };
    let line =
        if as_json { escaped(&json!({ "error": message }).to_string()) } else { format!("error: {message}") };
    let _ = writeln!(std::io::stderr(), "{line}");
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_holds_nothing_that_a_terminal_obeys() {
        let text = "a\u{1b}[2J\u{9b}\u{202e}\u{e9}\u{1f600}\u{7f}\"\\\n\u{e0041}";
        let shown = escaped(&json!({ text: [text, 1.5, null] }).to_string());
        assert!(shown.chars().all(|c| !c.is_control() && c != '\u{202e}' && c != '\u{e0041}'), "{shown}");
        let read: Value = serde_json::from_str(&shown).expect("it is JSON");
        assert_eq!(read[text][0], text);
    }
}
