//! Data sets of any tensors in memory.

use super::{all, refused};
use wgrad::data::{Dataset, Field, Tensors};
use wgrad::{DType, HostData, HostSlice};

fn field(name: &str, shape: &[usize], dtype: DType) -> Field {
    Field::new(name, shape, dtype)
}

#[test]
fn items_are_rows_of_all_fields() {
    let signals: Vec<f32> = (0..24).map(|i| i as f32 / 2.0).collect();
    let data = Tensors::new([
        (field("signal", &[2, 3], DType::F32), HostData::F32(signals.clone())),
        (field("label", &[], DType::I32), HostData::I32(vec![2, 0, 1, 2])),
        (field("mask", &[1], DType::U8), HostData::U8(vec![1, 0, 1, 0])),
    ])
    .unwrap()
    .with_class_names(["a", "b", "c"]);
    assert_eq!((data.len(), data.label(0), data.label(4)), (4, Some(2), None));
    assert_eq!(data.class_names(), ["a", "b", "c"]);
    assert_eq!(data.column("mask"), Some(&HostData::U8(vec![1, 0, 1, 0])));
    assert_eq!(all(&data, |batch| Ok(batch.f32("signal")?.to_vec())).unwrap(), signals);
    assert_eq!(all(&data, |batch| Ok(batch.i32("label")?.to_vec())).unwrap(), [2, 0, 1, 2]);
    assert_eq!(all(&data, |batch| Ok(batch.u8("mask")?.to_vec())).unwrap(), [1, 0, 1, 0]);
}

#[test]
fn only_one_integer_called_label_is_a_class() {
    for (name, shape, column) in [
        ("label", &[][..], HostData::U8(vec![1, 2])),
        ("label", &[1, 2][..], HostData::I32(vec![1, 2, 3, 4])),
        ("target", &[][..], HostData::I32(vec![1, 2])),
        ("label", &[][..], HostData::I32(vec![-1, -2])),
    ] {
        let data = Tensors::new([(field(name, shape, HostSlice::from(&column).dtype()), column)]).unwrap();
        assert_eq!((data.len(), data.label(0)), (2, None), "{name} {shape:?}");
    }
}

#[test]
fn contents_that_do_not_fit_are_refused() {
    let x = |length| (field("x", &[2], DType::F32), HostData::F32(vec![0.0; length]));
    refused(Tensors::new([]), &["fields", "at least one"]);
    refused(Tensors::new([x(3)]), &["\"x\" has 3 elements", "expected items of"]);
    refused(Tensors::new([x(4), x(4)]), &["two of the name \"x\""]);
    let y = |length| (field("y", &[], DType::I32), HostData::I32(vec![0; length]));
    refused(Tensors::new([x(4), y(3)]), &["\"y\" has 3 items, but \"x\" has 2"]);
    refused(
        Tensors::new([(field("y", &[], DType::F32), y(1).1)]),
        &["\"y\" is of f32, but its contents of i32"],
    );
    refused(Tensors::new([(field("y", &[0], DType::I32), y(0).1)]), &["\"y\" has 0 elements"]);
}
