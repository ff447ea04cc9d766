//! Data sets of any tensors in memory.

use super::{all, refused};
use wgrad::data::{Column, Dataset, Field, Kind, Tensors};

fn field(name: &str, shape: &[usize], kind: Kind) -> Field {
    Field::new(name, shape, kind)
}

#[test]
fn items_are_rows_of_all_fields() {
    let signals: Vec<f32> = (0..24).map(|i| i as f32 / 2.0).collect();
    let data = Tensors::new([
        (field("signal", &[2, 3], Kind::F32), Column::F32(signals.clone())),
        (field("label", &[], Kind::I32), Column::I32(vec![2, 0, 1, 2])),
        (field("mask", &[1], Kind::U8), Column::U8(vec![1, 0, 1, 0])),
    ])
    .unwrap()
    .with_class_names(["a", "b", "c"]);
    assert_eq!((data.len(), data.label(0), data.label(4)), (4, Some(2), None));
    assert_eq!(data.class_names(), ["a", "b", "c"]);
    assert_eq!(data.column("mask"), Some(&Column::U8(vec![1, 0, 1, 0])));
    assert_eq!(all(&data, |batch| Ok(batch.f32("signal")?.to_vec())).unwrap(), signals);
    assert_eq!(all(&data, |batch| Ok(batch.i32("label")?.to_vec())).unwrap(), [2, 0, 1, 2]);
    assert_eq!(all(&data, |batch| Ok(batch.u8("mask")?.to_vec())).unwrap(), [1, 0, 1, 0]);
}

#[test]
fn only_one_integer_called_label_is_a_class() {
    for (name, shape, column) in [
        ("label", &[][..], Column::U8(vec![1, 2])),
        ("label", &[1, 2][..], Column::I32(vec![1, 2, 3, 4])),
        ("target", &[][..], Column::I32(vec![1, 2])),
        ("label", &[][..], Column::I32(vec![-1, -2])),
    ] {
        let data = Tensors::new([(field(name, shape, column.kind()), column)]).unwrap();
        assert_eq!((data.len(), data.label(0)), (2, None), "{name} {shape:?}");
    }
}

#[test]
fn contents_that_do_not_fit_are_refused() {
    let x = |length| (field("x", &[2], Kind::F32), Column::F32(vec![0.0; length]));
    refused(Tensors::new([]), &["fields", "at least one"]);
    refused(Tensors::new([x(3)]), &["\"x\" has 3 elements", "expected items of"]);
    refused(Tensors::new([x(4), x(4)]), &["two of the name \"x\""]);
    let y = |length| (field("y", &[], Kind::I32), Column::I32(vec![0; length]));
    refused(Tensors::new([x(4), y(3)]), &["\"y\" has 3 items, but \"x\" has 2"]);
    refused(
        Tensors::new([(field("y", &[], Kind::F32), y(1).1)]),
        &["\"y\" is of F32, but its contents of I32"],
    );
    refused(Tensors::new([(field("y", &[0], Kind::I32), y(0).1)]), &["\"y\" has 0 elements"]);
}
