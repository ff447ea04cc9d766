//! Damaged files, wrong values, paths that can't be written: each error names the problem, and nothing is changed or
//! left half-written. The trainer's command line is in `trainer.rs`.

use crate::harness::device;
use crate::harness::files::{self, TRAIN_IMAGES, TRAIN_LABELS, gzip, header, images, labels, listing};
use safetensors::tensor::{Dtype, TensorView};
use std::path::Path;
use tempfile::TempDir;
use wgrad::data::{Images, Split};
use wgrad::nn::{self, Layer};
use wgrad::{Device, Error, Graph, Mode, Plan, Result, Session, Value, Weights, file, optim};

/// Replaces one training file of a good data set and returns the error of loading it.
fn load_error(name: &str, contents: Option<&[u8]>) -> Error {
    let directory = files::data_set(20, 10);
    let stem = name.trim_end_matches(".gz");
    std::fs::remove_file(directory.path().join(format!("{stem}.gz"))).unwrap();
    if let Some(contents) = contents {
        files::write(directory.path(), name, contents);
    }
    let error = Images::load(directory.path(), Split::Train).expect_err(name);
    assert!(Images::load(directory.path(), Split::Test).is_ok(), "the other split is as it was");
    error
}

fn assert_says(error: &Error, parts: &[&str]) {
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "expected \"{part}\" in: {message}");
    }
}

#[test]
fn whole_data_sets_load_plain_and_gzipped() {
    let directory = files::data_set(20, 10);
    let zipped = Images::load(directory.path(), Split::Train).unwrap();
    assert_eq!((zipped.len(), zipped.rows(), zipped.columns()), (20, 8, 8));
    for (name, contents) in [(TRAIN_IMAGES, images(20, 8, 8)), (TRAIN_LABELS, labels(20))] {
        std::fs::remove_file(directory.path().join(format!("{name}.gz"))).unwrap();
        files::write(directory.path(), name, &contents);
    }
    assert_eq!(Images::load(directory.path(), Split::Train).unwrap(), zipped);
}

#[test]
fn truncated_files_are_refused() {
    let whole = images(20, 8, 8);
    let cut = &whole[..whole.len() - 100];
    let sizes = ["20 x 8 x 8 = 1280 bytes", "found 1180", TRAIN_IMAGES, "truncated"];
    assert_says(&load_error(TRAIN_IMAGES, Some(cut)), &sizes);
    assert_says(&load_error("train-images-idx3-ubyte.gz", Some(&gzip(cut))), &sizes);
    // Cut in the middle of the compressed data, of the header, and to nothing.
    let zipped = gzip(&whole);
    assert_says(&load_error("train-images-idx3-ubyte.gz", Some(&zipped[..zipped.len() / 2])), &["truncated"]);
    assert_says(&load_error(TRAIN_IMAGES, Some(&whole[..7])), &["truncated", "header"]);
    assert_says(&load_error(TRAIN_LABELS, Some(&[])), &["is empty"]);
    assert_says(&load_error("train-labels-idx1-ubyte.gz", Some(&[])), &["is empty"]);
}

#[test]
fn files_that_are_too_long_are_refused() {
    let mut long = labels(20);
    long.push(3);
    let parts = ["too long", "20 = 20 bytes", TRAIN_LABELS];
    assert_says(&load_error(TRAIN_LABELS, Some(&long)), &parts);
    assert_says(&load_error("train-labels-idx1-ubyte.gz", Some(&gzip(&long))), &parts);
    // Bytes after the compressed data.
    let mut trailing = gzip(&labels(20));
    trailing.extend([0; 40]);
    assert_says(
        &load_error("train-labels-idx1-ubyte.gz", Some(&trailing)),
        &["damaged or has bytes after its end"],
    );
}

#[test]
fn files_of_another_kind_are_refused() {
    let error = load_error(TRAIN_IMAGES, Some(&labels(20)));
    assert_says(&error, &["magic number 0x00000801", "expected 0x00000803", "file of labels"]);
    let error = load_error(TRAIN_LABELS, Some(b"<html>not found</html>"));
    assert_says(&error, &["magic number 0x3c68746d", "expected 0x00000801"]);
    let error = load_error("train-images-idx3-ubyte.gz", Some(&images(20, 8, 8)));
    assert_says(&error, &["not gzip", "00 00", "1f 8b", "remove .gz"]);
    let error = load_error(TRAIN_IMAGES, Some(&gzip(&images(20, 8, 8))));
    assert_says(&error, &["is gzip data", "add .gz"]);
    let mut damaged = gzip(&images(20, 8, 8));
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x55;
    let error = load_error("train-images-idx3-ubyte.gz", Some(&damaged));
    assert!(matches!(error, Error::Data { .. }), "{error}");
}

