//! What files say of a network besides its tensors: class names, normalisation, input size, notes.
//!
//! A file of weights holds it as JSON under one key, a checkpoint within its own JSON. Texts that other programs wrote are
//! notes.

use super::Weights;
use super::checkpoint::{self, metadata_of};
use super::contents::Origin;
use super::reader::Reader;
use crate::error::{Error, Result};
use crate::file::printable;
use crate::tensor::Shape;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::PoisonError;

/// The key in the metadata of a file of weights.
const KEY: &str = "wgrad_metadata";

/// What safetensors files say of their layout. Hugging Face's libraries refuse a file that says none of these.
const LAYOUT: &str = "format";
const LAYOUTS: [&str; 4] = ["pt", "tf", "flax", "mlx"];

/// The most bytes that metadata may have as JSON.
const MOST: usize = 1 << 20;

/// What a program has to know of a network to use it, besides its tensors. [`Weights::set_metadata`] keeps it with the
/// weights, every file of them holds it, and [`Metadata::read`] reads it in any process.
///
/// ```no_run
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::weights::Metadata;
///
/// # fn save(weights: &wgrad::Weights) -> wgrad::Result<()> {
/// let mut metadata = Metadata::default();
/// metadata.network = Some("resnet18".into());
/// metadata.class_names = ["cat", "dog"].map(String::from).to_vec();
/// metadata.mean = vec![0.485, 0.456, 0.406];
/// metadata.deviation = vec![0.229, 0.224, 0.225];
/// metadata.input_shape = Some([3, 224, 224].into());
/// metadata.notes.insert("trained on".into(), "pictures of 2026".into());
/// weights.set_metadata(metadata)?;
/// weights.save("pets.safetensors")?;
///
/// // In another process:
/// let metadata = Metadata::read("pets.safetensors")?;
/// assert_eq!(metadata.class_names, ["cat", "dog"]);
/// # Ok(())
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Default, Debug)]
#[non_exhaustive]
pub struct Metadata {
    /// The network whose weights these are, by its name in [`models`](crate::nn::models::by_name).
    pub network: Option<String>,
    /// Names of the classes, by label.
    pub class_names: Vec<String>,
    /// The mean of each channel that is subtracted from inputs.
    pub mean: Vec<f32>,
    /// The standard deviation of each channel that inputs are divided by.
    pub deviation: Vec<f32>,
    /// Shape of one input, without the batch: \[channels, height, width] for images.
    pub input_shape: Option<Shape>,
    /// Texts of your own, by name. Read from another program's file, these are its texts, but for `format` if it is `pt`.
    pub notes: BTreeMap<String, String>,
}

impl Metadata {
    /// Reads the metadata of a file of weights or a checkpoint. It is empty if the file has none, as PyTorch's files.
    ///
    /// # Errors
    /// A file that can't be read, is damaged, or is of a format that [`Weights::load`] does not read.
    pub fn read(path: impl AsRef<Path>) -> Result<Metadata> {
        Ok(Reader::new(Origin::File(path.as_ref()), 0)?.metadata)
    }

    /// [`Metadata::read`] of a file's contents in host memory.
    ///
    /// # Errors
    /// As [`Metadata::read`].
    pub fn of_bytes(bytes: &[u8]) -> Result<Metadata> {
        Ok(Reader::new(Origin::Bytes(bytes), 0)?.metadata)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Metadata::default()
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if self.mean.len() != self.deviation.len() {
            return Err(format!(
                "mean and deviation need one number for each channel, found {} and {}",
                self.mean.len(),
                self.deviation.len()
            ));
        }
        if let Some(mean) = self.mean.iter().find(|mean| !mean.is_finite()) {
            return Err(format!("expected finite means, found {mean}"));
        }
        if let Some(deviation) = self.deviation.iter().find(|&&x| !(x > 0.0 && x.is_finite())) {
            return Err(format!("expected deviations above 0, found {deviation}"));
        }
        let bytes = self.to_json().to_string().len();
        if bytes > MOST {
            return Err(format!(
                "takes {bytes} bytes, the limit is {MOST}; keep long texts in a file of their own"
            ));
        }
        Ok(())
    }

