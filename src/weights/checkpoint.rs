//! A checkpoint's metadata: what its file says in addition to the tensors.
//!
//! All of it is JSON under one key of the safetensors metadata.

use super::Metadata;
use crate::file::printable;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The key in the metadata. A file that has it is a checkpoint.
pub(super) const KEY: &str = "wgrad_checkpoint";

/// The most bytes that names and texts of the notes may have together.
const MOST_NOTES: usize = 1 << 20;

/// A checkpoint without its tensors.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Checkpoint {
    /// Number of the next step of each session that trains the weights. Usually there is one.
    pub step_numbers: Vec<u32>,
    /// The user's notes.
    pub notes: BTreeMap<String, String>,
    /// Names of the tensors that are not part of a state dict.
    pub state: BTreeSet<String>,
}

/// Reads what a checkpoint says of its network.
pub(super) fn metadata_of(texts: &HashMap<String, String>) -> Option<Value> {
    let fields: Map<String, Value> = serde_json::from_str(texts.get(KEY)?).ok()?;
    fields.get("metadata").cloned()
}

impl Checkpoint {
    /// The texts of the file, with what `own` says of the network.
    pub(super) fn metadata(&self, own: &Metadata) -> HashMap<String, String> {
        let step_number = match &self.step_numbers[..] {
            [one] => json!(one),
            several => json!(several),
        };
        let mut fields = json!({ "step_number": step_number, "notes": self.notes, "state": self.state });
        if !own.is_empty() {
            fields["metadata"] = own.to_json();
        }
        HashMap::from([(KEY.to_owned(), fields.to_string()), own.layout()])
    }

    /// Checks that the notes fit a file. The error says what is wrong.
    pub(crate) fn check_notes(&self) -> Result<(), String> {
        let bytes = |(name, note): (&String, &String)| name.len() + note.len();
        let all: usize = self.notes.iter().map(bytes).sum();
        if all <= MOST_NOTES {
            return Ok(());
        }
        let longest = self.notes.iter().max_by_key(|&note| bytes(note)).map_or("", |(name, _)| name);
        Err(format!(
            "can't be given notes of {all} bytes, the limit is {MOST_NOTES}; the longest is \"{}\", keep it in a file of its own",
            printable(longest)
        ))
    }

    /// Reads a file's metadata; `None` if it is not a checkpoint's.
    ///
    /// # Errors
    /// Damaged metadata.
    pub(crate) fn of(metadata: &Option<HashMap<String, String>>) -> Result<Option<Checkpoint>, String> {
        let Some(text) = metadata.as_ref().and_then(|metadata| metadata.get(KEY)) else { return Ok(None) };
        let damaged = |what: &str| {
            format!(
                "{what} in its metadata \"{KEY}\"; the file is damaged or was changed, take an earlier checkpoint"
            )
        };
        let fields: Map<String, Value> = serde_json::from_str(text)
            .map_err(|e| damaged(&format!("found no JSON object ({})", printable(&e.to_string()))))?;
        let step_number = fields.get("step_number").ok_or_else(|| damaged("the step number is missing"))?;
        let numbers = step_number.as_array().map_or(std::slice::from_ref(step_number), Vec::as_slice);
        let number = |number: &Value| {
            number.as_u64().and_then(|number| u32::try_from(number).ok()).ok_or_else(|| {
                let whole = format!("expected a whole number from 0 to {}", u32::MAX);
                let found = printable(&number.to_string());
                damaged(&format!("the step number is {found}, {whole},"))
            })
        };
        let step_numbers = numbers.iter().map(number).collect::<Result<Vec<u32>, String>>()?;
        let string = |value: &Value| value.as_str().map(str::to_owned);
        let notes = fields
            .get("notes")
            .and_then(Value::as_object)
            .and_then(|notes| notes.iter().map(|(name, note)| Some((name.clone(), string(note)?))).collect());
        let state = fields
            .get("state")
            .and_then(Value::as_array)
            .and_then(|state| state.iter().map(string).collect::<Option<BTreeSet<String>>>());
        Ok(Some(Checkpoint {
            step_numbers,
            notes: notes.ok_or_else(|| damaged("expected an object of texts as notes, found none"))?,
            state: state.ok_or_else(|| damaged("expected a list of names as state, found none"))?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Option<Checkpoint>, String> {
        Checkpoint::of(&Some(HashMap::from([(KEY.to_owned(), text.to_owned())])))
    }

    #[test]
    fn a_checkpoint_is_read_as_it_was_written() {
        for step_numbers in [vec![u32::MAX], vec![0, u32::MAX, 7]] {
            let checkpoint = Checkpoint {
                step_numbers,
                notes: BTreeMap::from([("\"quoted\"\n".to_owned(), "\u{e9}\\".to_owned())]),
                state: BTreeSet::from(["fc.weight.exp_avg".to_owned(), String::new()]),
            };
            assert_eq!(
                Checkpoint::of(&Some(checkpoint.metadata(&Metadata::default()))),
                Ok(Some(checkpoint))
            );
        }
        assert_eq!(Checkpoint::of(&Some(HashMap::new())), Ok(None));
        assert_eq!(Checkpoint::of(&None), Ok(None));
    }

    #[test]
    fn what_is_damaged_is_named() {
        for (text, part) in [
            ("", "found no JSON object"),
            ("[1]", "found no JSON object"),
            (r#"{"notes":{},"state":[]}"#, "the step number is missing"),
            (r#"{"step_number":-1,"notes":{},"state":[]}"#, "the step number is -1, expected a whole number"),
            (r#"{"step_number":4294967296,"notes":{},"state":[]}"#, "is 4294967296, expected"),
            (r#"{"step_number":1.5,"notes":{},"state":[]}"#, "is 1.5, expected"),
            (r#"{"step_number":"7","notes":{},"state":[]}"#, "is \"7\", expected"),
            (r#"{"step_number":[1,-2],"notes":{},"state":[]}"#, "is -2, expected"),
            (r#"{"step_number":7,"state":[]}"#, "as notes"),
            (r#"{"step_number":7,"notes":{"a":1},"state":[]}"#, "as notes"),
            (r#"{"step_number":7,"notes":{}}"#, "as state"),
            (r#"{"step_number":7,"notes":{},"state":[1]}"#, "as state"),
        ] {
            let error = of(text).expect_err(text);
            assert!(error.contains(part) && error.contains("take an earlier checkpoint"), "{text}: {error}");
        }
    }
}
