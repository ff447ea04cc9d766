//! Damaged pictures, archives and tables: as in `damaged`, no panic, no long wait, no memory that the file does not
//! justify, and an error that names the file.

use crate::damage::{Random, damaged, times};
use crate::damaged::{Tally, fresh};
use crate::harness::files::{gzip, header};
use crate::harness::root;
use safetensors::SafeTensors;
use tempfile::TempDir;
use wgrad::data::{Cifar, Dataset, ImageFiles, Images, Picture, Split, read_idx};

#[test]
fn damaged_pictures_are_refused() {
    let folder = TempDir::new().unwrap();
    let bytes = std::fs::read(root().join("tests/fixtures/pictures.safetensors")).unwrap();
    let fixture = SafeTensors::deserialize(&bytes).unwrap();
    let files = |kind: &str| -> Vec<Vec<u8>> {
        let mut names = fixture.names();
        names.retain(|name| name.starts_with(kind) && name.ends_with(".file"));
        names.sort_unstable();
        names.into_iter().map(|name| fixture.tensor(name).unwrap().data().to_vec()).collect()
    };
    let mut random = Random::new(5);
    for kind in ["png", "jpeg", "webp"] {
        let (seeds, mut tally) = (files(kind), Tally::default());
        for _ in 0..600 * times() {
            let bytes = damaged(&mut random, &seeds);
            let path = fresh(folder.path(), "picture", &bytes);
            tally.run("picture", &bytes, || Picture::rgb(9, 7).read(&path));
        }
        tally.tell(kind);
        assert!(tally.taken > 0);
    }
}

#[test]
fn damaged_archives_are_refused() {
    let folder = TempDir::new().unwrap();
    let mut archive = vec![0; 512];
    archive[..14].copy_from_slice(b"test_batch.bin");
    archive[124..135].copy_from_slice(format!("{:011o}", 2 * 3073).as_bytes());
    archive[156] = b'0';
    archive[148..156].fill(b' ');
    let sum: u32 = archive.iter().map(|&byte| u32::from(byte)).sum();
    archive[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
    archive.extend((0..2 * 3073).map(|at| if at % 3073 == 0 { 3 } else { at as u8 }));
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    let (mut random, mut tally) = (Random::new(6), Tally::default());
    let (plain, zipped) = ([archive.clone()], [gzip(&archive)]);
    for case in 0..600 * times() {
        let bytes =
            if case % 2 == 0 { gzip(&damaged(&mut random, &plain)) } else { damaged(&mut random, &zipped) };
        let path = fresh(folder.path(), "cifar.tar.gz", &bytes);
        let read = tally.run("cifar.tar.gz", &bytes, || Images::cifar(&path, Cifar::Ten, Split::Test));
        assert!(read.is_none_or(|data| data.labels().iter().all(|&label| label < 10)));
    }
    tally.tell("CIFAR");
    assert!(tally.taken > 0);
}

#[test]
fn damaged_numbers_are_refused() {
    let folder = TempDir::new().unwrap();
    let file = |magic, sizes: &[usize], bytes: usize| -> Vec<u8> {
        header(magic, sizes).into_iter().chain((0..bytes).map(|at| (at * 37) as u8)).collect()
    };
    let seeds = [
        file(0x0903, &[2, 3, 4], 24),
        file(0x0b01, &[9], 18),
        file(0x0d04, &[2, 1, 3, 2], 48),
        file(0x0e02, &[5, 2], 80),
    ];
    let (mut random, mut tally) = (Random::new(7), Tally::default());
    for _ in 0..1000 * times() {
        let bytes = damaged(&mut random, &seeds);
        let path = fresh(folder.path(), "numbers", &bytes);
        if let Some((shape, column)) = tally.run("numbers", &bytes, || read_idx(&path)) {
            assert_eq!(shape.elements(), wgrad::HostSlice::from(&column).len());
        }
    }
    tally.tell("IDX of any type");
    assert!(tally.taken > 0);
}

#[test]
fn damaged_tables_are_refused() {
    let folder = TempDir::new().unwrap();
    let seeds = [
        b"path,label\na.png,cat\n\"b, c.png\",dog\n".to_vec(),
        b"a.png,0\nb.png,1\nc.png,12\n".to_vec(),
        b"\xef\xbb\xbf\"a \"\"b\"\".png\",\"x\ny\",1,2\r\n".to_vec(),
    ];
    let (mut random, mut tally) = (Random::new(8), Tally::default());
    for _ in 0..1000 * times() {
        let bytes = damaged(&mut random, &seeds);
        let path = fresh(folder.path(), "list.csv", &bytes);
        if let Some(data) = tally.run("list.csv", &bytes, || ImageFiles::csv(&path, Picture::rgb(9, 7))) {
            assert!(
                (0..data.len()).all(|index| data.label(index).is_some_and(|label| label < data.classes()))
            );
        }
    }
    tally.tell("CSV");
    assert!(tally.taken > 0);
}
