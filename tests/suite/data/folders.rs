//! Lists of pictures: folders of classes, CSV files.

use super::refused;
use crate::harness::files::write;
use image::{ImageFormat, Rgb, RgbImage};
use std::io::Cursor;
use std::path::Path;
use tempfile::TempDir;
use wgrad::data::{Dataset, ImageFiles, Loader, Order, Picture};

/// A PNG of one colour.
fn png(red: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::from_pixel(3, 2, Rgb([red, 1, 2])).write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn put(folder: &Path, name: &str, bytes: &[u8]) {
    std::fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
    write(folder, name, bytes);
}

/// File names with labels.
fn listed(data: &ImageFiles) -> Vec<(String, usize)> {
    let name = |index| data.path(index).unwrap().file_name().unwrap().to_string_lossy().into_owned();
    (0..data.len()).map(|index| (name(index), data.label(index).unwrap())).collect()
}

#[test]
fn a_folder_is_a_class() {
    let folder = TempDir::new().unwrap();
    for (name, red) in [
        ("dog/b.png", 3),
        ("dog/a.PNG", 2),
        ("dog/more/0.png", 4),
        ("Zebra/z.png", 0),
        ("cat/10.png", 1),
        ("dog/.hidden.png", 9),
        ("dog/notes.txt", 9),
        (".ipynb_checkpoints/x.png", 9),
        ("loose.png", 9),
    ] {
        put(folder.path(), name, &png(red));
    }
    let data = ImageFiles::folder(folder.path(), Picture::rgb(1, 1)).unwrap();
    assert_eq!(data.class_names(), ["Zebra", "cat", "dog"]);
    let expected = [("z.png", 0), ("10.png", 1), ("a.PNG", 2), ("b.png", 2), ("0.png", 2)];
    assert_eq!(listed(&data), expected.map(|(name, label)| (name.to_owned(), label)));
    let found = super::all(&data, |batch| Ok((batch.u8("image")?.to_vec(), batch.i32("label")?.to_vec())));
    let pixels: Vec<u8> = (0..5).flat_map(|red| [red, 1, 2]).collect();
    assert_eq!(found.unwrap(), (pixels, vec![0, 1, 2, 2, 2]));

    // A test set that lacks a class gets the numbers of the training set.
    let test = TempDir::new().unwrap();
    put(test.path(), "dog/1.png", &png(5));
    let alone = ImageFiles::folder(test.path(), Picture::rgb(1, 1)).unwrap();
    assert_eq!((alone.label(0), alone.classes()), (Some(0), 1));
    let same = alone.with_classes(data.class_names()).unwrap();
    assert_eq!((same.label(0), same.classes()), (Some(2), 3));
    refused(data.with_classes(&["cat".into(), "dog".into()]), &["a class \"Zebra\"", "cat, dog"]);
}

#[test]
fn folders_without_pictures_are_refused() {
    let folder = TempDir::new().unwrap();
    let read = || ImageFiles::folder(folder.path(), Picture::grey(4, 4));
    refused(read(), &["has no folders"]);
    put(folder.path(), "cat/1.jpg", b"");
    put(folder.path(), "dog/readme.md", b"");
    refused(read(), &["dog", "has no pictures"]);
    refused(ImageFiles::folder(folder.path().join("none"), Picture::grey(4, 4)), &["none"]);
    refused(ImageFiles::folder(folder.path(), Picture::grey(0, 4)), &[""]);
    refused(ImageFiles::new(vec![], vec![], Picture::grey(4, 4)), &["found none"]);
    refused(ImageFiles::new(vec![("a".into(), 2)], vec!["x".into()], Picture::grey(4, 4)), &["a label of 2"]);
}

#[cfg(unix)]
#[test]
fn links_in_a_circle_are_refused() {
    let folder = TempDir::new().unwrap();
    put(folder.path(), "cat/1.png", &png(1));
    std::os::unix::fs::symlink(folder.path(), folder.path().join("cat/again")).unwrap();
    refused(ImageFiles::folder(folder.path(), Picture::rgb(1, 1)), &["links may lead in a circle"]);
}

#[test]
fn a_csv_file_lists_paths_and_classes() {
    let folder = TempDir::new().unwrap();
    let read =
        |text: &str| ImageFiles::csv(write(folder.path(), "list.csv", text.as_bytes()), Picture::rgb(2, 2));
    let labels = |data: &ImageFiles| listed(data).into_iter().map(|(_, label)| label).collect::<Vec<_>>();

    let data =
        read("\u{feff}path,label,width\r\n\"a, \"\"b\"\".png\",dog,3\r\nsub/c.jpg,cat\r\nd.jpeg,dog,1,2\r\n")
            .unwrap();
    assert_eq!(data.class_names(), ["cat", "dog"]);
    assert_eq!(listed(&data)[0].0, "a, \"b\".png");
    assert_eq!(data.path(1).unwrap(), folder.path().join("sub/c.jpg"));
    assert_eq!(labels(&data), [1, 0, 1]);

    let data = read("a.png, 3\nb.png,0\n\n").unwrap();
    assert_eq!((labels(&data), data.classes(), data.class_names().len()), (vec![3, 0], 4, 0));
    assert_eq!(data.with_classes(&["p", "q", "r", "s"].map(String::from)).unwrap().class_names()[3], "s");
    // One class that is no number makes all of them names.
    assert_eq!(read("a.png,10\nb.png,9\nc.png,-1\n").unwrap().class_names(), ["-1", "10", "9"]);

    for (text, part) in [
        ("", "lists no pictures"),
        ("path,label\n", "lists no pictures"),
        ("a.png,1\nb.png\n", "line 2"),
        ("a.png,1\n,1\n", "line 2"),
        ("a.png,1\nb.png,\n", "line 2"),
    ] {
        refused(read(text), &["list.csv", part]);
    }
    let path = write(folder.path(), "latin.csv", b"a.png,caf\xe9\n");
    refused(ImageFiles::csv(path, Picture::rgb(2, 2)), &["latin.csv", "UTF-8"]);
}

#[test]
fn a_damaged_picture_is_named_or_replaced() {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in [("a/1.png", png(1)), ("a/2.png", png(2)[..40].to_vec()), ("b/3.png", png(3))] {
        put(folder.path(), name, &bytes);
    }
    let data = ImageFiles::folder(folder.path(), Picture::rgb(1, 1)).unwrap();
    let order = Order::sequential(3).unwrap();
    for workers in [0, 1, 2] {
        let loader = Loader::new(3).workers(workers);
        refused(loader.run(&data, &order, 0..1, |_| Ok(())), &["2.png", "is damaged"]);
        let read = loader.skip_damaged(true).run(&data, &order, 0..1, |batch| {
            assert_eq!(
                (batch.u8("image")?, batch.i32("label")?),
                (&[1, 1, 2, 3, 1, 2, 3, 1, 2][..], &[0, 1, 1][..])
            );
            assert!(batch.damaged_items()[0].1.to_string().contains("2.png"));
            Ok(())
        });
        read.unwrap();
    }
}
