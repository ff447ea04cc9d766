//! Every operator, on every case of its table, with every variant, against the f64 reference.

mod cases;
mod harness;

#[test]
fn every_variant_of_every_case_agrees_with_the_reference() {
    let mut failures = Vec::new();
    for (family, cases) in cases::all() {
        assert!(!cases.is_empty(), "{family} has no cases");
        failures.extend(harness::failures(&cases));
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}
