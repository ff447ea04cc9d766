//! `wgrad run`: what a network says of pictures. `normalisation.rs` decides how pixels become numbers, `answer.rs` makes classes
//! of the network's outputs; reading pictures and batches are the library's.

mod answer;
mod normalisation;

use crate::adapter;
use crate::model::{Model, Named};
use crate::out::{self, Failure, Outcome, fail, notes};
use answer::Answers;
use normalisation::Normalisation;
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};
use wgrad::data::{Fit, Picture};
use wgrad::file::{printable, printable_path};
use wgrad::predict::{Class, Predictor, PredictorOptions};
use wgrad::{Device, Mode, Weights};

/// Prints the most likely classes of pictures
///
/// Class names, input size and normalisation are those that the file holds, unless options say otherwise. A picture's shorter
/// side is scaled to the input's, then its centre is cut out. Pictures go through in batches; one that can't be read is
/// reported, and the exit status is then 1.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  wgrad run pets.safetensors cat.jpg dog.png\n  wgrad run --network resnet18 --classes-file imagenet.txt --resize 256 resnet18.pth *.jpg"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    named: Named,
    /// PNG, JPEG or WebP files
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// How many classes to print of each picture
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,
    /// A file of class names, one in each line
    #[arg(long, value_name = "FILE")]
    classes_file: Option<PathBuf>,
    /// Height and width of the network's input, such as 224 or 224x320
    #[arg(long, value_name = "N", conflicts_with = "input")]
    size: Option<crate::model::Sizes>,
    /// Length of a picture's shorter side before the centre is cut out; by default the larger side of the input
    #[arg(long, value_name = "N")]
    resize: Option<usize>,
    #[command(flatten)]
    normalisation: normalisation::Wanted,
    /// The most pictures of a batch
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=4096))]
    batch: u32,
    #[command(flatten)]
    adapter: adapter::Wanted,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A picture's classes, or why there are none.
type Answer = Result<Vec<Class>, String>;

pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    let mut model = arguments.named.read()?;
    let mut said = Vec::new();
    if model.is_random() {
        said.push(format!("{} has random weights: its answers mean nothing", model.name));
    }
    let [channels, rows, columns] = item(&mut model, arguments)?;
    let picture = match channels {
        1 => Picture::grey(rows, columns),
        _ => Picture::rgb(rows, columns),
    };
    let picture = picture.fit(Fit::Crop(resize(arguments, rows.max(columns))?));
    let normalisation = Normalisation::of(&arguments.normalisation, &model.metadata, channels, &mut said)?;
    model.metadata.mean = normalisation.mean.clone();
    model.metadata.deviation = normalisation.deviation.clone();
    if let Some(path) = &arguments.classes_file {
        model.metadata.class_names = names(path)?;
    }
    let device = arguments.adapter.open()?;
    let predictor = predictor(&device, &model, arguments)?;
    if model.metadata.class_names.is_empty() {
        said.push(
            "the file names no classes, so they are printed by number; --classes-file names them".into(),
        );
    }
    let mut answers = Answers::default();
    let mut all = Vec::new();
    if !arguments.json {
        notes(&said);
    }
    for images in arguments.images.chunks(arguments.batch as usize) {
        let batch = answered(&predictor, &picture, images, arguments.top as usize, &mut answers)?;
        if arguments.json {
            all.extend(batch);
            continue;
        }
        for (path, answer) in images.iter().zip(batch) {
            match answer {
                Ok(classes) => out::text(&lines(path, &classes))?,
                Err(error) => {
                    use std::io::Write as _;
                    let _ = writeln!(std::io::stderr(), "error: {error}");
                    all.push(Err(error));
                }
            }
        }
    }
    if let Some(note) = answers.note() {
        if !arguments.json {
            notes(std::slice::from_ref(&note));
        }
        said.push(note);
    }
    if arguments.json {
        let rows: Vec<Json> =
            arguments.images.iter().zip(&all).map(|(path, answer)| row(path, answer)).collect();
        out::json(&json!({
            "model": model.name,
            "adapter": adapter::described(device.summary()),
            "input": picture.shape(),
            "normalisation": normalisation.json(),
            "notes": said,
            "pictures": rows,
        }))?;
    }
    if all.iter().any(Result::is_err) { Err(Failure::Found) } else { Ok(()) }
}