    pub(super) fn to_json(&self) -> Value {
        let mut fields = Map::new();
        let mut field = |name: &str, value: Value| {
            fields.insert(name.to_owned(), value);
        };
        if let Some(network) = &self.network {
            field("network", json!(network));
        }
        if !self.class_names.is_empty() {
            field("class_names", json!(self.class_names));
        }
        if !self.mean.is_empty() {
            field("mean", json!(self.mean));
            field("deviation", json!(self.deviation));
        }
        if let Some(shape) = &self.input_shape {
            field("input_shape", json!(shape[..]));
        }
        if !self.notes.is_empty() {
            field("notes", json!(self.notes));
        }
        Value::Object(fields)
    }

    /// The key and the text that files hold it by.
    pub(crate) fn to_text(&self) -> Option<(String, String)> {
        (!self.is_empty()).then(|| (KEY.to_owned(), self.to_json().to_string()))
    }

    /// The texts of a file of weights.
    pub(super) fn of_weights(&self) -> HashMap<String, String> {
        self.to_text().into_iter().chain([self.layout()]).collect()
    }

    /// The text for the layout: PyTorch's, unless the tensors came from a file of another.
    pub(super) fn layout(&self) -> (String, String) {
        let noted = self.notes.get(LAYOUT).filter(|noted| LAYOUTS.contains(&noted.as_str()));
        (LAYOUT.to_owned(), noted.map_or("pt", String::as_str).to_owned())
    }

    /// Whether a file's text says that its layout is PyTorch's, as that of all files that are written here.
    pub(super) fn is_usual_layout(name: &str, text: &str) -> bool {
        (name, text) == (LAYOUT, "pt")
    }

    /// Reads a file's texts.
    ///
    /// # Errors
    /// Damaged metadata.
    pub(crate) fn of(texts: &Option<HashMap<String, String>>) -> Result<Metadata, String> {
        let Some(texts) = texts else { return Ok(Metadata::default()) };
        let damaged = |what: &str| {
            format!("{what} in its metadata \"{KEY}\"; the file is damaged or was changed, save it again")
        };
        let own = match texts.get(KEY) {
            Some(text) => Some(
                serde_json::from_str(text)
                    .map_err(|e| damaged(&format!("found no JSON ({})", printable(&e.to_string()))))?,
            ),
            None => metadata_of(texts),
        };
        let mut metadata = match own {
            Some(value) => {
                Metadata::of_json(&value).map_err(|field| damaged(&format!("{field} can't be read")))?
            }
            None => Metadata::default(),
        };
        for (name, text) in texts.iter().filter(|(name, _)| *name != KEY && *name != checkpoint::KEY) {
            metadata.notes.entry(name.clone()).or_insert_with(|| text.clone());
        }
        Ok(metadata)
    }

    /// The error is the name of the field that is none.
    fn of_json(value: &Value) -> Result<Metadata, &'static str> {
        fn list<T>(
            fields: &Map<String, Value>,
            name: &'static str,
            of: impl Fn(&Value) -> Option<T>,
        ) -> Result<Option<Vec<T>>, &'static str> {
            let Some(value) = fields.get(name) else { return Ok(None) };
            let items = value.as_array().and_then(|items| items.iter().map(of).collect());
            items.map(Some).ok_or(name)
        }
        let fields = value.as_object().ok_or("the object")?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let number = |value: &Value| value.as_f64().map(|number| number as f32);
        let size = |value: &Value| value.as_u64().and_then(|size| usize::try_from(size).ok());
        let notes = match fields.get("notes") {
            Some(notes) => notes
                .as_object()
                .and_then(|notes| {
                    notes.iter().map(|(name, note)| Some((name.clone(), text(note)?))).collect()
                })
                .ok_or("notes")?,
            None => BTreeMap::new(),
        };
        let network = match fields.get("network") {
            Some(network) => Some(text(network).ok_or("network")?),
            None => None,
        };
        let metadata = Metadata {
            network,
            class_names: list(fields, "class_names", text)?.unwrap_or_default(),
            mean: list(fields, "mean", number)?.unwrap_or_default(),
            deviation: list(fields, "deviation", number)?.unwrap_or_default(),
            input_shape: list(fields, "input_shape", size)?.map(Shape::from),
            notes,
        };
        if metadata.check().is_err() {
            return Err("mean and deviation");
        }
        Ok(metadata)
    }
}

