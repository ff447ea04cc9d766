//! Writing files: modes, links, paths that are not regular files, leftovers of killed programs.

use crate::harness::device;
use crate::harness::files::{self, listing};
use crate::model::{assert_says, model};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use wgrad::data::Images;
use wgrad::file;

fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder can be made")
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

#[test]
#[cfg(unix)]
fn a_file_keeps_its_mode_and_a_new_one_has_the_usual() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let usual = files::write(folder.path(), "usual", b"");
    let path = folder.path().join("w");
    file::write_whole(&path, b"new").unwrap();
    assert_eq!(mode(&path), mode(&usual));
    for kept in [0o600, 0o640, 0o666, 0o755, 0o400] {
        fs::set_permissions(&path, fs::Permissions::from_mode(kept)).unwrap();
        file::write_whole(&path, format!("{kept:o}").as_bytes()).unwrap();
        assert_eq!(mode(&path), kept);
        assert_eq!(fs::read(&path).unwrap(), format!("{kept:o}").as_bytes());
    }
    assert_eq!(listing(folder.path()), ["usual", "w"]);
}

#[test]
#[cfg(unix)]
fn links_stay_and_what_they_name_is_replaced() {
    use std::os::unix::fs::symlink;
    let (folder, elsewhere) = (folder(), folder());
    let [link, chain, new] = ["link", "chain", "new"].map(|name| folder.path().join(name));
    let target = files::write(elsewhere.path(), "target", b"old");
    symlink(&target, &link).unwrap();
    symlink("link", &chain).unwrap();
    // A link may name a file that is yet to be.
    symlink(elsewhere.path().join("later"), &new).unwrap();
    for (path, named, contents) in [
        (&link, target.clone(), "by a link"),
        (&chain, target, "by two"),
        (&new, elsewhere.path().join("later"), "new"),
    ] {
        file::check_writable(path).unwrap();
        file::write_whole(path, contents.as_bytes()).unwrap();
        assert!(fs::symlink_metadata(path).unwrap().is_symlink());
        assert_eq!(fs::read(&named).unwrap(), contents.as_bytes());
    }
    assert_eq!(listing(elsewhere.path()), ["later", "target"]);
    let circle = folder.path().join("circle");
    symlink("circle", &circle).unwrap();
    assert_says(&file::write_whole(&circle, b"").unwrap_err(), &["writing", "circle", "symbolic links"]);
    assert_eq!(listing(folder.path()), ["chain", "circle", "link", "new"]);
}

#[test]
#[cfg(unix)]
fn nobody_can_plant_a_link_in_the_temporary_files_place() {
    let folder = folder();
    let victim = files::write(folder.path(), "victim", b"untouched");
    let work = folder.path().join("work");
    fs::create_dir(&work).unwrap();
    // Names that follow from the process.
    for number in 0..200 {
        let name = format!("w.{}.{number}.tmp", std::process::id());
        std::os::unix::fs::symlink(&victim, work.join(name)).unwrap();
    }
    let path = work.join("w");
    for contents in ["one", "two"] {
        file::write_whole(&path, contents.as_bytes()).unwrap();
    }
    assert_eq!(fs::read(&victim).unwrap(), b"untouched");
    assert!(!fs::symlink_metadata(&path).unwrap().is_symlink());
    assert_eq!(fs::read(&path).unwrap(), b"two");
}

/// Runs `call` and fails unless it comes back soon.
fn soon<T: Send + 'static>(what: &str, call: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(call()));
    receiver.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|e| panic!("{what}: {e}"))
}

#[test]
#[cfg(unix)]
fn what_is_no_file_is_neither_read_nor_replaced() {
    use std::os::unix::fs::FileTypeExt;
    let folder = folder();
    let [fifo, socket, directory, link] =
        ["fifo", "socket", "directory", "link"].map(|name| folder.path().join(name));
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    fs::create_dir(&directory).unwrap();
    std::os::unix::fs::symlink(&fifo, &link).unwrap();
    let device = files::device(folder.path());
    let labels = files::write(folder.path(), "labels", &files::labels(20));
    let before = listing(folder.path());
    for (path, what) in [
        (fifo.clone(), "FIFO"),
        (link, "FIFO"),
        (socket, "a socket"),
        (directory, "a directory"),
        (device.clone(), "a character device"),
    ] {
        let (name, labels) = (path.to_str().expect("it is UTF-8").to_owned(), labels.clone());
        let errors = soon(&name, move || {
            let mut model = model().unwrap();
            [
                ("writing", file::write_whole(&path, b"contents").unwrap_err()),
                ("writing", file::check_writable(&path).unwrap_err()),
                ("writing", model.weights.save(&path).unwrap_err()),
                ("writing", model.session.save_checkpoint(&path).unwrap_err()),
                ("writing", model.session.check_checkpoint(&path, &Default::default()).unwrap_err()),
                ("reading", model.weights.load(&path).unwrap_err()),
                ("reading", model.session.load_checkpoint(&path).unwrap_err()),
                ("reading", Images::from_files(&path, &labels, 10).unwrap_err()),
                ("reading", Images::from_files(&labels, &path, 10).unwrap_err()),
            ]
        });
        for (action, error) in errors {
            assert_says(&error, &[action, &name, what, "expected a regular file"]);
        }
    }
    assert_eq!(listing(folder.path()), before);
    assert!(fs::metadata(&device).unwrap().file_type().is_char_device());
    assert!(fs::metadata(&fifo).unwrap().file_type().is_fifo());
}