/// Channels, rows and columns of the network's input.
fn item(model: &mut Model, arguments: &Arguments) -> Outcome<[usize; 3]> {
    if let Some(size) = &arguments.size {
        let (rows, columns) = match size.0[..] {
            [side] => (side, side),
            [rows, columns] => (rows, columns),
            _ => return out::usage("--size takes one number or two, such as 224 or 224x320"),
        };
        let channels = model.channels().unwrap_or(3);
        model.set_item(vec![channels, rows, columns]);
    }
    let item = model.item();
    match item.as_deref() {
        Some(&[channels @ (1 | 3), rows, columns]) => Ok([channels, rows, columns]),
        Some(other) => fail(format!(
            "{} takes inputs {other:?}; pictures are read as [1, height, width] or [3, height, width]",
            model.name
        )),
        None => fail(format!(
            "{} has no fixed input sizes [channels, height, width]; set height and width by --size, or all by --input",
            model.name
        )),
    }
}

/// The shorter side of a picture before its centre is cut out; at least as long as the input's larger side.
fn resize(arguments: &Arguments, least: usize) -> Outcome<usize> {
    const MOST: usize = 1 << 14;
    if least > MOST {
        return fail(format!("pictures are read with up to {MOST} rows and columns, found {least}"));
    }
    match arguments.resize.unwrap_or(least) {
        side if (least..=MOST).contains(&side) => Ok(side),
        side => out::usage(format!("--resize is {side}, expected {least} to {MOST}")),
    }
}

/// Class names of a file, one in each line.
fn names(path: &Path) -> Outcome<Vec<String>> {
    const MOST: u64 = 1 << 20;
    let reading = |error: std::io::Error| {
        Failure::Failed(format!("reading {}: {}", printable_path(path), printable(&error.to_string())))
    };
    let metadata = std::fs::metadata(path).map_err(reading)?;
    if !metadata.is_file() || metadata.len() > MOST {
        return fail(format!("{} is no file of class names of up to {MOST} bytes", printable_path(path)));
    }
    let text = std::fs::read_to_string(path).map_err(reading)?;
    let names: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    if names.is_empty() {
        return fail(format!("{} is empty, expected a class name in each line", printable_path(path)));
    }
    Ok(names)
}

fn predictor(device: &Device, model: &Model, arguments: &Arguments) -> Outcome<Predictor> {
    let wanted = arguments.images.len().min(arguments.batch as usize);
    // An ONNX file may fix the batch.
    let built = model.build(None, wanted, Mode::Eval)?;
    let weights = Weights::init(device, &built.graph, 0)?;
    model.load(&built, &weights)?;
    weights.set_metadata(model.metadata.clone())?;
    let options = PredictorOptions::new().network(model.layer()).batch_sizes([built.batch]);
    let item = model.item().unwrap_or_default();
    Ok(options.input_shape(item).copy(device, &weights)?)
}

/// The answers for a batch of pictures, in their order.
fn answered(
    predictor: &Predictor,
    picture: &Picture,
    images: &[PathBuf],
    top: usize,
    answers: &mut Answers,
) -> Outcome<Vec<Answer>> {
    let read: Vec<Result<Vec<u8>, String>> =
        images.iter().map(|path| picture.read(path).map_err(|error| error.to_string())).collect();
    let pixels: Vec<&[u8]> = read.iter().flatten().map(Vec::as_slice).collect();
    let mut classes = if pixels.is_empty() {
        Vec::new().into_iter()
    } else {
        answers.of(predictor, &predictor.predict(&pixels.concat())?, top)?.into_iter()
    };
    let answer = |(path, read): (&PathBuf, Result<Vec<u8>, String>)| {
        read?;
        let classes = classes.next().unwrap_or_default();
        if classes.iter().any(|class| !class.probability.is_finite()) {
            return Err(format!("{}: the network's answer is not finite", printable_path(path)));
        }
        Ok(classes)
    };
    Ok(images.iter().zip(read).map(answer).collect())
}

fn lines(path: &Path, classes: &[Class]) -> String {
    let line = |class: &Class| {
        format!("  {:>5.1} %  {} ({})\n", 100.0 * class.probability, printable(&class.name), class.label)
    };
    format!("{}\n{}", printable_path(path), classes.iter().map(line).collect::<String>())
}

fn row(path: &Path, answer: &Answer) -> Json {
    let class = |class: &Class| json!({ "label": class.label, "name": class.name, "probability": out::decimal(class.probability) });
    match answer {
        Ok(classes) => {
            json!({ "file": path.to_string_lossy(), "classes": classes.iter().map(class).collect::<Vec<_>>() })
        }
        Err(error) => json!({ "file": path.to_string_lossy(), "error": error }),
    }
}