impl Weights {
    /// Sets the metadata, which [`Weights::save`] and [`Session::save_checkpoint`](crate::Session::save_checkpoint)
    /// write. Clones share it. To resume from a checkpoint restores it; [`Weights::load`] leaves it as it is, because a
    /// network that starts from another's weights need not have its classes.
    ///
    /// # Errors
    /// Means and deviations of different lengths, or that are not finite; deviations that are not above 0; more than a
    /// mebibyte.
    pub fn set_metadata(&self, metadata: Metadata) -> Result<()> {
        metadata.check().map_err(|message| Error::Setting { setting: "metadata", message })?;
        *self.metadata.lock().unwrap_or_else(PoisonError::into_inner) = metadata;
        Ok(())
    }

    /// The metadata that was set last, or that a checkpoint held.
    pub fn metadata(&self) -> Metadata {
        self.metadata.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Metadata {
        Metadata {
            network: Some("resnet18".into()),
            class_names: vec!["\"quoted\"\n".into(), "\u{e9}".into(), String::new()],
            mean: vec![0.485, -1e-30, f32::MAX],
            deviation: vec![0.1, f32::MIN_POSITIVE, 3e38],
            input_shape: Some([3, 224, 224].into()),
            notes: BTreeMap::from([("a".into(), "b\\".into())]),
        }
    }

    #[test]
    fn metadata_is_read_as_it_was_written() {
        for metadata in [metadata(), Metadata::default(), Metadata { class_names: vec![], ..metadata() }] {
            let mut texts = metadata.of_weights();
            texts.retain(|name, text| !Metadata::is_usual_layout(name, text));
            assert_eq!(Metadata::of(&Some(texts)).as_ref(), Ok(&metadata));
        }
        assert_eq!(Metadata::of(&None), Ok(Metadata::default()));
        let foreign = HashMap::from([("by".to_owned(), "them".to_owned())]);
        assert_eq!(Metadata::of(&Some(foreign)).expect("it is read").notes["by"], "them");
    }

    #[test]
    fn the_layout_is_pytorchs_unless_a_file_had_another() {
        let noted = |note: &str| {
            let notes = BTreeMap::from([("format".to_owned(), note.to_owned())]);
            Metadata { notes, ..metadata() }.of_weights()["format"].clone()
        };
        assert_eq!(["pt", "tf", "mlx", "RGB"].map(noted), ["pt", "tf", "mlx", "pt"]);
        assert_eq!(Metadata::default().of_weights(), HashMap::from([("format".into(), "pt".into())]));
    }

    #[test]
    fn what_is_damaged_or_wrong_is_named() {
        for (text, part) in [
            ("", "found no JSON"),
            ("[]", "the object can't be read"),
            (r#"{"class_names":[1]}"#, "class_names"),
            (r#"{"mean":["x"]}"#, "mean"),
            (r#"{"mean":[1.0]}"#, "mean and deviation"),
            (r#"{"mean":[0],"deviation":[0]}"#, "mean and deviation"),
            (r#"{"input_shape":[-1]}"#, "input_shape"),
            (r#"{"notes":{"a":1}}"#, "notes"),
            (r#"{"network":18}"#, "network"),
        ] {
            let texts = HashMap::from([(KEY.to_owned(), text.to_owned())]);
            let error = Metadata::of(&Some(texts)).expect_err(text);
            assert!(error.contains(part) && error.contains("save it again"), "{text}: {error}");
        }
        for (metadata, part) in [
            (Metadata { mean: vec![1.0], ..Metadata::default() }, "found 1 and 0"),
            (Metadata { mean: vec![f32::NAN; 3], ..metadata() }, "NaN"),
            (Metadata { deviation: vec![1.0, 0.0, 1.0], ..metadata() }, "above 0, found 0"),
            (Metadata { class_names: vec!["x".repeat(MOST)], ..metadata() }, "the limit is"),
        ] {
            let error = metadata.check().expect_err(part);
            assert!(error.contains(part), "{error}");
        }
    }
}
