//! Programs that write the same file side by side, and programs that are killed in the middle of it. The programs
//! are this test's own, started again to run [`child`] alone.

use crate::damage::{Random, times};
use crate::harness::files::listing;
use crate::model::{contents, model};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;
use wgrad::file;

/// What a child is to do, and where.
const TASK: &str = "WGRAD_TEST_CHILD";
const PATH: &str = "WGRAD_TEST_PATH";

/// A file that shows whether it is whole: its length and a number, from which all else follows.
fn whole(seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let length = 16 + random.below(200_000);
    let mut bytes = [(length as u64).to_le_bytes(), seed.to_le_bytes()].concat();
    bytes.resize_with(length, || random.below(256) as u8);
    bytes
}

fn is_whole(bytes: &[u8]) -> bool {
    let seed = bytes.get(8..16).and_then(|seed| seed.try_into().ok()).map(u64::from_le_bytes);
    seed.is_some_and(|seed| whole(seed) == bytes)
}

/// Does nothing in the test's own run.
#[test]
fn child() {
    let Ok(task) = std::env::var(TASK) else { return };
    let path = std::env::var_os(PATH).expect("a child is told where to write");
    let path = Path::new(&path);
    let started = Instant::now();
    let mut number = u64::from(std::process::id()) << 20;
    let mut training = (task == "checkpoint").then(|| model().unwrap());
    // Whoever started it may have been killed itself.
    while started.elapsed() < Duration::from_secs(120) {
        number += 1;
        match &mut training {
            Some(training) => {
                // Every number in it is the same.
                let value = (number % 1000) as f32;
                for (name, numbers) in contents(&training.weights) {
                    training.weights.write(&name, &vec![value; numbers.len()]).unwrap();
                }
                let notes = BTreeMap::from([("value".to_owned(), value.to_string())]);
                training.session.save_checkpoint_with(path, &notes).unwrap();
            }
            None => file::write_whole(path, &whole(number)).unwrap(),
        }
        // Whoever waits for it reads one line.
        println!("written");
    }
}

/// A child that has written for the first time.
struct Writer(Child);

impl Writer {
    fn start(task: &str, path: &Path) -> Writer {
        let mut child = Command::new(std::env::current_exe().expect("a test knows its own path"))
            .args(["--exact", "processes::child", "--nocapture"])
            .env(TASK, task)
            .env(PATH, path)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test can be started again");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let written = lines.by_ref().map_while(Result::ok).any(|line| line.ends_with("written"));
        assert!(written, "the child ended before it wrote");
        // A full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Writer(child)
    }

    fn kill(mut self) {
        self.0.kill().expect("it still runs");
        self.0.wait().expect("it ends");
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Where a test fails; else it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Leftovers of killed programs, made old enough to be swept.
fn age(folder: &Path) -> usize {
    let names = listing(folder);
    let left = names.iter().filter(|name| name.starts_with(".wgrad-"));
    let old = SystemTime::now() - Duration::from_secs(3600);
    left.map(|name| {
        let file = std::fs::File::options().write(true).open(folder.join(name)).expect("it is there");
        file.set_modified(old).expect("its age can be set");
    })
    .count()
}

#[test]
fn a_killed_writer_leaves_a_whole_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("w");
    let mut random = Random::new(7);
    let (kills, mut left) = (8 * times(), 0);
    for kill in 0..kills {
        let writer = Writer::start("bytes", &path);
        std::thread::sleep(Duration::from_micros(random.below(20_000) as u64));
        writer.kill();
        assert!(is_whole(&std::fs::read(&path).unwrap()), "kill {kill}");
        left += age(folder.path());
    }
    file::write_whole(&path, &whole(1)).unwrap();
    assert_eq!(listing(folder.path()), ["w"], "what was left is swept");
    eprintln!("{kills} writers killed, {left} in the middle of a file");
}

#[test]
fn a_killed_training_leaves_a_whole_checkpoint() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("c.safetensors");
    let mut random = Random::new(8);
    let mut reader = model().unwrap();
    let kills = 2 * times();
    for kill in 0..kills {
        let writer = Writer::start("checkpoint", &path);
        std::thread::sleep(Duration::from_micros(random.below(20_000) as u64));
        writer.kill();
        let notes = reader.session.load_checkpoint(&path).unwrap_or_else(|e| panic!("kill {kill}: {e}"));
        let value: f32 = notes["value"].parse().unwrap();
        let held = contents(&reader.weights);
        assert!(held.values().flatten().all(|&bits| bits == value.to_bits()), "kill {kill}: {held:?}");
        age(folder.path());
    }
    eprintln!("{kills} trainings killed");
}

#[test]
fn writers_of_one_file_leave_one_of_theirs() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("w");
    let writers: Vec<Writer> = (0..3).map(|_| Writer::start("bytes", &path)).collect();
    for _ in 0..100 * times() {
        assert!(is_whole(&std::fs::read(&path).unwrap()));
    }
    writers.into_iter().for_each(Writer::kill);
    assert!(is_whole(&std::fs::read(&path).unwrap()));
}

#[test]
fn trainings_with_one_checkpoint_leave_one_of_theirs() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("c.safetensors");
    let mut reader = model().unwrap();
    let writers: Vec<Writer> = (0..2).map(|_| Writer::start("checkpoint", &path)).collect();
    for _ in 0..20 * times() {
        let notes = reader.session.load_checkpoint(&path).unwrap_or_else(|e| panic!("{e}"));
        let value: f32 = notes["value"].parse().unwrap();
        assert!(contents(&reader.weights).values().flatten().all(|&bits| bits == value.to_bits()));
    }
    writers.into_iter().for_each(Writer::kill);
}

#[test]
fn what_is_saved_while_another_thread_loads_is_of_one_file() {
    let folder = TempDir::new().unwrap();
    let trained = model().unwrap();
    let files: Vec<_> = (0..2)
        .map(|value| {
            for (name, numbers) in contents(&trained.weights) {
                trained.weights.write(&name, &vec![value as f32; numbers.len()]).unwrap();
            }
            let path = folder.path().join(format!("{value}.safetensors"));
            trained.weights.save(&path).unwrap();
            path
        })
        .collect();
    let whole: Vec<Vec<u8>> = files.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let saved = folder.path().join("saved.safetensors");
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let loader = scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                files.iter().for_each(|path| trained.weights.load(path).unwrap());
            }
        });
        let mut torn = 0;
        for _ in 0..100 * times() {
            trained.weights.save(&saved).unwrap();
            torn += usize::from(!whole.contains(&std::fs::read(&saved).unwrap()));
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        loader.join().unwrap();
        assert_eq!(torn, 0, "files with tensors of two others");
    });
}
