//! Products of f16 by cooperative matrices, which few adapters have: a program of its own, which
//! `scripts/test-cooperative.sh` runs on a software adapter that has them.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]

#[path = "../cases/mod.rs"]
mod cases;
#[path = "../harness/mod.rs"]
mod harness;

mod network;
mod numbers;

use harness::{Built, Case, Prepared, build, edges, halves, sweep};
use wgrad::op::{CooperativeMatrix, Variant};
use wgrad::{Caps, Device, DeviceOptions};

/// Does something with a device that has cooperative matrices. Each call opens one, so that tests on several threads do not
/// wait for each other.
fn with_matrices<T>(work: impl FnOnce() -> T) -> T {
    let options = DeviceOptions::default().cache(None).cooperative_matrix();
    let device = Device::open_with(&options).unwrap_or_else(|e| panic!("{e}"));
    assert!(
        device.caps().cooperative_matrix.is_some(),
        "{} has no cooperative matrices of f16 with sums of f32; scripts/test-cooperative.sh fetches a driver that has",
        device.summary()
    );
    harness::with_device(Box::leak(Box::new(device)), work)
}

/// The variants of a case that round its factors to f16.
fn rounding(case: &Case, caps: &Caps) -> Vec<Variant> {
    case.variants_for(caps).into_iter().filter(|variant| variant.is_in_f16()).collect()
}

/// Holds a case to the reference, which rounds the factors as the kernel does.
fn verify(case: &Case, built: Built, variant: Variant, caps: &Caps) -> Option<String> {
    let label = format!("{} {variant}: {}", case.operator.name(), case.name);
    let prepared = Prepared::of(built, case, &case.options(variant), caps);
    let mut session = prepared.unwrap_or_else(|e| panic!("{label}: {e}")).session;
    session.verify().err().map(|e| format!("{label}: {e}"))
}

/// A family's cases: those that show an edge, every second between copies in f16, or in the sweep all of them, both ways.
fn agrees(family: &[Case], caps: &Caps) {
    let (mut failures, mut count) = (Vec::new(), 0);
    let runs = edges::fewest(family, std::slice::from_ref(caps), rounding);
    for (case, runs) in family.iter().zip(runs) {
        let variants = match sweep::sweeping() {
            true => rounding(case, caps),
            false => runs.into_iter().map(|(_, variant)| variant).collect(),
        };
        for variant in variants {
            for halves in sweep::turn(&[false, true], count) {
                let built =
                    if halves { halves::between_copies(case) } else { build(case).expect("it is valid") };
                failures.extend(verify(case, built, variant, caps));
            }
            count += 1;
        }
    }
    assert!(count > 0, "no case has cooperative matrices");
    assert!(failures.is_empty(), "{} of {count} fail:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn convolutions_agree_with_the_reference() {
    with_matrices(|| agrees(&cases::conv2d::cases(), harness::device().caps()));
}

#[test]
fn products_agree_with_the_reference() {
    with_matrices(|| agrees(&cases::matmul::cases(), harness::device().caps()));
}

/// Where subgroups are larger than the plan takes for granted, there are fewer of them.
#[test]
fn larger_subgroups_make_several_parts_of_a_tile() {
    with_matrices(|| {
        let device = harness::device().caps();
        let matrix = device.cooperative_matrix.expect("it was opened with them");
        let small = CooperativeMatrix { subgroup: matrix.subgroup / 2, ..matrix };
        let caps = Caps { cooperative_matrix: Some(small), ..device.clone() };
        let cases = cases::matmul::cases();
        let case = cases.iter().find(|case| case.name.starts_with("two tiles of rows and a bit"));
        let case = case.expect("the table has it");
        for variant in rounding(case, &caps) {
            let failure = verify(case, build(case).expect("it is valid"), variant, &caps);
            assert_eq!(failure, None);
        }
        let large = CooperativeMatrix { subgroup: 2 * matrix.subgroup, ..matrix };
        let caps = Caps { cooperative_matrix: Some(large), ..device.clone() };
        let refused = Prepared::of(
            build(case).expect("it is valid"),
            case,
            &case.options(rounding(case, &caps)[0]),
            &caps,
        );
        let error = refused.map(drop).expect_err("subgroups would be too small").to_string();
        assert!(error.contains("the plan was made for CooperativeMatrix"), "{error}");
    });
}
