//! Event files for TensorBoard: scalars of steps and epochs, histograms of weights, images.

mod event;

use super::{Begin, Callback, EpochEnd, Flow, Progress};
use crate::error::{Error, Result};
use crate::train::History;
use event::Event;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes an event file for [TensorBoard](https://www.tensorflow.org/tensorboard) into a folder: the loss and the
/// learning rate of steps, the figures of epochs, and if asked histograms of the weights. `tensorboard --logdir FOLDER`
/// shows it.
///
/// Each run adds a file of its own, as TensorBoard expects; a run that is resumed goes on in another file of the same
/// folder.
///
/// ```no_run
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::train::TensorBoard;
///
/// let board = TensorBoard::new("runs/first").histograms(true);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TensorBoard {
    folder: PathBuf,
    histograms: bool,
    open: Option<(PathBuf, File)>,
}

impl TensorBoard {
    /// Event files in this folder, which is made if there is none.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        TensorBoard { folder: folder.into(), histograms: false, open: None }
    }

    setters! {
        /// Sets whether histograms of parameters and running statistics are written after each epoch, which reads them from the device.
        /// Off by default.
        histograms: bool;
    }

    /// Adds a picture, the bytes of a PNG, such as a `data::Grid` of images makes.
    ///
    /// # Errors
    /// Bytes that are no PNG; a folder or a file that can't be written.
    pub fn image(&mut self, tag: &str, step: u64, png: &[u8]) -> Result<()> {
        let Some(size) = size(png) else {
            let message =
                format!("image \"{tag}\" is no PNG: its first bytes are {:?}", &png[..png.len().min(8)]);
            return Err(Error::Setting { setting: "tensorboard", message });
        };
        self.add(&Event::new(now(), step).image(tag, png, size))
    }

    /// Adds a number.
    ///
    /// # Errors
    /// A folder or a file that can't be written.
    pub fn scalar(&mut self, tag: &str, step: u64, number: f64) -> Result<()> {
        self.add(&Event::new(now(), step).scalar(tag, number as f32))
    }

    fn add(&mut self, event: &Event) -> Result<()> {
        self.add_all(&[event.record()].concat())
    }

    /// Appends records, whole, so that a reader beside the run sees no half of one for long.
    fn add_all(&mut self, records: &[u8]) -> Result<()> {
        if self.open.is_none() {
            self.open = Some(create(&self.folder)?);
        }
        let Some((path, file)) = &mut self.open else { return Ok(()) };
        file.write_all(records).map_err(|source| Error::File {
            action: "writing",
            path: path.clone(),
            source,
        })
    }
}

/// Seconds since 1970.
/// Width and height of a PNG, which its first chunk tells.
fn size(png: &[u8]) -> Option<[u32; 2]> {
    let (head, rest) = png.split_at_checked(16)?;
    let ([width, height], _) = rest.as_chunks::<4>().0.split_first_chunk()?;
    let known = head.starts_with(b"\x89PNG\r\n\x1a\n") && head.ends_with(b"IHDR");
    known.then(|| [*width, *height].map(u32::from_be_bytes))
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// A new file of a name that TensorBoard looks for, with the record that every event file begins with.
fn create(folder: &Path) -> Result<(PathBuf, File)> {
    let error = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { action: "writing", path, source }
    };
    if folder.is_file() {
        return Err(error(folder)(ErrorKind::NotADirectory.into()));
    }
    fs::create_dir_all(folder).map_err(error(folder))?;
    let (time, process) = (now(), std::process::id());
    for number in 0u32.. {
        let name = format!("events.out.tfevents.{time:.0}.wgrad.{process}.{number}");
        let path = folder.join(name);
        match OpenOptions::new().append(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(&Event::first(time).record()).map_err(error(&path))?;
                return Ok((path, file));
            }
            Err(source) if source.kind() == ErrorKind::AlreadyExists => {}
            Err(source) => return Err(error(&path)(source)),
        }
    }
    unreachable!("some number is free")
}

impl Callback for TensorBoard {
    fn begin(&mut self, _begin: &Begin) -> Result<Flow> {
        self.open = Some(create(&self.folder)?);
        Ok(Flow::Continue)
    }

    fn progress(&mut self, progress: &Progress<'_>) -> Result<()> {
        let before = progress.step - progress.losses.len() as u64;
        let mut records = Vec::new();
        for (step, &loss) in (before + 1..).zip(progress.losses) {
            records.extend(Event::new(now(), step).scalar("step/loss", loss).record());
        }
        let rate =
            Event::new(now(), progress.step).scalar("step/learning_rate", progress.learning_rate as f32);
        records.extend(rate.record());
        if let Some(speed) = progress.samples_per_second {
            records.extend(
                Event::new(now(), progress.step).scalar("step/samples_per_second", speed as f32).record(),
            );
        }
        self.add_all(&records)
    }

    fn epoch(&mut self, end: &EpochEnd<'_>) -> Result<Flow> {
        let (epoch, time) = (end.epoch, now());
        let mut event =
            Event::new(time, epoch.steps).scalar("epoch/training_loss", epoch.training_loss as f32);
        if let Some(evaluation) = &epoch.evaluation {
            event = event.scalar("epoch/loss", evaluation.loss as f32);
            for (name, figure) in &evaluation.figures {
                event = event.scalar(&format!("epoch/{name}"), *figure as f32);
            }
        }
        self.add(&event)?;
        if self.histograms {
            let names: Vec<String> = end.weights.saved_names().map(str::to_owned).collect();
            for name in names {
                let numbers = end.weights.read(&name)?.to_f64();
                self.add(&Event::new(time, epoch.steps).histogram(&name, &numbers))?;
            }
        }
        Ok(Flow::Continue)
    }

    fn end(&mut self, _history: &History) -> Result<()> {
        match self.open.take() {
            None => Ok(()),
            Some((path, file)) => {
                file.sync_all().map_err(|source| Error::File { action: "writing", path, source })
            }
        }
    }
}
