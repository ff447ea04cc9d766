//! Thousands of damaged files. None causes a panic, a long wait or more memory use than its size justifies. An error
//! names the file and nothing is changed; a file that is accepted is read correctly.

use crate::damage::{Random, damaged, lying, times};
use crate::harness::files::{self, gzip, header, images, labels};
use crate::memory::most_held;
use crate::model::{Model, assert_clean, assert_says, contents, model};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use wgrad::Error;
use wgrad::data::Images;

/// What a test of one format saw.
pub struct Tally {
    refused: usize,
    pub taken: usize,
    longest: Duration,
    pub most_held: i64,
    /// Whether an error may have a line for each of several faults.
    pub lines: bool,
    /// Bytes of memory that any file may take, added to 32 times its size.
    pub room: i64,
}

impl Default for Tally {
    fn default() -> Self {
        Tally { refused: 0, taken: 0, longest: Duration::ZERO, most_held: 0, lines: false, room: 64 << 20 }
    }
}

impl Tally {
    /// Runs one case within its bounds. The error must name the file.
    pub fn run<T>(&mut self, name: &str, bytes: &[u8], case: impl FnOnce() -> Result<T, Error>) -> Option<T> {
        let started = Instant::now();
        let (result, held) = most_held(|| catch_unwind(AssertUnwindSafe(case)));
        let elapsed = started.elapsed();
        let kept = || keep(name, bytes);
        let result = result.unwrap_or_else(|_| panic!("{} makes it panic", kept()));
        // A hang, not a machine that has other work.
        assert!(elapsed < Duration::from_secs(30), "{} takes {elapsed:?}", kept());
        let bound = self.room + 32 * bytes.len() as i64;
        assert!(held < bound, "{} takes {held} bytes of memory, expected below {bound}", kept());
        self.longest = self.longest.max(elapsed);
        self.most_held = self.most_held.max(held);
        match result {
            Ok(found) => {
                self.taken += 1;
                Some(found)
            }
            Err(error) => {
                self.refused += 1;
                match self.lines {
                    true => {
                        let text = error.to_string();
                        assert!(text.contains(name), "expected \"{name}\" in: {text}");
                        text.lines().for_each(assert_clean);
                    }
                    false => assert_says(&error, &[name]),
                }
                None
            }
        }
    }

    pub fn tell(&self, format: &str) {
        eprintln!(
            "{format}: {} files, {} refused, {} taken as they say; longest {:?}, most memory {} bytes",
            self.refused + self.taken,
            self.refused,
            self.taken,
            self.longest,
            self.most_held
        );
    }
}

/// A new file each time: some file systems write one that is replaced in place to the disk at once.
pub fn fresh(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    // The first time there is none.
    let _ = std::fs::remove_file(folder.join(name));
    files::write(folder, name, bytes)
}

/// Keeps a file that a test fails with.
fn keep(name: &str, bytes: &[u8]) -> String {
    let path = std::env::temp_dir().join(format!("wgrad-fails-{name}"));
    match std::fs::write(&path, bytes) {
        Ok(()) => path.display().to_string(),
        Err(e) => format!("a file that could not be kept ({e})"),
    }
}

/// Files of a small training: weights, checkpoints with and without notes, and the same of another optimizer.
fn weights_files(folder: &Path) -> Vec<Vec<u8>> {
    let mut model = model().unwrap();
    let path = folder.join("seed");
    let mut seeds = Vec::new();
    model.weights.save(&path).unwrap();
    seeds.push(std::fs::read(&path).unwrap());
    for notes in [BTreeMap::new(), BTreeMap::from([("seed".to_owned(), "7\n\"".to_owned())])] {
        model.session.save_checkpoint_with(&path, &notes).unwrap();
        seeds.push(std::fs::read(&path).unwrap());
    }
    seeds
}

/// The tensors of a file as its own library reads them, which must all be there and of f32.
fn tensors(bytes: &[u8], names: impl Iterator<Item = String>) -> BTreeMap<String, Vec<u32>> {
    let file = SafeTensors::deserialize(bytes).expect("a file that was taken is one");
    let bits = |name: &str| {
        let tensor = file.tensor(name).expect("a tensor that was taken is there");
        assert_eq!(tensor.dtype(), safetensors::Dtype::F32, "{name}");
        tensor.data().as_chunks().0.iter().map(|&bytes| u32::from_le_bytes(bytes)).collect()
    };
    names.map(|name| (name.clone(), bits(&name))).collect()
}

/// Loads damaged files, and compares what the weights hold then with what they held or with the file.
fn load_damaged(
    seed: u64,
    format: &str,
    load: impl Fn(&mut Model, &Path) -> Result<(), Error>,
    is_loaded: impl Fn(&str) -> bool,
) {
    let folder = TempDir::new().unwrap();
    let seeds = weights_files(folder.path());
    let mut model = model().unwrap();
    let mut held = contents(&model.weights);
    let (mut random, mut tally) = (Random::new(seed), Tally::default());
    for case in 0..1500 * times() {
        let bytes = if case % 2 == 0 { damaged(&mut random, &seeds) } else { lying(&mut random, &seeds) };
        let path = fresh(folder.path(), "w.safetensors", &bytes);
        let taken = tally.run("w.safetensors", &bytes, || load(&mut model, &path)).is_some();
        if taken {
            let names = held.keys().filter(|name| is_loaded(name)).cloned();
            held.extend(tensors(&bytes, names.collect::<Vec<_>>().into_iter()));
        }
        // Whatever a refused file changed would still be there.
        if taken || case % 50 == 0 {
            assert!(contents(&model.weights) == held, "{}", keep("w.safetensors", &bytes));
        }
    }
    assert!(contents(&model.weights) == held);
    tally.tell(format);
    assert!(tally.taken > 0 && tally.refused > tally.taken);
}

