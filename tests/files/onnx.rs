//! Damaged ONNX files: none makes the importer panic, wait long or take more memory than its size justifies. The sweep
//! damages a million.

use crate::damage::{Random, damaged, times};
use crate::damaged::Tally;
use crate::harness::{root, sweep};
use crate::message::{field, floats, initializer, int, model, node, port};
use wgrad::Graph;
use wgrad::onnx::Model;

const NAME: &str = "(bytes in memory)";

/// Integers of a node `Constant`.
fn integers(name: &str, numbers: &[i64]) -> Vec<u8> {
    let data: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let tensor = [int(1, numbers.len() as i64), int(2, 7), field(9, &data)].concat();
    let value = field(5, &[field(1, b"value"), field(5, &tensor), int(20, 4)].concat());
    field(1, &[field(2, name.as_bytes()), field(4, b"Constant"), value].concat())
}

/// Shapes that are computed when the network is built, and operators that take them.
fn shapes() -> Vec<u8> {
    model(&[
        initializer("w", &[4, 3, 2, 2], &floats(&[0.5; 48])),
        initializer("scales", &[4], &floats(&[1.0, 1.0, 2.0, 1.5])),
        integers("first", &[0]),
        integers("rest", &[-1]),
        integers("pads", &[0, 0, 1, 1, 0, 0, 1, 1]),
        integers("starts", &[1, 0]),
        integers("ends", &[3, 9]),
        node("Shape", &["x"], "shape"),
        node("Gather", &["shape", "first"], "batch"),
        node("Concat", &["batch", "rest"], "flat"),
        node("Pad", &["x", "pads"], "padded"),
        node("Conv", &["padded", "w"], "h"),
        node("Resize", &["h", "", "scales"], "large"),
        node("MaxPool", &["large"], "pooled"),
        node("Reshape", &["large", "flat"], "rows"),
        node("Slice", &["rows", "starts", "ends"], "part"),
        node("Softmax", &["part"], "y"),
        port(11, "x", &[None, Some(3), Some(4), Some(5)]),
        port(12, "y", &[None]),
    ])
}

/// One of `seeds` with other bits, or other small numbers, in one to three places.
fn flipped(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(3) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.below(24) as u8,
            _ => bytes[at] = random.next() as u8,
        }
    }
    bytes
}

#[test]
fn damaged_onnx_files_are_refused_or_built() {
    let path = root().join("tests/fixtures/onnx/small.onnx");
    let small = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    // Most of a file is numbers, where damage shows little.
    let seeds = [shapes(), shapes(), small];
    let (mut random, mut tally) = (Random::new(12), Tally::default());
    // What an import may fold, of eight bytes each, and the node that asked for too much.
    (tally.lines, tally.room) = (true, 512 << 20);
    for case in 0..sweep::count(10_000, 1_000_000) as u64 * times() {
        // Few files with other lengths than they had are messages at all.
        let bytes = if case % 4 == 0 { damaged(&mut random, &seeds) } else { flipped(&mut random, &seeds) };
        tally.run(NAME, &bytes, || {
            Model::from_bytes(bytes.clone())?.import().dimension("N", 2).build(&mut Graph::new())
        });
    }
    tally.tell("ONNX files");
    assert!(tally.taken > 0);
}
