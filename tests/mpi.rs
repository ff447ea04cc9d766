//! Sums and training over real processes, which `mpirun` starts. Without arguments this program is the test: it starts itself under
//! `mpirun`. With `rank WHAT FOLDER` it is one
//! of the ranks. `scripts/test-mpi.sh` installs Open MPI where it is missing.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use wgrad::data::{Dataset, Field, Images, Item};
use wgrad::nn;
use wgrad::optim::Adam;
use wgrad::parallel::{self, Communicator, Join, Joins, Mpi, Sum};
use wgrad::train::{Accuracy, Lines, Supervised, Trainer};
use wgrad::{Device, DeviceOptions};

const MICRO_BATCHES: usize = 8;
/// No power of two divides it, and it is more than MPI sends at once without a rendezvous.
const ELEMENTS: usize = 100_003;

/// What stands for the gradient of a micro-batch: numbers whose sums round differently in each order.
fn gradient(micro_batch: usize) -> Vec<f32> {
    let number = |i: usize| ((i * 7919 + micro_batch * 104_729) % 10_007) as f32 * 1.7e-3 - 8.1;
    (0..ELEMENTS).map(number).collect()
}

fn sum_of(micro_batches: std::ops::Range<usize>) -> Vec<f32> {
    let (mut kept, mut next) = (Vec::<Vec<f32>>::new(), micro_batches.clone());
    for join in Joins::new(micro_batches.len()) {
        if join == Join::Next {
            kept.extend(next.next().map(gradient));
        } else if let Some(last) = kept.pop()
            && let Some(sum) = kept.last_mut()
        {
            sum.iter_mut().zip(&last).for_each(|(a, b)| *a += b);
        }
    }
    kept.remove(0)
}

fn rank(what: &str, folder: &str) -> wgrad::Result<()> {
    Mpi::run(|ranks| if what == "sum" { add_up(ranks) } else { train(ranks, what, Path::new(folder)) })
}

fn add_up(mut ranks: Mpi) -> wgrad::Result<()> {
    let own = parallel::shares(ranks.rank(), ranks.ranks(), MICRO_BATCHES)?;
    let mut data = sum_of(own);
    let adding = Sum::new(ranks.rank(), ranks.ranks(), ELEMENTS)?;
    adding.run(&mut ranks, &mut data, &mut vec![0.0; adding.received()])?;
    println!("rank {} of {}: {:016x}", ranks.rank(), ranks.ranks(), hash(&data, FIRST));
    Ok(())
}

/// The start of a hash.
const FIRST: u64 = 0xcbf2_9ce4_8422_2325;

fn hash(data: &[f32], start: u64) -> u64 {
    data.iter().fold(start, |hash, x| (hash ^ u64::from(x.to_bits())).wrapping_mul(0x0100_0000_01b3))
}

/// Steps of a whole run, and those after which a run is killed or stalls.
const STEPS: u64 = 200;
const SOME_STEPS: usize = 60;

/// Pictures of noise and of bars, by class; rank 1 may do something else in the middle of the run.
struct Bars {
    images: Images,
    read: AtomicUsize,
    at: usize,
    then: Then,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    Goes,
    IsKilled,
    Stalls,
    Fails,
    Panics,
}

impl Bars {
    fn new(then: Then, at: usize) -> wgrad::Result<Bars> {
        let pixel = |i: usize| {
            let (image, row) = (i / 64, i / 8 % 8);
            ((i * 7919 + image * 31) % 97 + if row == image % 4 * 2 { 120 } else { 0 }) as u8
        };
        let labels = (0..96).map(|image| (image % 4) as u8).collect();
        let images = Images::new((0..96 * 64).map(pixel).collect(), labels, 8, 8, 4)?;
        Ok(Bars { images, read: AtomicUsize::new(0), at, then })
    }
}

impl Dataset for Bars {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn fields(&self) -> &[Field] {
        self.images.fields()
    }

