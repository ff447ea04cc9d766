//! What metrics are made of, by worked examples: places among classes, and sums over steps.

use crate::harness::device;
use wgrad::{Graph, HostTensor, Plan, Result, Session, Weights};

const NAN: f32 = f32::NAN;
const INF: f32 = f32::INFINITY;

#[test]
fn a_label_counts_by_its_place_among_the_logits() -> Result<()> {
    // Logits, label, and the label's place: how many classes come before it.
    let rows: [([f32; 4], i32, Option<usize>); 9] = [
        ([0.1, 0.9, 0.5, 0.3], 1, Some(0)),
        ([0.1, 0.9, 0.5, 0.3], 0, Some(3)),
        ([0.5, 0.5, 0.5, 0.9], 0, Some(1)), // ties: the lower class first
        ([0.5, 0.5, 0.5, 0.9], 2, Some(3)),
        ([0.0, -0.0, NAN, INF], 3, Some(1)), // NaN comes before infinity
        ([0.0, -0.0, NAN, INF], 1, Some(3)), // zeros are equal
        ([NAN, NAN, 1.0, 2.0], 1, Some(1)),
        ([-INF, -INF, -INF, -INF], 0, Some(0)),
        ([0.1, 0.9, 0.5, 0.3], -100, None),
    ];
    let mut g = Graph::new();
    let logits = g.input("logits", [rows.len(), 4])?;
    let labels = g.input_i32("labels", [rows.len()])?;
    let within = (1..=5).map(|k| g.in_top_k(logits, labels, k)).collect::<Result<Vec<_>>>()?;
    let weights = Weights::init(device(), &g, 0)?;
    let mut session = Session::new(device(), Plan::new(&g, &within, device().caps())?, &weights)?;
    session.write(logits, &rows.iter().flat_map(|row| row.0).collect::<Vec<f32>>())?;
    session.write(labels, &rows.iter().map(|row| row.1).collect::<Vec<i32>>())?;
    session.step()?;
    for (k, &value) in (1..=5).zip(&within) {
        let expected: Vec<f64> =
            rows.iter().map(|row| f64::from(u8::from(row.2.is_some_and(|place| place < k)))).collect();
        assert_eq!(session.read(value)?.to_f64(), expected, "top {k}");
    }
    Ok(())
}

#[test]
fn a_running_sum_spans_steps_until_it_is_set() -> Result<()> {
    let mut g = Graph::new();
    let x = g.input("x", [2, 3])?;
    let twice = g.scale(x, 2.0)?;
    let sum = g.running_sum("counts", twice)?;
    let weights = Weights::init(device(), &g, 0)?;
    let mut session = Session::new(device(), Plan::new(&g, &[], device().caps())?, &weights)?;
    for step in 1..=3 {
        session.write(x, &[step as f32, 0.0, 1.0, -1.0, 0.5, 100.0])?;
        session.step()?;
    }
    assert_eq!(session.read(sum)?, HostTensor::f32([2, 3], vec![12.0, 0.0, 6.0, -6.0, 3.0, 600.0])?);
    weights.write("counts", &[0.0; 6])?;
    session.step()?;
    assert_eq!(session.read(sum)?, HostTensor::f32([2, 3], vec![6.0, 0.0, 2.0, -2.0, 1.0, 200.0])?);
    assert_eq!(weights.names().collect::<Vec<_>>(), ["counts"]);
    Ok(())
}

#[test]
fn labels_and_classes_that_do_not_fit_are_refused() -> Result<()> {
    let mut g = Graph::new();
    let (logits, labels) = (g.input("logits", [4, 3])?, g.input_i32("labels", [5])?);
    let refused = |found: Result<wgrad::Value>, parts: &[&str]| {
        let message = found.expect_err("it does not fit").to_string();
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    };
    refused(g.in_top_k(logits, labels, 2), &["in_top_k", "[4, 3]", "5 labels"]);
    refused(g.one_hot(logits, 3), &["one_hot", "i32 labels"]);
    refused(g.one_hot(labels, 0), &["one_hot", "at least 1 class"]);
    let labels = g.input_i32("four", [4])?;
    refused(g.in_top_k(logits, labels, 0), &["in_top_k", "at least 1"]);
    refused(g.running_sum("labels", logits), &["labels"]);
    Ok(())
}
