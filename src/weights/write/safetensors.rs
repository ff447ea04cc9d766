//! The header of a safetensors file, to the byte as the library `safetensors` writes it.

use crate::file::printable;
use crate::tensor::Shape;
use crate::weights::StoredType;
use crate::weights::header::MOST_HEADER;
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::collections::HashMap;

/// A tensor's name, type and shape.
pub(in crate::weights) type Described<'t> = (&'t str, StoredType, &'t [usize]);

/// How the format wants tensors to follow each other: wide types first, so that each is aligned, then by name.
pub(in crate::weights) fn order(left: Described<'_>, right: Described<'_>) -> Ordering {
    right.1.dtype().cmp(&left.1.dtype()).then_with(|| left.0.cmp(right.0))
}

/// The length of the header and the header, of sorted tensors. The error says what does not fit.
pub(in crate::weights) fn header<'t>(
    tensors: impl ExactSizeIterator<Item = Described<'t>>,
    texts: &HashMap<String, String>,
) -> Result<Vec<u8>, String> {
    let mut fields = Vec::with_capacity(tensors.len() + 1);
    // In order, so that equal files have equal bytes.
    let mut texts: Vec<(&String, &String)> = texts.iter().collect();
    texts.sort_unstable();
    let text = |(name, text): (&String, &String)| format!("{}:{}", json!(name), json!(text));
    let texts: Vec<String> = texts.into_iter().map(text).collect();
    fields.push(format!("\"__metadata__\":{{{}}}", texts.join(",")));
    let mut at = 0u64;
    for (name, ty, shape) in tensors {
        if name == "__metadata__" {
            return Err(
                "has a tensor \"__metadata__\", a name that safetensors files reserve; rename it".into()
            );
        }
        let elements = shape.iter().fold(1u64, |product, &size| product.saturating_mul(size as u64));
        let bits = elements % 8 * ty.bits() as u64;
        if !bits.is_multiple_of(8) {
            return Err(format!(
                "tensor \"{}\" of {ty}{} does not end at a whole byte, as safetensors files need it",
                printable(name),
                Shape::from(shape.to_vec())
            ));
        }
        let end =
            at.checked_add(ty.bytes(elements)).ok_or("the tensors take more bytes than a file can have")?;
        // The fields of an object in JSON have this order in the format's own library.
        fields.push(format!(
            "{}:{{\"dtype\":\"{ty}\",\"shape\":{},\"data_offsets\":[{at},{end}]}}",
            Value::from(name),
            json!(shape)
        ));
        at = end;
    }
    let mut text = format!("{{{}}}", fields.join(",")).into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    if text.len() as u64 > MOST_HEADER {
        return Err(format!(
            "would need a header of {} bytes, a safetensors file has at most {MOST_HEADER}; give the tensors shorter names",
            text.len()
        ));
    }
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut text);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use crate::weights::{Metadata, StoredTensor, StoredType, TensorFile, TensorWriter};
    use safetensors::tensor::TensorView;

    #[test]
    fn files_are_those_of_the_library_to_the_byte() {
        let tensors = [
            ("b", StoredType::F32, vec![2, 1], vec![1, 2, 3, 4, 5, 6, 7, 8]),
            ("a\n\"\u{e9}\u{1f600}", StoredType::F32, vec![0, 3], vec![]),
            ("steps", StoredType::I64, vec![], vec![9, 0, 0, 0, 0, 0, 0, 0]),
            ("", StoredType::F16, vec![1], vec![0, 0x3c]),
            ("mask", StoredType::Bool, vec![3], vec![1, 0, 1]),
        ];
        for metadata in
            [Metadata::default(), Metadata { network: Some("n\u{1b}".into()), ..Metadata::default() }]
        {
            let mut writer = TensorWriter::new();
            writer.set_metadata(metadata.clone()).expect("it is sound");
            for (name, ty, shape, bytes) in &tensors {
                let tensor = StoredTensor::new(*ty, shape.clone(), bytes.clone()).expect("bytes fit");
                writer.add(*name, tensor).expect("the name is new");
            }
            let folder = tempfile::tempdir().expect("a temporary folder can be made");
            let path = folder.path().join("t.safetensors");
            writer.save_safetensors(&path).expect("it can be written");
            let found = std::fs::read(&path).expect("it is there");
            // The library writes texts in any order.
            let is_found = |_| {
                let views = tensors.iter().map(|(name, ty, shape, bytes)| {
                    (*name, TensorView::new(ty.dtype(), shape.clone(), bytes).expect("bytes fit"))
                });
                safetensors::serialize(views, Some(metadata.of_weights())).expect("it fits") == found
            };
            assert!((0..64).any(is_found));
            assert!(found[8..].starts_with(b"{\"__metadata__\":{\"format\":\"pt\""));

            let file = TensorFile::open(&path).expect("it is whole");
            assert_eq!((file.metadata(), file.tensors().len()), (&metadata, tensors.len()));
            for (name, ty, shape, bytes) in &tensors {
                let found = file.read(name).expect("it is there");
                assert_eq!((found.ty(), &found.shape()[..], found.bytes()), (*ty, &shape[..], &bytes[..]));
            }
        }
    }

    #[test]
    fn what_the_format_has_no_place_for_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("t.safetensors");
        for (name, ty, shape, part) in [
            ("__metadata__", StoredType::U8, [2], "a name that safetensors files reserve"),
            ("odd", StoredType::F4, [3], "\"odd\" of F4[3] does not end at a whole byte"),
        ] {
            let mut writer = TensorWriter::new();
            let tensor = StoredTensor::new(ty, shape, vec![0; 2]).expect("bytes fit");
            writer.add(name, tensor).expect("the name is new");
            let error = writer.save_safetensors(&path).expect_err("it is refused").to_string();
            assert!(error.contains(part), "{error}");
        }
        let none = || StoredTensor::new(StoredType::U8, [0], vec![]);
        let error = TensorWriter::new().add_with("a", StoredType::U8, [1 << 63, 2, 0], none);
        let error = error.expect_err("the product is too large").to_string();
        assert!(error.contains("more elements than can be counted"), "{error}");
    }

    #[test]
    fn two_of_a_name_and_broken_promises_are_refused() {
        let number = || StoredTensor::new(StoredType::U8, [1], vec![1]).expect("it fits");
        let mut writer = TensorWriter::new();
        writer.add("a", number()).expect("the name is new");
        assert!(writer.add("a", number()).expect_err("it is there").to_string().contains("two of the name"));
        writer.add_with("b", StoredType::U8, [2], || Ok(number())).expect("the name is new");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        for path in ["t.pt", "t.safetensors"].map(|name| folder.path().join(name)) {
            let error = if path.extension().is_some_and(|end| end == "pt") {
                writer.save_pytorch(&path)
            } else {
                writer.save_safetensors(&path)
            };
            let error = error.expect_err("the shape is another").to_string();
            assert!(error.contains("was to be U8[2], and is U8[1]"), "{error}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("it is there").count(), 0, "nothing is left");
    }
}
