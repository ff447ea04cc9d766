//! IDX files of every element type, written byte by byte.

use super::refused;
use crate::harness::files::{gzip, header, write};
use tempfile::TempDir;
use wgrad::HostData;
use wgrad::Shape;
use wgrad::data::{Dataset, Images, read_idx};

#[test]
fn every_element_type_is_read() {
    let folder = TempDir::new().unwrap();
    let expected = [
        (0x08, vec![0, 127, 255], HostData::U8(vec![0, 127, 255])),
        (0x09, vec![0, 127, 0x80], HostData::I32(vec![0, 127, -128])),
        (0x0b, vec![0, 7, 0x80, 0, 0xff, 0xfe], HostData::I32(vec![7, -32768, -2])),
        (
            0x0c,
            vec![0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff],
            HostData::I32(vec![256, -1, i32::MAX]),
        ),
        (0x0d, vec![0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0, 0, 0, 0, 1], HostData::F32(vec![1.0, -2.5, 1e-45])),
        (
            0x0e,
            [
                [0x3f, 0xf0, 0, 0, 0, 0, 0, 0],
                [0xc0, 0x04, 0, 0, 0, 0, 0, 0],
                [0x3f, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a],
            ]
            .concat(),
            HostData::F32(vec![1.0, -2.5, 0.1]),
        ),
    ];
    for (code, bytes, column) in expected {
        for (dimensions, sizes) in [(1, vec![3]), (2, vec![3, 1]), (5, vec![1, 3, 1, 1, 1])] {
            let file = [header(code << 8 | dimensions, &sizes), bytes.clone()].concat();
            let path = write(folder.path(), "numbers", &file);
            assert_eq!(read_idx(&path).unwrap(), (Shape::new(sizes.clone()), column.clone()));
            let path = write(folder.path(), "numbers.gz", &gzip(&file));
            assert_eq!(read_idx(&path).unwrap(), (Shape::new(sizes), column.clone()));
        }
    }
}

#[test]
fn images_have_any_number_of_channels() {
    let folder = TempDir::new().unwrap();
    let pixels: Vec<u8> = (0..2 * 3 * 4 * 5).collect();
    let images = write(folder.path(), "images", &[header(0x0804, &[2, 3, 4, 5]), pixels.clone()].concat());
    let labels = write(folder.path(), "labels", &[header(0x0801, &[2]), vec![6, 0]].concat());
    let data = Images::from_files(&images, &labels, 7).unwrap();
    assert_eq!((data.channels(), data.rows(), data.columns()), (3, 4, 5));
    assert_eq!(data.fields()[0].shape, Shape::new([3, 4, 5]));
    assert_eq!(super::all(&data, |batch| Ok(batch.u8("image")?.to_vec())).unwrap(), pixels);
}

#[test]
fn other_files_are_refused() {
    let folder = TempDir::new().unwrap();
    for (bytes, part) in [
        (vec![0, 0, 0x0a, 1, 0, 0, 0, 1, 7], "magic number 0x00000a01"),
        (vec![0, 0, 0x08, 0, 0, 0, 0, 1, 7], "magic number 0x00000800"),
        (b"path,label\nx.png,3\n".to_vec(), "text that starts"),
        ([header(0x0e02, &[1 << 20, 1 << 20]), vec![0; 64]].concat(), "8"),
        ([header(0x0d01, &[2]), vec![0; 7]].concat(), "is truncated"),
        ([header(0x0d01, &[2]), vec![0; 9]].concat(), "is too long"),
        (header(0x0802, &[2, 0]), "holds nothing"),
    ] {
        let path = write(folder.path(), "numbers", &bytes);
        refused(read_idx(&path), &["numbers", part]);
    }
    refused(read_idx(folder.path().join("none")), &["none"]);
}
