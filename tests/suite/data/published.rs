//! Published data sets: EMNIST and CIFAR from files written byte by byte, and what all readers say of missing files.

use super::{all, refused};
use crate::harness::files::{gzip, header, write};
use std::path::Path;
use tempfile::TempDir;
use wgrad::Result;
use wgrad::data::{Cifar, Dataset, Emnist, Images, Split};

fn emnist(folder: &Path, name: &str, images: &[u8], sizes: &[usize], labels: &[u8]) {
    let images = [header(0x0803, sizes), images.to_vec()].concat();
    write(folder, &format!("emnist-{name}-images-idx3-ubyte.gz"), &gzip(&images));
    let labels = [header(0x0801, &[labels.len()]), labels.to_vec()].concat();
    write(folder, &format!("emnist-{name}-labels-idx1-ubyte"), &labels);
}

#[test]
fn emnist_stands_upright_with_named_classes() {
    let folder = TempDir::new().unwrap();
    // In the file rows are columns: an upright image of 3 rows and 2 columns.
    let images = [0, 2, 4, 1, 3, 5, 10, 12, 14, 11, 13, 15];
    emnist(folder.path(), "letters-train", &images, &[2, 2, 3], &[1, 26]);
    let data = Images::emnist(folder.path(), Emnist::Letters, Split::Train).unwrap();
    assert_eq!((data.rows(), data.columns(), data.classes()), (3, 2, 26));
    assert_eq!(data.image(0).unwrap(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(data.image(1).unwrap(), [10, 11, 12, 13, 14, 15]);
    assert_eq!(data.labels(), [0, 25]);
    assert_eq!((data.class_names()[0].as_str(), data.class_names()[25].as_str()), ("a", "z"));

    // The published mapping: 36 is "a", then b d e f g h n q r t.
    emnist(folder.path(), "balanced-test", &[0; 3], &[3, 1, 1], &[9, 35, 46]);
    let data = Images::emnist(folder.path(), Emnist::Balanced, Split::Test).unwrap();
    let name = |index| data.class_names()[data.label(index).unwrap()].as_str();
    assert_eq!((name(0), name(1), name(2), data.classes()), ("9", "Z", "t", 47));
    assert_eq!(data.class_names()[36..].concat(), "abdefghnqrt");

    for (selection, classes) in [
        (Emnist::ByClass, 62),
        (Emnist::ByMerge, 47),
        (Emnist::Balanced, 47),
        (Emnist::Letters, 26),
        (Emnist::Digits, 10),
        (Emnist::Mnist, 10),
    ] {
        let first = u8::from(selection == Emnist::Letters);
        emnist(
            folder.path(),
            &format!("{}-train", selection.name()),
            &[7],
            &[1, 1, 1],
            &[classes - 1 + first],
        );
        let data = Images::emnist(folder.path(), selection, Split::Train).unwrap();
        assert_eq!((data.labels(), data.class_names().len()), (&[classes - 1][..], usize::from(classes)));
        emnist(folder.path(), &format!("{}-train", selection.name()), &[7], &[1, 1, 1], &[classes + first]);
        refused(Images::emnist(folder.path(), selection, Split::Train), &["labels-idx1", "expected 0 to"]);
    }
    emnist(folder.path(), "letters-train", &[0; 2], &[2, 1, 1], &[1, 0]);
    refused(Images::emnist(folder.path(), Emnist::Letters, Split::Train), &["label 0 at position 1"]);
    emnist(folder.path(), "letters-train", &[0; 2], &[2, 1, 1], &[1]);
    refused(Images::emnist(folder.path(), Emnist::Letters, Split::Train), &["2 images", "1 labels"]);
    refused(Images::emnist(folder.path(), Emnist::Digits, Split::Test), &["emnist-digits-test-images"]);
}

/// A record of CIFAR: labels, then an image whose bytes follow from its number.
fn record(labels: &[u8], number: usize) -> Vec<u8> {
    labels.iter().copied().chain((0..3072).map(|at| (at / 7 + 31 * number) as u8)).collect()
}

/// The files of CIFAR-10, of one image a batch.
fn ten() -> Vec<(&'static str, Vec<u8>)> {
    let names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
    let batches =
        ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"];
    let mut files = vec![("batches.meta.txt", format!("{}\n\n", names.join("\n")).into_bytes())];
    files.extend(batches.into_iter().enumerate().map(|(i, name)| (name, record(&[9 - i as u8], i))));
    files.push(("test_batch.bin", [record(&[3], 7), record(&[0], 8)].concat()));
    files
}

/// A tar archive in the format of POSIX.
fn tar(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut add = |name: &str, kind: u8, contents: &[u8]| {
        let mut header = [0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..108].copy_from_slice(b"0000644\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", contents.len()).as_bytes());
        header[156] = kind;
        header[257..263].copy_from_slice(b"ustar\0");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        archive.extend_from_slice(&header);
        archive.extend_from_slice(contents);
        archive.resize(archive.len().next_multiple_of(512), 0);
    };
    add("cifar-10-batches-bin/", b'5', &[]);
    add("cifar-10-batches-bin/readme.html", b'0', b"<html>");
    for (name, contents) in files {
        add(&format!("cifar-10-batches-bin/{name}"), b'0', contents);
    }
    archive.extend([0; 1024]);
    archive
}

#[test]
fn cifar_is_read_from_folders_and_archives() {
    let folder = TempDir::new().unwrap();
    let inner = folder.path().join("cifar-10-batches-bin");
    std::fs::create_dir(&inner).unwrap();
    for (name, bytes) in ten() {
        write(&inner, name, &bytes);
    }
    let archive = write(folder.path(), "cifar-10-binary.tar.gz", &gzip(&tar(&ten())));
    for source in [folder.path(), &inner, &archive] {
        let train = Images::cifar(source, Cifar::Ten, Split::Train).unwrap();
        assert_eq!(train.labels(), [9, 8, 7, 6, 5]);
        assert_eq!((train.channels(), train.rows(), train.columns()), (3, 32, 32));
        assert_eq!(train.class_names()[3], "cat");
        let pixels: Vec<u8> = (0..5).flat_map(|number| record(&[], number)).collect();
        assert_eq!(all(&train, |batch| Ok(batch.u8("image")?.to_vec())).unwrap(), pixels);
        let test = Images::cifar(source, Cifar::Ten, Split::Test).unwrap();
        assert_eq!((test.labels(), test.image(1).unwrap()), (&[3, 0][..], &record(&[], 8)[..]));
    }
    std::fs::remove_file(inner.join("batches.meta.txt")).unwrap();
    assert!(Images::cifar(&inner, Cifar::Ten, Split::Train).unwrap().class_names().is_empty());

    let inner = folder.path().join("cifar-100-binary");
    std::fs::create_dir(&inner).unwrap();
    let hundred = [record(&[19, 99], 1), record(&[0, 42], 2)].concat();
    write(&inner, "train.bin", &hundred);
    let hundred = gzip(&tar(&[("train.bin", hundred)]));
    let archive = write(folder.path(), "cifar-100-binary.tar.gz", &hundred);
    for source in [folder.path(), &inner, &archive] {
        let labels = |which| Images::cifar(source, which, Split::Train).unwrap().labels().to_vec();
        assert_eq!((labels(Cifar::Hundred), labels(Cifar::Superclasses)), (vec![99, 42], vec![19, 0]));
    }
}

#[test]
fn other_files_than_cifars_are_refused() {
    let folder = TempDir::new().unwrap();
    let read = || Images::cifar(folder.path(), Cifar::Ten, Split::Test);
    refused(read(), &["test_batch.bin", "does not exist"]);
    for (bytes, part) in [
        (vec![], "holds 0 bytes"),
        (record(&[0], 0)[..3000].to_vec(), "holds 3000 bytes, expected records of 3073"),
        ([record(&[0], 0), record(&[10], 0)].concat(), "label 10 in record 1, expected 0 to 9"),
    ] {
        write(folder.path(), "test_batch.bin", &bytes);
        refused(read(), &["test_batch.bin", part]);
    }
    write(folder.path(), "test_batch.bin", &record(&[0], 0));
    write(folder.path(), "batches.meta.txt", b"cat\ndog\n");
    refused(read(), &["batches.meta.txt", "holds 2 names"]);
    let read =
        |bytes: &[u8]| Images::cifar(write(folder.path(), "cifar.tar.gz", bytes), Cifar::Ten, Split::Test);
    let whole = tar(&ten());
    refused(read(b"no archive"), &["cifar.tar.gz", "is no gzipped tar archive"]);
    refused(read(&gzip(b"no archive")), &["cifar.tar.gz", "is truncated"]);
    refused(read(&gzip(&[7; 1024])), &["cifar.tar.gz", "no tar archive"]);
    refused(read(&gzip(&whole[..2048])), &["cifar.tar.gz", "truncated"]);
    let packed = gzip(&whole);
    refused(read(&packed[..packed.len() / 2]), &["cifar.tar.gz"]);
    refused(read(&gzip(&tar(&ten()[..3]))), &["test_batch.bin", "does not exist"]);
    refused(Images::cifar(folder.path().join("none"), Cifar::Ten, Split::Test), &["none"]);
}

/// A reader, the files that it wants first, how it names all that it takes, the file with its documentation, and the pages
/// of its data sets.
struct Reader {
    read: fn(&Path) -> Result<Images>,
    files: &'static [&'static str],
    takes: &'static [&'static str],
    source: &'static str,
    pages: &'static [&'static str],
}

