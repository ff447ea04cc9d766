//! Matrix products of every orientation, and the linear layer.

use crate::harness::{Case, edges, numbers};
use wgrad::ops::linear::{Linear, LinearGradWeight};
use wgrad::ops::matmul::MatMul;

/// Whether sides go in fours, which is another edge where an operand is transposed.
fn sides(m: usize, n: usize, k: usize, transpose_lhs: bool, transpose_rhs: bool) -> [String; 4] {
    let side = |what: &str, size: usize, transposed: bool| {
        format!("{what} in fours: {}, transposed: {transposed}", size.is_multiple_of(4))
    };
    [
        side("rows", m, transpose_lhs),
        side("terms of rows", k, transpose_lhs),
        side("columns", n, transpose_rhs),
        side("terms of columns", k, transpose_rhs),
    ]
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let sizes: &[(&str, usize, usize, usize)] = &[
        ("one by one", 1, 1, 1),
        ("odd everywhere", 7, 5, 13),
        ("a row", 1, 67, 129),
        ("a column", 70, 1, 131),
        ("a short sum", 65, 33, 3),
        ("a tile exactly", 64, 64, 16),
        ("one past a tile", 65, 129, 17),
        ("multiples of four that no tile divides", 68, 76, 36),
        ("rows that fill no eighth of a tile", 57, 36, 20),
        ("more rows than a tile, in eights", 72, 40, 24),
        ("two tiles of rows and a bit", 131, 9, 34),
        ("more rows than a band of tiles, and columns than a large tile", 1095, 140, 19),
        ("more rows than a band of tiles, in fours", 1096, 132, 36),
        ("a large tile exactly, split", 128, 128, 1024),
        ("a row by a long matrix", 1, 70, 1030),
        ("a row by a long matrix in fours", 1, 72, 1028),
        ("two columns of a long sum", 37, 2, 519),
        ("four columns in fours", 68, 4, 516),
        ("a product of two vectors", 1, 1, 4097),
        ("a long sum that is split", 12, 20, 2052),
        ("a long odd sum that is split", 3, 5, 1031),
    ];
    for &(name, m, n, k) in sizes {
        for (transpose_lhs, transpose_rhs) in [(false, false), (true, false), (false, true), (true, true)] {
            let a = if transpose_lhs { [k, m] } else { [m, k] };
            let b = if transpose_rhs { [n, k] } else { [k, n] };
            let name = format!("{name} {m}x{k}x{n} transposed {transpose_lhs} {transpose_rhs}");
            let operator = MatMul { transpose_lhs, transpose_rhs };
            let case = Case::new(name, operator, vec![numbers(a, 1), numbers(b, 2)]);
            cases.push(case.by_edges(sides(m, n, k, transpose_lhs, transpose_rhs)));
        }
    }
    cases.push(Case::new(
        "batches",
        MatMul::default(),
        vec![numbers([2, 3, 5, 7], 3), numbers([2, 3, 7, 9], 4)],
    ));
    cases.push(Case::new(
        "batches in fours, split",
        MatMul { transpose_lhs: false, transpose_rhs: true },
        vec![numbers([2, 8, 512], 3), numbers([2, 4, 512], 4)],
    ));
    cases.push(Case::new(
        "batches of a matrix by a vector",
        MatMul::default(),
        vec![numbers([3, 35, 130], 3), numbers([3, 130, 1], 4)],
    ));
    for (name, batch, from, to) in [
        ("the classifier", 64, 600, 10),
        ("one image", 1, 515, 33),
        ("odd", 3, 11, 7),
        ("split with a bias", 4, 1568, 24),
    ] {
        cases.push(Case::new(
            name,
            Linear,
            vec![numbers([batch, from], 5), numbers([to, from], 6), numbers([to], 7)],
        ));
        cases.push(Case::new(
            format!("{name}, no bias"),
            Linear,
            vec![numbers([batch, from], 5), numbers([to, from], 6)],
        ));
        cases.push(Case::new(
            name,
            LinearGradWeight,
            vec![numbers([batch, to], 8), numbers([batch, from], 5)],
        ));
    }
    cases.push(Case::new(
        "a batch that is split",
        LinearGradWeight,
        vec![numbers([1030, 6], 8), numbers([1030, 5], 5)],
    ));
    let named = |case: Case| if case.edges.is_some() { case } else { case.by_edges(edges::SHOWN) };
    cases.into_iter().map(named).collect()
}

/// The seed network's linear layers, forward and both gradients, and squares.
pub fn large() -> Vec<Case> {
    let product = |m: usize, k: usize, n: usize, transpose_lhs: bool, transpose_rhs: bool| {
        let a = if transpose_lhs { [k, m] } else { [m, k] };
        let b = if transpose_rhs { [n, k] } else { [k, n] };
        let mark = |t: bool| if t { "^T" } else { "" };
        let name = format!("{m}x{k}{} by {k}x{n}{}", mark(transpose_lhs), mark(transpose_rhs));
        Case::new(name, MatMul { transpose_lhs, transpose_rhs }, vec![numbers(a, 1), numbers(b, 2)])
    };
    let linear = |batch: usize, from: usize, to: usize| {
        let inputs = vec![numbers([batch, from], 5), numbers([to, from], 6), numbers([to], 7)];
        Case::new(format!("{batch}x{from} to {to}"), Linear, inputs)
    };
    vec![
        product(512, 512, 512, false, false),
        product(1024, 1024, 1024, false, false),
        linear(64, 1568, 600),
        product(64, 600, 1568, false, false),
        Case::new("64x600 by 64x1568", LinearGradWeight, vec![numbers([64, 600], 8), numbers([64, 1568], 5)]),
        linear(64, 600, 10),
        product(64, 10, 600, false, false),
        // Classifying a single image, and its gradients.
        linear(1, 2048, 1000),
        product(1, 1000, 2048, false, false),
        product(1024, 1024, 1, false, false),
    ]
}
