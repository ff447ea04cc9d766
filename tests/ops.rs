//! Every operator, on every case of its table, with every variant, against the f64 reference.

mod cases;
mod harness;

/// One test a family, so that one can be run alone, and one that says that none is missing.
macro_rules! families {
    ($($family:ident)*) => {
        $(
            #[test]
            fn $family() {
                agrees(stringify!($family));
            }
        )*

        #[test]
        fn every_family_is_here() {
            let tested = [$(stringify!($family)),*];
            let all: Vec<_> = cases::FAMILIES.iter().map(|family| family.name).collect();
            assert_eq!(tested[..], all[..]);
        }
    };
}

families! {
    argmax
    arithmetic
    batch_norm
    concatenate
    conv2d
    cross_entropy
    dropout
    elementwise
    embedding
    expand
    loss
    local_response_norm
    matmul
    optimizer
    pad
    permute
    pool2d
    prelu
    reduce
    reshape
    row_norm
    sample_moments
    slice
    softmax
    unary
    upsample
}

fn agrees(name: &str) {
    let family = cases::FAMILIES.iter().find(|family| family.name == name).expect("the family is there");
    let cases = (family.cases)();
    assert!(!cases.is_empty(), "{name} has no cases");
    let failures = harness::failures(&cases);
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
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
            assert_eq!(bound, [2], "{label}: input and output");
            session.step().unwrap_or_else(|e| panic!("{label}: {e}"));
            let found = session.read(outputs[0]).unwrap_or_else(|e| panic!("{label}: {e}"));
            assert_eq!(harness::array(&found).data, expected.data, "{label}");
        }
    }
}