#[test]
fn paths_that_name_no_file_are_refused() {
    let folder = folder();
    let inside = folder.path().join("missing/");
    for path in [Path::new(""), Path::new("/"), Path::new(".."), folder.path(), &inside] {
        assert_says(&file::write_whole(path, b"").unwrap_err(), &["writing"]);
        assert_says(&file::check_writable(path).unwrap_err(), &["writing"]);
    }
    assert!(listing(folder.path()).is_empty());
}

#[test]
fn what_killed_programs_left_is_swept() {
    let folder = folder();
    let old = SystemTime::now() - Duration::from_secs(600);
    let left = |name: &str, age: SystemTime| {
        let path = files::write(folder.path(), name, b"half of a che");
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(age).unwrap();
        file
    };
    let stale = [".wgrad-0123456789abcdef.tmp", ".wgrad-ffffffffffffffff.tmp"];
    let kept = [".wgrad-0123.tmp", ".wgrad-0123456789abcdeg.tmp", "0123456789abcdef.tmp", "w.7.0.tmp"];
    for name in stale.iter().chain(&kept) {
        drop(left(name, old));
    }
    // A program that was stopped in the middle of writing, and one that has just begun.
    let live = left(".wgrad-00000000000000aa.tmp", old);
    live.try_lock().unwrap();
    drop(left(".wgrad-00000000000000bb.tmp", SystemTime::now()));
    file::write_whole(&folder.path().join("w"), b"whole").unwrap();
    let mut expected = kept.map(str::to_owned).to_vec();
    expected.extend([".wgrad-00000000000000aa.tmp", ".wgrad-00000000000000bb.tmp", "w"].map(str::to_owned));
    expected.sort();
    assert_eq!(listing(folder.path()), expected);
    // Its writer is gone.
    drop(live);
    file::write_whole(&folder.path().join("w"), b"whole").unwrap();
    expected.retain(|name| name != ".wgrad-00000000000000aa.tmp");
    assert_eq!(listing(folder.path()), expected);
}

#[test]
fn notes_are_checked_before_training() {
    let folder = folder();
    let path = folder.path().join("c.safetensors");
    let mut model = model().unwrap();
    let notes =
        |bytes: usize| [("log".to_owned(), "\u{1}".repeat(bytes)), ("seed".to_owned(), "7".into())].into();
    let large = notes(1 << 21);
    let parts = ["c.safetensors", "2097160 bytes", "limit is 1048576", "\"log\""];
    assert_says(&model.session.check_checkpoint(&path, &large).unwrap_err(), &parts);
    assert_says(&model.session.save_checkpoint_with(&path, &large).unwrap_err(), &parts);
    assert!(listing(folder.path()).is_empty());
    // What the check lets pass is saved, and comes back.
    let fits = notes((1 << 20) - 8);
    model.session.check_checkpoint(&path, &fits).unwrap();
    assert!(listing(folder.path()).is_empty());
    model.session.save_checkpoint_with(&path, &fits).unwrap();
    assert_eq!(model.session.load_checkpoint(&path).unwrap(), fits);
    assert_says(
        &model.session.check_checkpoint(folder.path().join("missing/c"), &fits).unwrap_err(),
        &["writing", "missing/c"],
    );
}

#[test]
fn a_name_that_files_keep_for_themselves_is_refused() {
    use wgrad::Graph;
    use wgrad::graph::Init;
    let mut graph = Graph::new();
    let parts = ["__metadata__", "safetensors", "another name"];
    let zero = || Init::Constant(0.0);
    assert_says(&graph.parameter("__metadata__", [2], zero()).unwrap_err(), &parts);
    assert_says(&graph.state("__metadata__", [2], zero(), true).unwrap_err(), &parts);
    assert_says(&graph.state("__metadata__", [2], zero(), false).unwrap_err(), &parts);
    graph.scoped("__metadata__", |graph| graph.parameter("weight", [2], zero())).unwrap();
    graph.scoped("fc", |graph| graph.parameter("__metadata__", [2], zero())).unwrap();
    graph.input("__metadata__", [2]).unwrap();
    // Whatever else a tensor is called, its file is read again.
    for name in ["", ".", "\"\\\n\u{1b}", "wgrad_checkpoint", "\u{0}"] {
        graph.parameter(name, [3], Init::Constant(0.5)).unwrap();
    }
    let weights = wgrad::Weights::init(device(), &graph, 1).unwrap();
    let folder = folder();
    let path = folder.path().join("w");
    weights.save(&path).unwrap();
    weights.load(&path).unwrap();
}