    fn read(&self, index: usize, item: &mut Item<'_>) -> wgrad::Result<()> {
        if self.read.fetch_add(1, Ordering::Relaxed) == self.at {
            let signal =
                |name: &str| Command::new("kill").args([name, &std::process::id().to_string()]).status();
            match self.then {
                Then::Goes => {}
                Then::IsKilled => drop(signal("-KILL")),
                Then::Stalls => drop(signal("-STOP")),
                Then::Fails => return Err(wgrad::Error::Graph("the file system is gone".into())),
                Then::Panics => panic!("a bug on purpose"),
            }
        }
        self.images.read(index, item)
    }
}

/// Trains a small network over all ranks, and prints a hash of its weights.
fn train(ranks: Mpi, what: &str, folder: &Path) -> wgrad::Result<()> {
    let (number, count) = (ranks.rank(), ranks.ranks());
    let is_one = number == 1;
    if what == "leaves" && is_one {
        return Err(wgrad::Error::Graph("there is no data".into()));
    }
    let then = match what {
        "killed" if is_one => Then::IsKilled,
        "stalled" if is_one => Then::Stalls,
        "fails" if is_one => Then::Fails,
        "panics" if is_one => Then::Panics,
        _ => Then::Goes,
    };
    // Items that a rank reads in a step.
    let data = Bars::new(then, SOME_STEPS * 16 / count)?;
    let net = nn::Sequential::new()
        .add("conv", nn::Conv2d::new(1, 6, [3, 3]).padding([1, 1]))
        .add("norm", nn::BatchNorm::new(6))
        .add("relu", nn::Relu)
        .add("drop", nn::Dropout::new(0.2))
        .add("flatten", nn::Flatten)
        .add("fc", nn::Linear::new(6 * 64, 4));
    let device = Device::open_with(&DeviceOptions::default().local_rank(ranks.local_rank()))?;
    println!("rank {number} of {count} is number {} of its machine", ranks.local_rank());
    let task = Supervised::classifier(net).augment(nn::Augment::new(1).random_crop([8, 8], 1));
    let checkpoint = folder.join("run.safetensors");
    let mut trainer = Trainer::new(&device, task)
        .optimizer(|g, loss, rate| Adam::new(rate).minimize(g, loss))
        .learning_rate(0.01)
        .batch_size(16)
        .micro_batches(MICRO_BATCHES)
        .epochs(STEPS.div_ceil(6))
        .max_steps(STEPS)
        .setting("a setting", if what == "differs" && number == count - 1 { 2 } else { 1 })
        .metric(Accuracy)
        .callback(Lines::new())
        .checkpoint_every(25, &checkpoint)
        .ranks(ranks.limit(Duration::from_secs(5)));
    if what == "resumed" {
        trainer = trainer.resume(&checkpoint);
    }
    let history = trainer.fit(&data, Some(&Bars::new(Then::Goes, 0)?))?;
    let weights = trainer.weights()?;
    let names: Vec<String> = weights.names().map(str::to_owned).collect();
    let mut all = FIRST;
    for name in names {
        all = hash(weights.read(&name)?.as_f32().unwrap_or_default(), all);
    }
    println!("rank {number} of {count}: {all:016x}");
    if number == 0 {
        let accuracy = history.evaluation().and_then(|found| found.figure("accuracy")).unwrap_or_default();
        println!("done: {accuracy}, {history}");
    }
    Ok(())
}

fn mpirun(ranks: usize, what: &str, folder: &Path) -> Output {
    let program = std::env::current_exe().expect("the program has a path");
    Command::new("mpirun")
        .args(["--oversubscribe", "-n", &ranks.to_string()])
        .arg(program)
        .args(["rank", what])
        .arg(folder)
        // In a container tests run as root.
        .envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")])
        .output()
        .expect("mpirun is there: run scripts/test-mpi.sh, which installs it (Debian, Ubuntu: openmpi-bin)")
}

