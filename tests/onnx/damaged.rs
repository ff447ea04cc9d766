//! Files that are damaged, hostile, or hold what is not supported: each is an error that says what and where.

use crate::harness::root;
use crate::message::{external, field, initializer, int, model, node, port};
use wgrad::onnx::Model;
use wgrad::{Error, Graph};

const X: &[Option<i64>] = &[Some(2), Some(3)];

/// The error of opening a model or of building it for a batch of one.
fn refusal(bytes: Vec<u8>) -> Result<(), Error> {
    let model = Model::from_bytes(bytes)?;
    model.import().dimension("N", 1).build(&mut Graph::new()).map(drop)
}

#[track_caller]
fn refused(graph: &[Vec<u8>], parts: &[&str]) {
    says(refusal(model(graph)), parts);
}

#[track_caller]
fn says<T>(result: Result<T, Error>, parts: &[&str]) {
    let text = result.err().expect("it is refused").to_string();
    for part in parts {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
}

#[test]
fn everything_that_is_not_supported_is_listed_at_once() {
    let graph = [
        node("NonMaxSuppression", &["x"], "boxes"),
        node("Relu", &["boxes"], "a"),
        field(1, &[field(1, b"a"), field(2, b"b"), field(3, b"head"), field(4, b"If")].concat()),
        field(
            1,
            &[field(1, b"b"), field(2, b"c"), field(4, b"FusedConv"), field(7, b"com.microsoft")].concat(),
        ),
        // An attribute that the operator does not have, behind what was refused.
        field(
            1,
            &[
                field(1, b"x"),
                field(2, b"d"),
                field(4, b"Relu"),
                field(5, &[field(1, b"leak"), int(3, 1), int(20, 2)].concat()),
            ]
            .concat(),
        ),
        node("Add", &["c", "d"], "y"),
        port(11, "x", X),
        port(12, "y", X),
    ];
    refused(
        &graph,
        &[
            "NonMaxSuppression \"boxes\": this operator is not supported",
            "If \"head\": this operator is not supported",
            "FusedConv \"c\": operators of the domain \"com.microsoft\"",
            "Relu \"d\": attribute leak is not supported",
        ],
    );
    let mut graph_of_errors = Graph::new();
    let refused =
        Model::from_bytes(model(&graph)).and_then(|model| model.import().build(&mut graph_of_errors));
    assert!(
        refused.is_err() && graph_of_errors.values().count() == 0,
        "a refused model leaves nothing behind"
    );
}

#[test]
fn damaged_messages_are_errors() {
    let y = port(12, "y", X);
    says(Model::from_bytes(vec![]), &["holds no graph"]);
    says(
        Model::from_bytes(b"PK\x03\x04 and more".to_vec()),
        &["(bytes in memory)", "no ONNX model, or damaged"],
    );
    refused(&[port(11, "x", X)], &["has no outputs"]);
    refused(std::slice::from_ref(&y), &["output \"y\": is made by no node"]);
    refused(
        &[node("Relu", &["z"], "y"), y.clone()],
        &["Relu \"y\": input \"z\" is made by no node before it"],
    );
    refused(
        &[node("Relu", &["x"], "y"), node("Relu", &["x"], "y"), port(11, "x", X), y.clone()],
        &["makes \"y\", which is there already"],
    );
    let with = |sizes: &[i64], data: &[u8]| {
        [initializer("w", sizes, data), node("Add", &["x", "w"], "y"), port(11, "x", X), port(12, "y", X)]
    };
    refused(&with(&[-1], &[]), &["initialiser \"w\"", "dimension of -1"]);
    refused(&with(&[1 << 40, 1 << 40], &[]), &["initialiser \"w\"", "too large"]);
    refused(&with(&[3], &field(9, &[0; 8])), &["initialiser \"w\"", "takes 12 bytes, found 8"]);
    refused(&with(&[3], &field(4, &[0; 8])), &["initialiser \"w\"", "has 3 elements, found 2"]);
    refused(&with(&[3], &external(&[("location", "w.bin")])), &["open the model by its path"]);
    says(
        refusal([int(1, 8), field(7, &y), field(8, &int(2, 6))].concat()),
        &["operator set 6, expected 9 to"],
    );
    // Two bytes each in the file.
    let empty = field(1, &[]);
    let many: Vec<Vec<u8>> = std::iter::repeat_n(empty, 1_100_000).chain([y]).collect();
    refused(&many, &["which no network needs"]);
}

/// Few bytes that ask for much memory: each constant is small enough, all together are not.
#[test]
fn constants_are_bounded_together() {
    let number = |name: &str, sizes: &[i64], number: i64| {
        let sizes: Vec<u8> = sizes.iter().flat_map(|&size| int(1, size)).collect();
        let data = field(9, &number.to_le_bytes());
        field(5, &[sizes, int(2, 7), field(8, name.as_bytes()), data].concat())
    };
    let expand = |i: usize| node("Expand", &["one", "size"], &format!("e{i}"));
    let names: Vec<String> = (0..10).map(|i| format!("e{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ends = [node("Concat", &names, "y"), port(12, "y", &[None])];
    let with = |size: i64| {
        let tensors = [number("one", &[1], 1), number("size", &[1], size)];
        [&tensors[..], &(0..10).map(expand).collect::<Vec<_>>(), &ends].concat()
    };
    let text = refusal(model(&with(1 << 22))).expect_err("it is too much").to_string();
    says(
        refusal(model(&with(1 << 22))),
        &["Expand \"e4\"", "4194304 elements", "16777218", "2 are left", "initialisers"],
    );
    assert!(!text.contains("e5"), "nodes behind it are not computed: {text}");
    refusal(model(&with(1 << 10))).expect("it is little");
}

#[test]
fn dimensions_have_to_be_set() -> Result<(), Error> {
    let bytes =
        model(&[node("Relu", &["x"], "y"), port(11, "x", &[None, Some(3)]), port(12, "y", &[None, Some(3)])]);
    let model = Model::from_bytes(bytes)?;
    says(
        model.import().build(&mut Graph::new()),
        &["dimension \"N\" has no size; set it with Import::dimension"],
    );
    says(model.import().shape("z", [1]).build(&mut Graph::new()), &["has no input \"z\"; its inputs are x"]);
    let mut graph = Graph::new();
    let network = model.import().shape("x", [7, 3]).build(&mut graph)?;
    assert_eq!(graph.shape(network.value("y")?)?[..], [7, 3]);
    says(network.value("z"), &["no output \"z\"; it has y"]);
    Ok(())
}

#[test]
fn external_data_stays_within_the_models_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let inner = folder.path().join("model");
    std::fs::create_dir_all(inner.join("folder")).expect("it can be written");
    std::fs::write(folder.path().join("outside.bin"), [0; 64]).expect("it can be written");
    std::fs::write(inner.join("w.bin"), [0; 64]).expect("it can be written");
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path().join("outside.bin"), inner.join("link.bin"))
        .expect("it can be linked");
    let path = inner.join("m.onnx");
    let open = |entries: &[(&str, &str)]| {
        let w = initializer("w", &[3], &external(entries));
        let bytes = model(&[w, node("Add", &["x", "w"], "y"), port(11, "x", X), port(12, "y", X)]);
        std::fs::write(&path, bytes).expect("it can be written");
        Model::open(&path)
    };
    open(&[("location", "w.bin"), ("offset", "52"), ("length", "12")]).expect("it lies within the file");
    let absolute = folder.path().join("outside.bin");
    let absolute = absolute.to_str().expect("the path is text");
    let mut outside = vec!["../outside.bin", "folder/../../outside.bin", absolute, "", "."];
    outside.extend(cfg!(unix).then_some("link.bin"));
    for location in outside {
        says(open(&[("location", location)]), &["m.onnx", "initialiser \"w\"", "the model's own folder"]);
    }
    says(open(&[("location", "folder")]), &["folder", "expected a regular file"]);
    says(open(&[("location", "absent.bin")]), &["absent.bin"]);
    for offset in ["53", "18446744073709551615"] {
        says(open(&[("location", "w.bin"), ("offset", offset)]), &["bytes from byte", "which holds 64"]);
    }
    says(open(&[("location", "w.bin"), ("offset", "-1")]), &["the offset of its external data is \"-1\""]);
    says(open(&[("location", "w.bin"), ("length", "16")]), &["takes 12 bytes, its external data is 16"]);
}

/// Bytes of a real model, changed at random: opening and building it never panics.
#[test]
fn random_damage_never_panics() {
    let whole = std::fs::read(root().join("tests/fixtures/onnx/small.onnx")).expect("the fixture is there");
    let times = std::env::var("WGRAD_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    // Nodes and names lie in front of the weights.
    let names = whole.windows(6).position(|bytes| bytes == b"stem.0").unwrap_or(whole.len()).max(2000);
    let (mut opened, mut built) = (0, 0);
    for _ in 0..400 * times {
        let mut bytes = whole.clone();
        for _ in 0..1 + random(3) {
            let anywhere = random(4) == 0;
            let at = random(if anywhere { bytes.len() } else { names.min(bytes.len()) });
            match random(4) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes[at] = random(256) as u8,
                2 => bytes[at] ^= 1 << random(8),
                _ => drop(bytes.splice(at..at, std::iter::repeat_n(random(256) as u8, 1 + random(3)))),
            }
        }
        let Ok(model) = Model::from_bytes(bytes) else { continue };
        opened += 1;
        built += usize::from(model.import().dimension("N", 1).build(&mut Graph::new()).is_ok());
    }
    println!("of {} damaged files {opened} were read and {built} built", 400 * times);
    assert!(opened > 0 && built > 0 && built < opened, "the damage is too much or too little");
}