#[test]
fn missing_files_are_named() {
    assert_says(&load_error(TRAIN_IMAGES, None), &["train-images-idx3-ubyte.gz", "does not exist"]);
    let error = Images::load("/nowhere/at/all", Split::Train).unwrap_err();
    assert_says(&error, &["/nowhere/at/all", "does not exist; expected a directory"]);
}

#[test]
fn headers_are_not_believed() {
    // More than memory holds, in a file of a few bytes.
    let huge = header(0x0803, &[u32::MAX as usize; 3]);
    assert_says(
        &load_error(TRAIN_IMAGES, Some(&huge)),
        &["promises 4294967295 x 4294967295 x 4294967295 bytes"],
    );
    let large = header(0x0803, &[60_000, 250, 250]);
    assert_says(&load_error(TRAIN_IMAGES, Some(&large)), &["truncated", "found 0"]);
    assert_says(
        &load_error(TRAIN_IMAGES, Some(&header(0x0803, &[0, 8, 8]))),
        &["holds nothing", "0 x 8 x 8"],
    );
    assert_says(&load_error(TRAIN_IMAGES, Some(&header(0x0803, &[20, 0, 8]))), &["holds nothing"]);
}

#[test]
fn images_and_labels_must_agree() {
    let error = load_error(TRAIN_LABELS, Some(&labels(19)));
    assert_says(&error, &["holds 19 labels", "holds 20 images", TRAIN_LABELS, TRAIN_IMAGES]);
    let mut wrong = labels(20);
    wrong[8 + 13] = 10;
    assert_says(&load_error(TRAIN_LABELS, Some(&wrong)), &["label 10 at position 13", "expected 0 to 9"]);
}

/// A linear layer on 4 numbers that learns 3 classes.
struct Model {
    session: Session,
    weights: Weights,
    x: Value,
    labels: Value,
    loss: Value,
}

fn model() -> Result<Model> {
    let mut g = Graph::new();
    let x = g.input("x", [2, 4])?;
    let labels = g.input_i32("labels", 2)?;
    let net = nn::Sequential::new().add("fc", nn::Linear::new(4, 3));
    let logits = net.forward(&mut g, x, Mode::Train)?;
    let loss = g.cross_entropy(logits, labels)?;
    let rate = g.input_scalar("rate")?;
    optim::Sgd::new(rate).momentum(0.9).minimize(&mut g, loss)?;
    let weights = Weights::init(device(), &g, 1)?;
    let plan = Plan::new(&g, &[loss], device().caps())?;
    let mut session = Session::new(device(), plan, &weights)?;
    session.write_scalar(rate, 0.1)?;
    session.write(x, &[0.5, -0.25, 1.0, 0.0, 0.1, 0.2, 0.3, 0.4])?;
    session.write(labels, &[0, 2])?;
    Ok(Model { session, weights, x, labels, loss })
}

fn contents(weights: &Weights) -> Vec<Vec<f64>> {
    weights.names().map(|name| weights.read(name).unwrap().to_f64()).collect()
}

#[test]
fn a_step_works_after_an_error() {
    let mut broken = model().unwrap();
    let error = broken.session.write(broken.labels, &[0, 3]).unwrap_err();
    assert_says(&error, &["labels", "label 3 at position 1", "0..3"]);
    assert!(broken.session.write(broken.labels, &[-1, 0]).is_err());
    assert!(broken.session.write(broken.labels, &[0]).is_err());
    assert_says(&broken.session.write(broken.x, &[1.0; 7]).unwrap_err(), &["[2, 4] has 8 elements, found 7"]);
    assert_says(&broken.session.write(broken.x, &[1; 8]).unwrap_err(), &["f32", "i32"]);
    assert!(broken.weights.write("fc.weight", &[0.0; 5]).is_err());
    assert!(broken.weights.load("/nowhere/at/all").is_err());

    let mut sound = model().unwrap();
    sound.session.step().unwrap();
    broken.session.step().unwrap();
    let first = sound.session.read(sound.loss).unwrap().to_f64()[0];
    for _ in 0..3 {
        broken.session.step().unwrap();
        sound.session.step().unwrap();
    }
    let losses = [&mut broken, &mut sound].map(|m| m.session.read(m.loss).unwrap());
    assert_eq!(losses[0], losses[1], "the errors left no trace");
    assert!(losses[0].to_f64()[0] < first, "and the steps learned");
}

#[test]
fn records_that_no_buffer_holds_are_refused() -> Result<()> {
    let Model { mut session, loss, .. } = model()?;
    for capacity in [1 << 62, usize::MAX, 1 << 40] {
        let refused = session.record(loss, capacity).expect_err("no device has as much memory");
        assert_says(&refused, &["record"]);
    }
    session.record(loss, 2)?;
    session.step()?;
    assert_eq!(session.recorded(loss)?.shape.elements(), 1);
    Ok(())
}