const MNIST: Reader = Reader {
    read: |path| Images::load(path, Split::Train),
    files: &["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"],
    takes: &["plain or with .gz"],
    source: "mnist.rs",
    pages: &[
        "https://github.com/cvdfoundation/mnist",
        "https://github.com/zalandoresearch/fashion-mnist",
        "https://github.com/rois-codh/kmnist",
        "https://github.com/facebookresearch/qmnist",
    ],
};
const EMNIST: Reader = Reader {
    read: |path| Images::emnist(path, Emnist::Letters, Split::Test),
    files: &["emnist-letters-test-images-idx3-ubyte.gz", "emnist-letters-test-labels-idx1-ubyte.gz"],
    takes: &["plain or with .gz", "gzip.zip", "unpack it"],
    source: "emnist.rs",
    pages: &["https://www.nist.gov/itl/products-and-services/emnist-dataset"],
};
const CIFAR_10: Reader = Reader {
    read: |path| Images::cifar(path, Cifar::Ten, Split::Train),
    files: &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin"],
    takes: &["cifar-10-binary.tar.gz", "the binary version"],
    source: "cifar.rs",
    pages: &["https://www.cs.toronto.edu/~kriz/cifar.html"],
};
const READERS: [Reader; 6] = [
    MNIST,
    Reader {
        read: |path| Images::load(path, Split::Test),
        files: &["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"],
        takes: &["qmnist-test-"],
        ..MNIST
    },
    EMNIST,
    CIFAR_10,
    Reader {
        read: |path| Images::cifar(path, Cifar::Hundred, Split::Train),
        files: &["train.bin"],
        takes: &["cifar-100-binary.tar.gz", "the binary version"],
        ..CIFAR_10
    },
    Reader {
        read: |path| Images::cifar(path, Cifar::Superclasses, Split::Test),
        files: &["test.bin"],
        takes: &["cifar-100-binary.tar.gz", "the binary version"],
        ..CIFAR_10
    },
];