/// Runs ranks that have to come to their end, and returns the hash that they all print.
fn hash_of(ranks: usize, what: &str, folder: &Path) -> String {
    let output = mpirun(ranks, what, folder);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{ranks} ranks: {said}{}", text(&output.stderr));
    let lines: Vec<&str> =
        said.lines().filter(|line| line.starts_with("rank ") && line.contains(": ")).collect();
    assert_eq!(lines.len(), ranks, "{said}");
    let hashes: BTreeSet<&str> =
        lines.iter().filter_map(|line| line.split_once(": ")).map(|(_, hash)| hash).collect();
    assert_eq!(hashes.len(), 1, "the ranks disagree: {said}");
    hashes.into_iter().collect()
}

/// Runs ranks that have to end in time, not well, and returns what they say.
fn ended(ranks: usize, what: &str, folder: &Path) -> String {
    let start = Instant::now();
    let output = mpirun(ranks, what, folder);
    let said = text(&output.stderr);
    assert!(!output.status.success(), "{what}: {}{said}", text(&output.stdout));
    // Starting, the steps, and the limit on waiting.
    assert!(start.elapsed() < Duration::from_secs(60), "{what} took {:?}: {said}", start.elapsed());
    said
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn sums_of_processes_have_the_bits_of_one() {
    let hashes: BTreeSet<String> =
        [1, 2, 4, 8].into_iter().map(|ranks| hash_of(ranks, "sum", Path::new("."))).collect();
    assert_eq!(hashes.len(), 1, "{hashes:?}");
}

fn training_has_the_bits_of_one_process_also_when_it_is_killed_and_resumed() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let folder = folder.path();
    let whole = hash_of(1, "train", folder);
    for ranks in [2, 4, 8] {
        assert_eq!(hash_of(ranks, "train", folder), whole, "{ranks} ranks");
    }
    for (before, after) in [(2, 1), (4, 2)] {
        std::fs::remove_file(folder.join("run.safetensors")).expect("there is a checkpoint");
        let said = ended(before, "killed", folder);
        assert!(said.contains("process rank 1") && said.contains("signal 9"), "{said}");
        assert_eq!(hash_of(after, "resumed", folder), whole, "{before} ranks, then {after}");
    }
}

fn one_rank_reports_and_counts_what_is_sent() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let output = mpirun(2, "train", folder.path());
    let said = text(&output.stdout);
    assert_eq!(said.lines().filter(|line| line.starts_with("epoch 1/")).count(), 1, "{said}");
    let done = said.lines().find(|line| line.starts_with("done: ")).expect("rank 0 says so");
    assert!(
        done.contains("200 steps of 16 samples") && done.contains("MB sent to other ranks a step"),
        "{done}"
    );
    let accuracy: f64 = done[6..].split(',').next().and_then(|figure| figure.parse().ok()).expect("a figure");
    assert!(accuracy > 0.9, "{done}");
    assert!(said.contains("rank 1 of 2 is number 1 of its machine"), "{said}");
}

fn what_goes_wrong_on_one_rank_ends_all_by_name() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for (ranks, what, expected) in [
        (2, "stalled", "rank 1 did not answer rank 0 within 5s"),
        (4, "fails", "rank 1 of 4: graph: the file system is gone"),
        (4, "leaves", "rank 1 of 4: graph: there is no data"),
        (2, "panics", "rank 1 of 2"),
        (4, "differs", "rank 3 differs from rank 0 in a setting: 2 instead of 1"),
    ] {
        let said = ended(ranks, what, folder.path());
        assert!(said.contains(expected), "{what}: {said}");
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, what, folder] = &arguments[..]
        && first == "rank"
    {
        return rank(what, folder).map_or_else(
            |error| {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            },
            |()| ExitCode::SUCCESS,
        );
    }
    let tests: [(&str, fn()); 4] = [
        ("sums_of_processes_have_the_bits_of_one", sums_of_processes_have_the_bits_of_one),
        (
            "training_has_the_bits_of_one_process_also_when_it_is_killed_and_resumed",
            training_has_the_bits_of_one_process_also_when_it_is_killed_and_resumed,
        ),
        ("one_rank_reports_and_counts_what_is_sent", one_rank_reports_and_counts_what_is_sent),
        ("what_goes_wrong_on_one_rank_ends_all_by_name", what_goes_wrong_on_one_rank_ends_all_by_name),
    ];
    for (name, test) in tests {
        test();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}