#[test]
fn ignored_labels_are_accepted() {
    let mut model = model().unwrap();
    model.session.write(model.labels, &[1, wgrad::data::IGNORED_LABEL]).unwrap();
    model.session.step().unwrap();
    assert!(model.session.read(model.loss).unwrap().to_f64()[0].is_finite());
}

#[test]
fn weights_come_back_as_they_were_saved() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("weights.safetensors");
    let mut trained = model().unwrap();
    for _ in 0..5 {
        trained.session.step().unwrap();
    }
    trained.weights.save(&path).unwrap();
    assert_eq!(listing(directory.path()), ["weights.safetensors"]);
    let fresh = model().unwrap();
    assert_ne!(fresh.weights.read("fc.weight").unwrap(), trained.weights.read("fc.weight").unwrap());
    fresh.weights.load(&path).unwrap();
    for name in ["fc.weight", "fc.bias"] {
        assert_eq!(fresh.weights.read(name).unwrap(), trained.weights.read(name).unwrap(), "{name}");
    }
    // Saved again, the file is the same to the byte.
    let again = directory.path().join("again.safetensors");
    fresh.weights.save(&again).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&again).unwrap());
}

/// Writes a weights file of float tensors.
fn weights_file(directory: &Path, tensors: &[(&str, &[usize])]) -> std::path::PathBuf {
    let bytes = vec![0; 1024];
    let views = tensors.iter().map(|(name, shape)| {
        let size = 4 * shape.iter().product::<usize>();
        (*name, TensorView::new(Dtype::F32, shape.to_vec(), &bytes[..size]).unwrap())
    });
    files::write(directory, "w.safetensors", &safetensors::serialize(views, None).unwrap())
}

#[test]
fn weights_that_do_not_fit_change_nothing() {
    let directory = TempDir::new().unwrap();
    let model = model().unwrap();
    let before = contents(&model.weights);
    let refused = |tensors: &[(&str, &[usize])], parts: &[&str]| {
        let path = weights_file(directory.path(), tensors);
        let error = model.weights.load(&path).unwrap_err();
        assert_says(&error, &["w.safetensors"]);
        assert_says(&error, parts);
    };
    refused(&[("fc.weight", &[3, 4])], &["\"fc.bias\" [3] is missing", "fc.weight"]);
    refused(
        &[("fc.weight", &[4, 3]), ("fc.bias", &[3])],
        &["\"fc.weight\" has shape [4, 3], expected [3, 4]"],
    );
    refused(&[("fc.weight", &[3, 4]), ("fc.bias", &[3]), ("fc2.bias", &[3])], &["\"fc2.bias\" is extra"]);
    let path = weights_file(directory.path(), &[("fc.weight", &[3, 4]), ("fc.bias", &[3])]);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 4]).unwrap();
    assert_says(&model.weights.load(&path).unwrap_err(), &["not a whole safetensors file"]);
    std::fs::write(&path, b"PK").unwrap();
    assert_says(&model.weights.load(&path).unwrap_err(), &["not a whole safetensors file"]);
    let missing = directory.path().join("missing.safetensors");
    assert_says(&model.weights.load(&missing).unwrap_err(), &["reading", "missing.safetensors"]);
    assert_eq!(contents(&model.weights), before);
    // What PyTorch's files hold besides is no fault.
    let extra = weights_file(
        directory.path(),
        &[("fc.weight", &[3, 4]), ("fc.bias", &[3]), ("bn1.num_batches_tracked", &[1])],
    );
    model.weights.load(&extra).unwrap();
    assert!(contents(&model.weights) != before);
}

#[test]
fn a_path_that_cannot_be_written_leaves_nothing() {
    let directory = TempDir::new().unwrap();
    let model = model().unwrap();
    let inside_missing = directory.path().join("missing/w.safetensors");
    for path in [inside_missing.as_path(), directory.path()] {
        assert_says(&file::check_writable(path).unwrap_err(), &["writing"]);
        assert_says(&model.weights.save(path).unwrap_err(), &["writing"]);
    }
    assert!(file::check_writable(Path::new("/")).is_err());
    assert!(listing(directory.path()).is_empty());
    // A check leaves nothing either, and what stands there stays.
    let path = directory.path().join("w.safetensors");
    file::check_writable(&path).unwrap();
    assert!(listing(directory.path()).is_empty());
    file::write_whole(&path, b"old").unwrap();
    file::check_writable(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
}

#[test]
fn unknown_adapters_are_refused_with_a_list() {
    let error = Device::open_named("no such adapter").unwrap_err();
    assert_says(&error, &["\"no such adapter\"", &device().summary().name]);
}
