//! Changed headers of safetensors files, beside the crate `safetensors`: each single change, and thousands at random. The
//! library takes those that the crate takes, and finds the same tensors in them.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use safetensors::SafeTensors;
use std::collections::{BTreeMap, BTreeSet};
use tempfile::TempDir;
use wgrad::weights::TensorFile;

/// Tensors of 24, 0, 6 and 2 bytes, the last with elements of half a byte, and texts.
const HEADER: &str = r#"{"__metadata__":{"from":"nowhere"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"U8","shape":[0,5],"data_offsets":[24,24]},"c.weight":{"dtype":"BF16","shape":[3],"data_offsets":[24,30]},"d":{"dtype":"F4","shape":[4],"data_offsets":[30,32]}}"#;

/// What a change puts in.
const TOKENS: [&str; 40] = [
    "0",
    "1",
    "2",
    "3",
    "5",
    "6",
    "12",
    "24",
    "30",
    "-1",
    "1.0",
    "1e1",
    "18446744073709551615",
    "18446744073709551616",
    "4294967296",
    "null",
    "true",
    "[]",
    "[0]",
    "[2,3]",
    "[24,30]",
    "[0,24]",
    "{}",
    "\"a\"",
    "\"b\"",
    "\"F32\"",
    "\"F64\"",
    "\"U8\"",
    "\"F4\"",
    "\"BOOL\"",
    "\"float\"",
    "\"__metadata__\"",
    "\"dtype\"",
    "\"shape\"",
    "\"data_offsets\"",
    "\"\\u0061\"",
    "\"\\ud800\"",
    ",",
    ":",
    " ",
];

/// A header's tokens: punctuation, texts, and what stands between.
fn tokens(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' => rest[1..].find('"').map_or(rest.len(), |at| at + 2),
            '0'..='9' => rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        found.push(&rest[..end]);
        rest = &rest[end..];
    }
    found
}

/// Whether a field is there twice. The last one counts here, without a look at the first; the crate looks at both.
fn repeats(header: &str) -> bool {
    let tokens = tokens(header);
    let mut levels = vec![BTreeSet::new()];
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            "{" => levels.push(BTreeSet::new()),
            "}" => drop(levels.pop()),
            _ if tokens.get(at + 1) == Some(&":") => {
                let name = serde_json::from_str::<String>(token).unwrap_or_default();
                if levels.last_mut().is_some_and(|names| !names.insert(name)) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

/// The header after some tokens are left out, doubled, exchanged or put in.
fn changed(rng: &mut ChaCha8Rng) -> String {
    let mut tokens = tokens(HEADER);
    for _ in 0..rng.random_range(0..=3) {
        let at = rng.random_range(0..tokens.len());
        let other = rng.random_range(0..tokens.len());
        let new = TOKENS[rng.random_range(0..TOKENS.len())];
        match rng.random_range(0..8) {
            0 => drop(tokens.remove(at)),
            1 => tokens.insert(at, tokens[other]),
            2 => tokens.swap(at, other),
            3 => tokens.insert(at, new),
            _ => tokens[at] = new,
        }
    }
    tokens.concat()
}

/// The header with each of its tokens in turn left out, and replaced by each that a change puts in.
fn changed_once() -> impl Iterator<Item = String> {
    let with = |at: usize, new: &str| {
        let mut tokens = tokens(HEADER);
        tokens[at] = new;
        tokens.concat()
    };
    (0..tokens(HEADER).len()).flat_map(move |at| TOKENS.into_iter().chain([""]).map(move |new| with(at, new)))
}

/// A file with this header. Its length and the bytes behind it differ by these from what they should be.
fn file(header: &str, [length, contents]: [i64; 2]) -> Vec<u8> {
    let length = (header.len() as i64 + length) as u64;
    let contents = (32 + contents) as u8;
    [&length.to_le_bytes()[..], header.as_bytes(), &(0..contents).collect::<Vec<_>>()].concat()
}

type Tensors = BTreeMap<String, (String, Vec<usize>, Vec<u8>)>;

/// The tensors that the crate finds.
fn expected(bytes: &[u8]) -> Result<Tensors, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let tensors = file.tensors().into_iter();
    let tensor = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
        (name, (view.dtype().to_string(), view.shape().to_vec(), view.data().to_vec()))
    };
    Ok(tensors.map(tensor).collect())
}

/// The tensors that the library finds. What it opens it can read.
fn found(path: &std::path::Path) -> wgrad::Result<Tensors> {
    let file = TensorFile::open(path)?;
    let tensor = |info: wgrad::weights::TensorInfo<'_>| {
        let bytes = file.read(info.name).expect("the header is taken").bytes().to_vec();
        (info.name.to_owned(), (info.ty.to_string(), info.shape.to_vec(), bytes))
    };
    Ok(file.tensors().map(tensor).collect())
}

#[test]
fn changed_headers_are_taken_as_the_crate_takes_them() {
    let folder = TempDir::new().expect("there is room for temporary files");
    let path = folder.path().join("changed.safetensors");
    let mut rng = ChaCha8Rng::seed_from_u64(41);
    let changed = (0..20_000).map(|_| {
        let header = changed(&mut rng);
        (header, [(); 2].map(|()| if rng.random_range(0..12) == 0 { rng.random_range(-1..=1) } else { 0 }))
    });
    let all = changed_once().map(|header| (header, [0; 2])).chain(changed);
    let (mut taken, mut refused) = (0, 0);
    let mut wrong = Vec::new();
    for (header, off) in all.filter(|(header, _)| !repeats(header)) {
        let bytes = file(&header, off);
        std::fs::write(&path, &bytes).expect("there is room");
        match (expected(&bytes), found(&path)) {
            (Ok(expected), Ok(found)) if expected == found => taken += 1,
            (Err(_), Err(_)) => refused += 1,
            (expected, found) => wrong.push(format!("{header}\n  crate: {expected:?}\n  here: {found:?}")),
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong[..wrong.len().min(12)].join("\n"));
    assert!(taken > 1000 && refused > 1000, "{taken} taken, {refused} refused");
}