#[test]
fn missing_files_are_named_with_the_page_that_has_them() {
    let root = crate::harness::root();
    let guide = std::fs::read_to_string(root.join("docs/data.md")).unwrap();
    for Reader { read, files, takes, source, pages } in READERS {
        let folder = TempDir::new().unwrap();
        let missing = |source: &Path, path: &Path| {
            let path = path.display().to_string();
            refused(read(source), &[&[path.as_str(), "does not exist; expected "], takes, pages].concat());
        };
        for name in ["none", "none.tar.gz"] {
            missing(&folder.path().join(name), &folder.path().join(name));
        }
        // Each file in turn is the first that is missing.
        for file in files {
            missing(folder.path(), &folder.path().join(file));
            write(folder.path(), file, &record(&[0], 0));
        }
        let documentation = root.join("src/data/published").join(source);
        let documentation = std::fs::read_to_string(documentation).unwrap();
        for page in pages {
            assert!(documentation.contains(page) && guide.contains(page), "{source}: {page}");
        }
    }
    // What EMNIST's page offers, as it was downloaded.
    let folder = TempDir::new().unwrap();
    let zip = write(folder.path(), "gzip.zip", b"PK");
    let parts = ["gzip.zip", "is not a directory; expected", "unpack it"];
    refused(Images::emnist(zip, Emnist::Letters, Split::Test), &parts);
    // An archive of another version holds none of the files.
    let archive = write(folder.path(), "cifar-10-python.tar.gz", &gzip(&tar(&[("data_batch_1", vec![0])])));
    let parts = ["cifar-10-python.tar.gz", "data_batch_1.bin", "the binary version", CIFAR_10.pages[0]];
    refused(Images::cifar(archive, Cifar::Ten, Split::Train), &parts);
}