/// Checks that a file's contents in memory are loaded, or refused in the same words, as the file is.
fn as_by_path<T: PartialEq + Debug>(by_path: &Result<T, Error>, found: Result<T, Error>, path: &Path) {
    let told = |error: &Error| error.to_string().replace(path.to_str().unwrap(), "(bytes in memory)");
    match (by_path, &found) {
        (Ok(expected), Ok(found)) => assert_eq!(found, expected),
        (Err(expected), Err(found)) => assert_eq!(told(found), told(expected)),
        _ => panic!("{by_path:?} by path, {found:?} by bytes"),
    }
}

#[test]
fn damaged_weights_change_nothing() {
    let load = |model: &mut Model, path: &Path| {
        let by_path = model.weights.load(path);
        as_by_path(&by_path, model.weights.load_bytes(&std::fs::read(path).unwrap()), path);
        by_path
    };
    load_damaged(1, "weights", load, |name| !name.ends_with("momentum_buffer"));
}

#[test]
fn damaged_checkpoints_change_nothing() {
    let load = |model: &mut Model, path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        let loaded = model.session.load_checkpoint(path);
        as_by_path(&loaded, model.session.load_checkpoint_bytes(&bytes), path);
        let notes = loaded?;
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let text = &header.metadata().as_ref().unwrap()["wgrad_checkpoint"];
        let fields: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(fields["step_number"], model.session.step_number());
        assert_eq!(fields["notes"], serde_json::to_value(notes).unwrap());
        Ok(())
    };
    load_damaged(2, "checkpoints", load, |_| true);
}

/// An IDX file read without any care: sizes and elements.
fn plainly(bytes: &[u8]) -> (Vec<usize>, &[u8]) {
    let dimensions = usize::from(bytes[3]);
    let sizes = bytes[4..4 + 4 * dimensions].as_chunks().0;
    (sizes.iter().map(|&size| u32::from_be_bytes(size) as usize).collect(), &bytes[4 + 4 * dimensions..])
}

#[test]
fn damaged_data_is_refused() {
    let folder = TempDir::new().unwrap();
    let integers: Vec<u8> =
        labels(20)[8..].iter().flat_map(|&class| i32::from(class).to_be_bytes()).collect();
    let rows: Vec<u8> = labels(20)[8..]
        .iter()
        .flat_map(|&class| [class.into(), 7, 9, -1, 0, 0, 1, 2])
        .flat_map(i32::to_be_bytes)
        .collect();
    let seeds = [
        images(20, 8, 8),
        images(3, 5, 1),
        labels(20),
        [header(0x0c01, &[20]), integers].concat(),
        [header(0x0c02, &[20, 8]), rows].concat(),
    ];
    let zipped: Vec<Vec<u8>> = seeds.iter().map(|bytes| gzip(bytes)).collect();
    let mut names = Vec::new();
    for (name, bytes) in [("i", &seeds[0]), ("l", &seeds[2])] {
        names.push(files::write(folder.path(), name, bytes));
    }
    let (mut random, mut plain, mut gz) = (Random::new(3), Tally::default(), Tally::default());
    for case in 0..2000 * times() {
        let as_labels = random.below(2) == 0;
        // Damage within, damage to the compressed data, none but by the header's own numbers.
        let (name, bytes, inner) = match case % 4 {
            0 | 1 => {
                let bytes = damaged(&mut random, &seeds);
                ("d", bytes.clone(), Some(bytes))
            }
            2 => {
                let inner = damaged(&mut random, &seeds);
                ("d.gz", gzip(&inner), Some(inner))
            }
            _ => ("d.gz", damaged(&mut random, &zipped), None),
        };
        let path = fresh(folder.path(), name, &bytes);
        let [images, labels] = if as_labels { [&names[0], &path] } else { [&path, &names[1]] };
        let tally = if name == "d" { &mut plain } else { &mut gz };
        let Some(data) = tally.run(name, &bytes, || Images::from_files(images, labels, 10)) else {
            continue;
        };
        let Some(inner) = inner.or_else(|| unzipped(&bytes)) else {
            panic!("{} was taken but can't be unpacked", keep(name, &bytes))
        };
        let (sizes, elements) = plainly(&inner);
        let agrees = if as_labels {
            let width = elements.len() / sizes[0];
            let class = |row: &[u8]| if width == 1 { row[0] } else { row[3] };
            data.labels() == elements.chunks(width).map(class).collect::<Vec<_>>()
        } else {
            let all: Vec<u8> = (0..data.len()).flat_map(|i| data.image(i).unwrap()).copied().collect();
            let sizes_of = [data.len(), data.channels(), data.rows(), data.columns()];
            // Where there are three, images have one channel.
            let sizes = if sizes.len() == 3 { vec![sizes[0], 1, sizes[1], sizes[2]] } else { sizes };
            sizes_of == sizes[..] && all == elements
        };
        assert!(agrees, "{}", keep(name, &bytes));
    }
    plain.tell("IDX");
    gz.tell("IDX, gzipped");
    assert!(plain.taken > 0 && gz.taken > 0);
}

fn unzipped(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut result = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(bytes), &mut result).ok()?;
    Some(result)
}
