//! Every operator, with every variant, against the f64 reference: on the cases of its table that show the variant an
//! edge, and in the sweep on every case.

use crate::harness::bits::Bits;
use crate::harness::{Seen, edges, snapshot, sweep, table};
use crate::{cases, harness};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use wgrad::Caps;
use wgrad::op::Variant;

/// What the families that have run so far showed.
static SEEN: Mutex<BTreeMap<&'static str, Vec<Seen>>> = Mutex::new(BTreeMap::new());

/// One test a family, so that one can be run alone.
macro_rules! tests {
    ($($family:ident)*) => {
        $(
            #[test]
            fn $family() {
                agrees(stringify!($family));
            }
        )*
    };
}
cases::with_families!(tests);

/// What is not in the list is neither tested nor timed.
#[test]
fn every_file_of_cases_is_a_family() {
    let folder = harness::root().join("tests/cases");
    let mut files: Vec<String> = harness::files::listing(&folder)
        .into_iter()
        .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
        .filter(|name| name != "mod")
        .collect();
    let mut families: Vec<&str> = cases::FAMILIES.iter().map(|family| family.name).collect();
    files.sort();
    families.sort_unstable();
    assert_eq!(files, families);
}

fn agrees(name: &'static str) {
    let family = cases::FAMILIES.iter().find(|family| family.name == name).expect("the family is there");
    let cases = (family.cases)();
    assert!(!cases.is_empty(), "{name} has no cases");
    let mut bits = Bits::of(name);
    let (failures, seen) = harness::compare(&cases, &sweep::runs(&cases), bits.as_mut());
    if let Some(bits) = bits {
        bits.save();
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    let mut all = SEEN.lock().expect("no test panics while it holds the lock");
    all.insert(name, seen);
    if all.len() == cases::FAMILIES.len() && table::updating() {
        snapshot::write(table::PATH, &table::render(&cases::all(), &all));
    }
}

#[test]
fn by_default_every_variant_meets_every_edge() {
    let cases = cases::matmul::cases();
    let caps = harness::device().caps();
    let runs = sweep::fewest(&cases);
    let met = |runs: &[Vec<Variant>]| {
        let mut met: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
        for (case, variants) in cases.iter().zip(runs) {
            for &variant in variants {
                let found = edges::edges(case, variant, caps).expect("the case can be planned");
                met.entry((case.operator.name(), edges::kin(variant))).or_default().extend(found);
            }
        }
        met
    };
    let all: Vec<Vec<Variant>> = cases.iter().map(harness::Case::variants).collect();
    let count = |runs: &[Vec<Variant>]| runs.iter().map(Vec::len).sum::<usize>();
    assert_eq!(met(&runs), met(&all));
    assert!(2 * count(&runs) < count(&all), "{} of {} runs", count(&runs), count(&all));
}

#[test]
fn the_docs_list_what_is_tested() {
    if table::updating() {
        // Written when every family has run.
        return;
    }
    let written = std::fs::read_to_string(snapshot::path(table::PATH)).expect("the table is there");
    let expected = table::render(&cases::all(), &BTreeMap::new());
    let (written, expected) = (table::without_errors(&written), table::without_errors(&expected));
    if let Some(difference) = snapshot::difference(&written, &expected) {
        panic!("{}", snapshot::told(table::PATH, table::COMMAND, &difference));
    }
}

#[test]
fn products_with_one_buffer_have_the_bits_of_those_with_two() {
    let one = Caps { max_workgroup_bytes: 16 << 10, ..harness::device().caps().clone() };
    let two = Caps { max_workgroup_bytes: 32 << 10, ..one.clone() };
    let sizes = ["two tiles of rows and a bit 131x34x9 transposed false false", "batches in fours, split"];
    for case in cases::matmul::cases().iter().filter(|case| sizes.contains(&case.name.as_str())) {
        let one_buffer = ["small", "tiled"];
        for variant in
            case.variants().into_iter().filter(|v| v.is_for_gpus() && !one_buffer.contains(&v.name()))
        {
            let label = format!("{} [{variant}]", case.name);
            let run = |caps: &Caps| {
                let prepared = harness::prepare_within(case, variant, caps);
                let harness::Prepared { mut session, outputs } =
                    prepared.unwrap_or_else(|e| panic!("{label}: {e}"));
                session.step().unwrap_or_else(|e| panic!("{label}: {e}"));
                let source = session.plan().dispatches()[0].kernel.source().expect("a planned kernel joins");
                let found = session.read(outputs[0]).unwrap_or_else(|e| panic!("{label}: {e}"));
                (source, harness::array(&found).data)
            };
            let ((first, expected), (second, found)) = (run(&two), run(&one));
            assert!(first.contains("const BUFFERS: u32 = 2u;"), "{label}");
            let small = variant.name() == "pipelined";
            assert_eq!(second.contains("const BUFFERS: u32 = 1u;"), !small, "{label}");
            assert_eq!(found, expected, "{label}");
        }
    }
}

#[test]
fn max_pooling_writes_no_taps_that_nobody_reads() {
    let cases = cases::pool2d::cases();
    let forward: Vec<_> = cases.iter().filter(|case| case.operator.name().ends_with("max_pool2d")).collect();
    assert!(!forward.is_empty());
    for case in forward {
        let input = harness::array(&case.inputs[0]);
        let expected = &case.operator.reference(&[&input])[0];
        for variant in case.variants() {
            let label = format!("{} [{variant}]", case.name);
            let prepared = harness::prepare_first(case, variant).unwrap_or_else(|e| panic!("{label}: {e}"));
            let harness::Prepared { mut session, outputs } = prepared;
            let bound: Vec<usize> = session.plan().dispatches().iter().map(|d| d.bindings.len()).collect();
            // A window that is shared out leaves its parts' values between the two.
            assert!(!bound.is_empty() && bound.iter().all(|&count| count == 2), "{label}: {bound:?}");
            session.step().unwrap_or_else(|e| panic!("{label}: {e}"));
            let found = session.read(outputs[0]).unwrap_or_else(|e| panic!("{label}: {e}"));
            assert_eq!(harness::array(&found).data, expected.data, "{label}");
        }
    }
}
