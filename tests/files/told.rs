//! Files of a wrong kind: the error says which kind and what to do.

use crate::harness::files::{self, gzip, header, images, labels};
use crate::model::{assert_says, contents, model};
use safetensors::tensor::{Dtype, TensorView};
use tempfile::TempDir;
use wgrad::data::{Images, Split};
use wgrad::weights::Metadata;

const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
const PAGE: &[u8] = b"\n<!DOCTYPE html>\n<html><head><title>404</title></head></html>";
/// The first bytes of what torch.save wrote before it wrote zip archives.
const PICKLE: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.";

#[test]
fn files_that_hold_no_weights_are_told() {
    let folder = TempDir::new().unwrap();
    let mut model = model().unwrap();
    let before = contents(&model.weights);
    for (bytes, parts) in [
        (POINTER, &["git-LFS pointer", "git lfs pull"][..]),
        (PAGE, &["web page (HTML)", "download the file itself again"]),
        (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", &["XML", "refused"]),
        (&gzip(b"weights"), &["gzip data", "unpack it"]),
        (b"\x93NUMPY\x01\0v\0{'descr': '<f4'", &["NumPy", "save_file"]),
        (b"\x89HDF\r\n\x1a\n\0\0\0\0", &["HDF5"]),
        (b"GGUF\x03\0\0\0\0\0\0\0", &["GGUF"]),
        (&images(2, 8, 8), &["IDX file", "file of weights"]),
        (b"Entry not found", &["text that starts \"Entry not found\""]),
        (b"", &["is empty"]),
        (b"\0\0\0\0", &["truncated to 4 bytes"]),
        (&[0xff; 64], &["no header follows"]),
    ] {
        let path = files::write(folder.path(), "w.safetensors", bytes);
        for error in
            [model.weights.load(&path).unwrap_err(), model.session.load_checkpoint(&path).unwrap_err()]
        {
            assert_says(&error, &["w.safetensors", "not a whole safetensors file"]);
            assert_says(&error, parts);
        }
        for error in [
            model.weights.load_bytes(bytes).unwrap_err(),
            model.session.load_checkpoint_bytes(bytes).unwrap_err(),
            Metadata::of_bytes(bytes).unwrap_err(),
        ] {
            assert_says(&error, &["(bytes in memory)", "not a whole safetensors file"]);
            assert_says(&error, parts);
        }
    }
    let zip = [b"PK\x03\x04\0\0\x08\x08", &[0; 40][..], b"archive/data.pkl"].concat();
    for (bytes, parts) in [
        (PICKLE, &["can't be read", "at byte 21", "ends here without STOP"][..]),
        (
            b"\x80\x04\x95\x03\0\0\0\0\0\0\0}\x94.",
            &["Python pickle", "torch.save", "safetensors.torch.save_file"],
        ),
        (&zip, &["not a whole PyTorch file", "zip archive is damaged or truncated"]),
        (b"{\"metadata\": {}, \"weight_map\": {}}", &["JSON", "index", ".safetensors"]),
    ] {
        let path = files::write(folder.path(), "w.pt", bytes);
        for error in
            [model.weights.load(&path).unwrap_err(), model.session.load_checkpoint(&path).unwrap_err()]
        {
            assert_says(&error, &[&["w.pt"][..], parts].concat());
        }
        assert_says(&Metadata::of_bytes(bytes).unwrap_err(), parts);
    }
    for (dtype, bytes, name) in
        [(Dtype::I64, 8, "I64"), (Dtype::I32, 4, "I32"), (Dtype::U8, 1, "U8"), (Dtype::BOOL, 1, "BOOL")]
    {
        let data = vec![0; 12 * bytes];
        let tensors = [
            ("fc.weight", TensorView::new(dtype, vec![3, 4], &data).unwrap()),
            ("fc.bias", TensorView::new(dtype, vec![3], &data[..3 * bytes]).unwrap()),
        ];
        let path =
            files::write(folder.path(), "w.safetensors", &safetensors::serialize(tensors, None).unwrap());
        let error = model.weights.load(&path).unwrap_err();
        assert_says(
            &error,
            &[&format!("is {name}, expected F32, F64, F16 or BF16; save it again as float32")],
        );
    }
    assert_eq!(contents(&model.weights), before);
}

#[test]
fn headers_beyond_the_limit_are_refused_by_it() {
    let folder = TempDir::new().unwrap();
    let model = model().unwrap();
    // A header of 80 MB, of which the file has all or nothing.
    let length = 80_000_000u64;
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend(b"{\"");
    let short = files::write(folder.path(), "w.safetensors", &bytes);
    let parts = ["w.safetensors", "header of 80000000 bytes", "the limit is 1678"];
    assert_says(&model.weights.load(&short).unwrap_err(), &parts);
    bytes.resize(8 + length as usize, b'x');
    let long = files::write(folder.path(), "w.safetensors", &bytes);
    let (error, most) = crate::memory::most_held(|| model.weights.load(&long).unwrap_err());
    assert_says(&error, &parts);
    assert!(most < 1 << 20, "{most} bytes for a header that is not read");
}

/// The error of reading this as images, or as labels.
fn data_error(name: &str, bytes: &[u8], as_labels: bool) -> wgrad::Error {
    let folder = TempDir::new().unwrap();
    let path = files::write(folder.path(), name, bytes);
    let [images, labels] = [("i", images(20, 8, 8)), ("l", labels(20))]
        .map(|(name, bytes)| files::write(folder.path(), name, &bytes));
    let (images, labels) = if as_labels { (&images, &path) } else { (&path, &labels) };
    Images::from_files(images, labels, 10).expect_err(name)
}

#[test]
fn files_that_hold_no_data_are_told() {
    let idx = |kind: u32, sizes: &[usize], bytes: usize| [header(kind, sizes), vec![1; bytes]].concat();
    let big_endian = |labels: &[i32]| {
        [header(0x0c01, &[labels.len()]), labels.iter().flat_map(|label| label.to_be_bytes()).collect()]
            .concat()
    };
    let little_endian_sizes =
        [0x0803u32.to_be_bytes(), 20u32.to_le_bytes(), 8u32.to_le_bytes(), 8u32.to_le_bytes()].concat();
    let swapped = [0x0803u32.to_le_bytes(), 20u32.to_le_bytes(), 8u32.to_le_bytes()].concat();
    for (name, bytes, as_labels, parts) in [
        ("d", POINTER.to_vec(), false, &["git-LFS pointer", "git lfs pull"][..]),
        ("d.gz", POINTER.to_vec(), false, &["git-LFS pointer", "git lfs pull"]),
        ("d", PAGE.to_vec(), true, &["web page (HTML)"]),
        ("d.gz", PAGE.to_vec(), true, &["web page (HTML)", "not gzip"]),
        ("d.gz", b"PK\x03\x04....".to_vec(), true, &["zip archive", "unpack it"]),
        ("d.gz", gzip(&gzip(&images(20, 8, 8))), false, &["gzipped twice", "unpack it once"]),
        ("d.gz", gzip(PAGE), false, &["web page (HTML)"]),
        ("d.gz", gzip(PICKLE), false, &["Python pickle", "IDX"]),
        ("d.gz", gzip(&[&[b'a'; 257][..], b"ustar"].concat()), false, &["tar archive", "unpack it"]),
        ("d.gz", gzip(b""), false, &["truncated"]),
        ("d.gz", b"x".to_vec(), false, &["not gzip", "starts with 78"]),
        ("d", labels(20), false, &["file of labels", "name the one of images"]),
        ("d", images(20, 8, 8), true, &["file of images", "name the one of labels"]),
        ("d", idx(0x0d03, &[20, 8, 8], 5120), false, &["32-bit floats in 3 dimensions", "unsigned bytes"]),
        ("d", idx(0x0e01, &[20], 160), true, &["64-bit floats in 1 dimension", "32-bit integers"]),
        (
            "d",
            idx(0x0802, &[20, 64], 1280),
            false,
            &["unsigned bytes in 2 dimensions", "count, rows, columns"],
        ),
        ("d", idx(0x0805, &[20, 1, 3, 8, 8], 3840), false, &["in 5 dimensions"]),
        ("d", idx(0x0c02, &[20, 7], 560), true, &["rows of 7 integers", "QMNIST"]),
        ("d", [swapped, vec![0; 1284]].concat(), false, &["little-endian order", "IDX is big-endian"]),
        (
            "d",
            [little_endian_sizes, vec![0; 1280]].concat(),
            false,
            &["promises 335544320 x 134217728 x 134217728", "little-endian, 20 x 8 x 8"],
        ),
        ("d", big_endian(&[3, -1]), true, &["label -1 at position 1", "0 to 9"]),
        ("d", big_endian(&[3, 256]), true, &["label 256 at position 1"]),
        ("d", big_endian(&[0, 3 << 24]), true, &["label 50331648 at position 1", "labels are little-endian"]),
        ("d", idx(0x0c01, &[20], 79), true, &["truncated", "20 x 4 = 80 bytes", "found 79"]),
        ("d", vec![0xff; 4], true, &["magic number 0xffffffff", "not a file of this data set"]),
    ] {
        assert_says(&data_error(name, &bytes, as_labels), &[&["data file", name][..], parts].concat());
    }
}

#[test]
fn integer_labels_and_other_names_are_read() {
    let expected = {
        let folder = files::data_set(20, 10);
        Images::load(folder.path(), Split::Train).unwrap()
    };
    let classes: Vec<i32> = labels(20)[8..].iter().map(|&class| class.into()).collect();
    let bytes = |columns: usize| -> Vec<u8> {
        // What QMNIST says of an image beside its class may be any number.
        let row = move |class: i32| std::iter::once(class).chain((1..columns as i32).map(|n| -1000 * n));
        classes.iter().flat_map(|&class| row(class)).flat_map(i32::to_be_bytes).collect()
    };
    let integers = [header(0x0c01, &[20]), bytes(1)].concat();
    let qmnist = [header(0x0c02, &[20, 8]), bytes(8)].concat();
    for (images_name, labels_name, labels) in [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", labels(20)),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte", labels(20)),
        ("train-images.idx3-ubyte", "train-labels-idx1-ubyte", integers),
        ("qmnist-train-images-idx3-ubyte", "qmnist-train-labels-idx2-int", qmnist),
    ] {
        for zipped in [false, true] {
            let folder = TempDir::new().unwrap();
            for (name, bytes) in [(images_name, images(20, 8, 8)), (labels_name, labels.clone())] {
                match zipped {
                    true => files::write(folder.path(), &format!("{name}.gz"), &gzip(&bytes)),
                    false => files::write(folder.path(), name, &bytes),
                };
            }
            assert_eq!(Images::load(folder.path(), Split::Train).expect(images_name), expected);
            assert_says(
                &Images::load(folder.path(), Split::Test).unwrap_err(),
                &["t10k-images-idx3-ubyte.gz"],
            );
        }
    }
    // A folder of a file's name, as some archives unpack to.
    let folder = files::data_set(20, 10);
    std::fs::remove_file(folder.path().join("train-images-idx3-ubyte.gz")).unwrap();
    std::fs::create_dir(folder.path().join("train-images-idx3-ubyte")).unwrap();
    let error = Images::load(folder.path(), Split::Train).unwrap_err();
    assert_says(&error, &["train-images-idx3-ubyte", "is a directory", "move the file in it up"]);
}
