//! The file of choices: JSON, by adapter and driver.
//!
//! ```json
//! {"format": "wgrad tuning 1", "adapters": [{"adapter": "...", "backend": "...", "driver": "...", "choices": [
//!   {"operator": "conv2d", "attributes": "...", "types": ["f32[8, 64, 16, 16]"], "variant": "register",
//!    "microseconds": {"register": 6500.0, "tiled": 7100.0}, "refused": {"direct": "..."}}]}]}
//! ```

use crate::device::AdapterSummary;
use crate::error::{Error, Result};
use crate::file;
use crate::plan::{TunedChoice, Tuning, TuningKey};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

/// What the file says that it is.
const FORMAT: &str = "wgrad tuning 1";
/// Longer files are not read: a choice takes some five hundred bytes.
const LARGEST: u64 = 64 << 20;
/// No kernel takes longer than ten days.
const MOST_MICROSECONDS: f64 = 1e12;

/// Adapter, backend and driver.
type Identity = [String; 3];

/// The choices of a file.
#[derive(Default)]
pub(super) struct Store {
    adapters: BTreeMap<Identity, Tuning>,
}

impl Store {
    /// The choices of this file; none if it does not exist.
    pub(super) fn load(path: &Path) -> Result<Store> {
        let bytes = match file::read_whole(path, LARGEST) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Store::default()),
            Err(source) => return Err(Error::File { action: "reading", path: path.to_owned(), source }),
        };
        let refuse = |message: String| Error::Data { path: path.to_owned(), message };
        let value: Value = serde_json::from_slice(&bytes)
            .map_err(|e| refuse(format!("is no file of kernel choices: {e}; delete it, or name another")))?;
        parse(&value).map_err(|message| refuse(format!("{message}; delete it to measure again")))
    }

    /// The choices for this adapter and driver.
    pub(super) fn of(&self, adapter: &AdapterSummary) -> Tuning {
        self.adapters.get(&identity(adapter)).cloned().unwrap_or_default()
    }

    /// Replaces the choices for this adapter and driver.
    pub(super) fn put(&mut self, adapter: &AdapterSummary, tuning: &Tuning) {
        self.adapters.insert(identity(adapter), tuning.clone());
    }

    pub(super) fn save(&self, path: &Path) -> Result<()> {
        let adapters: Vec<Value> = self.adapters.iter().map(section).collect();
        let mut text = format!("{:#}", json!({ "format": FORMAT, "adapters": adapters }));
        text.push('\n');
        file::write_whole(path, text.as_bytes())
    }
}

fn identity(adapter: &AdapterSummary) -> Identity {
    [&adapter.name, &adapter.backend, &adapter.driver].map(Clone::clone)
}

fn section((identity, tuning): (&Identity, &Tuning)) -> Value {
    let [adapter, backend, driver] = identity;
    let choices: Vec<Value> = tuning.choices().map(entry).collect();
    json!({ "adapter": adapter, "backend": backend, "driver": driver, "choices": choices })
}

fn entry((key, choice): (&TuningKey, &TunedChoice)) -> Value {
    // Tenths of a microsecond: a clock measures no more.
    let microseconds =
        |(name, seconds): (&String, &f64)| (name.clone(), json!((seconds * 1e7).round() / 10.0));
    let mut entry = json!({
        "operator": key.operator,
        "attributes": key.attributes,
        "types": key.types,
        "variant": choice.variant,
        "microseconds": choice.seconds.iter().map(microseconds).collect::<Map<_, _>>(),
    });
    if !choice.refused.is_empty() {
        entry["refused"] = json!(choice.refused);
    }
    entry
}

fn parse(value: &Value) -> Result<Store, String> {
    let format = text(value, "format")?;
    if format != FORMAT {
        return Err(format!("has the format {format:?}, expected {FORMAT:?}"));
    }
    let mut store = Store::default();
    for section in list(value, "adapters")? {
        let identity = [text(section, "adapter")?, text(section, "backend")?, text(section, "driver")?];
        let mut tuning = Tuning::default();
        for entry in list(section, "choices")? {
            let types = list(entry, "types")?.iter();
            let types: Option<Vec<String>> = types.map(|ty| Some(ty.as_str()?.to_owned())).collect();
            let key = TuningKey {
                operator: text(entry, "operator")?,
                attributes: text(entry, "attributes")?,
                types: types.ok_or("\"types\" holds something other than texts")?,
            };
            let (mut seconds, mut refused) = (BTreeMap::new(), BTreeMap::new());
            for (name, time) in pairs(entry, "microseconds") {
                let time = time.as_f64().ok_or("\"microseconds\" holds something other than numbers")?;
                if !(0.0..=MOST_MICROSECONDS).contains(&time) {
                    return Err(format!(
                        "\"microseconds\" holds {time:e} for {name:?}, expected 0 to {MOST_MICROSECONDS:e}"
                    ));
                }
                seconds.insert(name.clone(), time * 1e-6);
            }
            for (name, message) in pairs(entry, "refused") {
                let message = message.as_str().ok_or("\"refused\" holds something other than texts")?;
                refused.insert(name.clone(), message.to_owned());
            }
            let variant = text(entry, "variant")?;
            if tuning.get(&key).is_some() {
                return Err(format!(
                    "has two entries for {key} of {:?}, expected one; remove the other",
                    identity[0]
                ));
            }
            tuning.insert(key, TunedChoice { variant, seconds, refused });
        }
        let [adapter, backend, driver] = &identity;
        if store.adapters.contains_key(&identity) {
            return Err(format!(
                "has two sections for adapter {adapter:?}, backend {backend:?}, driver {driver:?}, expected one; move their \"choices\" into one"
            ));
        }
        store.adapters.insert(identity, tuning);
    }
    Ok(store)
}

fn text(value: &Value, name: &str) -> Result<String, String> {
    value[name].as_str().map(str::to_owned).ok_or_else(|| format!("lacks the text \"{name}\""))
}

fn list<'v>(value: &'v Value, name: &str) -> Result<&'v [Value], String> {
    value[name].as_array().map(Vec::as_slice).ok_or_else(|| format!("lacks the list \"{name}\""))
}

fn pairs<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    value[name].as_object().into_iter().flatten()
}
