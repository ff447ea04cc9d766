//! Hostile files of `torch.save`: damaged, truncated, and with pickles made by hand. None makes the reader panic, wait
//! long or take more memory than its size justifies, and none makes it run code. The sweep damages a million files.

use crate::damage::{Random, damaged, times};
use crate::damaged::Tally;
use crate::harness::pytorch::{LEGACY, archive, expected, file, legacy, string, tensor, weights};
use crate::harness::sweep;
use crate::memory::most_held;
use crate::model::{assert_says, contents};
use std::time::{Duration, Instant};
use wgrad::Result;
use wgrad::weights::{LoadOptions, LoadReport};

const SEEDS: [&str; 6] = [
    "zip.pt",
    "zip_checkpoint.pt",
    "zip_protocol4.pt",
    "legacy.pt",
    "legacy_checkpoint.pt",
    "legacy_protocol4.pt",
];
const NAME: &str = "(bytes in memory)";

/// Damages only what lies between two places, so that the container stays whole.
fn damaged_within(random: &mut Random, bytes: &[u8], from: usize, to: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let at = from + random.below(to - from);
        match random.below(3) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            _ => bytes[at] = *random.of(&OPCODES.each_ref()),
        }
    }
    bytes
}

/// Opcodes that a pickle of `torch.save` may have.
const OPCODES: [u8; 46] =
    *b"(.01BCGJKMNQRTUX]abcehjqrstu)}\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x90\x91\x93\x94";

/// Where the pickle with the tensors begins and ends.
fn pickle_of(bytes: &[u8]) -> (usize, usize) {
    let find = |part: &[u8], from: usize| {
        bytes[from..].windows(part.len()).position(|window| window == part).expect("the file has it") + from
    };
    if bytes.starts_with(b"PK") {
        let from = find(b"\x80", find(b"data.pkl", 0));
        (from, find(b"PK\x07\x08", from))
    } else {
        // Behind the magic number and the description of the machine; the storages' keys are at the end.
        (find(b"type_sizes", 0) + 60, bytes.len() - 400)
    }
}

/// A pickle of random opcodes, between a dict and its end.
fn random_pickle(random: &mut Random) -> Vec<u8> {
    let mut pickle = b"\x80\x02}(".to_vec();
    for _ in 0..random.below(40) {
        match random.below(8) {
            0 => pickle.extend(string("fc.weight")),
            1 => pickle.extend(tensor("0", 2, &[2])),
            2 => pickle.extend(b"ccollections\nOrderedDict\n)R"),
            3 => pickle.extend([b'K', random.next() as u8]),
            4 => pickle.extend([b'q', random.below(8) as u8]),
            5 => pickle.extend([b'h', random.below(8) as u8]),
            _ => pickle.push(*random.of(&OPCODES.each_ref())),
        }
    }
    pickle.extend(b"u.");
    pickle
}

#[test]
fn damaged_files_of_pytorch_change_nothing() {
    let weights = weights();
    let options = LoadOptions::new().strip_wrappers().partial();
    let seeds = SEEDS.map(file).to_vec();
    for bytes in &seeds {
        assert!(weights.load_bytes_with(bytes, &options).unwrap().is_complete());
    }
    assert_eq!(contents(&weights), expected());
    let (mut random, mut tally) = (Random::new(11), Tally::default());
    let (mut held, mut changed) = (contents(&weights), false);
    for case in 0..sweep::count(6_000, 1_000_000) as u64 * times() {
        let bytes = match case % 4 {
            0 => damaged(&mut random, &seeds),
            1 | 2 => {
                let seed = &seeds[random.below(seeds.len())];
                let (from, to) = pickle_of(seed);
                damaged_within(&mut random, seed, from, to)
            }
            _ => legacy(&random_pickle(&mut random), &[1.0, 2.0]),
        };
        // An accepted file may have any numbers; a refused one leaves those that were there.
        changed |= tally.run(NAME, &bytes, || weights.load_bytes_with(&bytes, &options)).is_some();
        if case % 1000 == 0 {
            let now = contents(&weights);
            assert!(changed || now == held);
            (held, changed) = (now, false);
        }
    }
    tally.tell("files of torch.save");
    assert!(tally.taken > 0 && tally.most_held < 4 << 20, "{} bytes of memory", tally.most_held);
}

#[test]
fn truncated_files_of_pytorch_are_refused() {
    let weights = weights();
    let before = contents(&weights);
    let options = LoadOptions::new().strip_wrappers();
    let mut tally = Tally::default();
    for bytes in SEEDS.map(file) {
        for end in 0..bytes.len() {
            let case = || weights.load_bytes_with(&bytes[..end], &options);
            assert!(
                tally.run(NAME, &bytes[..end], case).is_none(),
                "{end} of {} bytes are taken",
                bytes.len()
            );
        }
    }
    tally.tell("truncated files of torch.save");
    assert_eq!(contents(&weights), before);
}

/// Loads a file in bounded memory and time.
fn load(name: &str, bytes: &[u8]) -> Result<LoadReport> {
    let weights = weights();
    let started = Instant::now();
    let (result, most) = most_held(|| weights.load_bytes_with(bytes, &LoadOptions::new().partial()));
    let elapsed = started.elapsed();
    eprintln!("{name}: {} bytes, {most} bytes of memory, {elapsed:?}", bytes.len());
    assert!(elapsed < Duration::from_secs(20), "{name} takes {elapsed:?}");
    assert!(most < (64 << 20) + 2 * bytes.len() as i64, "{name} takes {most} bytes of memory");
    result
}

#[test]
fn pickles_made_by_hand_are_refused() {
    const MANY: usize = 3 << 20;
    let pickle = |parts: &[&[u8]]| [&[&b"\x80\x02"[..]], parts].concat().concat();
    let many = |opcodes: &[u8]| opcodes.repeat(MANY / opcodes.len());
    let of = |parts: &[&[u8]]| legacy(&pickle(parts), &[]);
    let names: Vec<u8> = (0..300_000).flat_map(|i| format!("U\x06{i:06}h\x01").into_bytes()).collect();
    let same_name = b"h\x02h\x01".repeat(400_000);
    let scalar = tensor("0", 1, &[]);
    for (name, bytes, parts) in [
        (
            "os.system",
            of(&[b"cos\nsystem\nU\x02lstR."]),
            &[
                "\"os.system\"",
                "at byte 44, opcode GLOBAL",
                "no code of a file is run",
                "torch.save(model.state_dict()",
            ][..],
        ),
        (
            "posix by STACK_GLOBAL",
            of(&[b"U\x05posixU\x06system\x93."]),
            &["\"posix.system\"", "opcode STACK_GLOBAL"],
        ),
        ("builtins.eval", of(&[b"cbuiltins\neval\n(U\x011tR."]), &["\"builtins.eval\""]),
        ("a terminal's commands", of(&[b"cos\n\x1b[2J\n."]), &["\"os.\\u{1b}[2J\""]),
        ("a name without an end", of(&[b"c", &b"x".repeat(10_000)]), &["no name of up to 512 bytes"]),
        ("a call of a string", of(&[b"U\x01x)R."]), &["opcode REDUCE", "it calls a string with a tuple"]),
        ("a call of what was made", of(&[b"ccollections\nOrderedDict\n)R)R."]), &["it calls a dict"]),
        ("a call of a type", of(&[b"ctorch\nFloatStorage\n)R."]), &["opcode REDUCE", "class of storages"]),
        (
            "a tensor of nothing",
            of(&[b"ctorch._utils\n_rebuild_tensor_v2\n)R."]),
            &["a tensor needs a storage"],
        ),
        ("another opcode", of(&[b"(I1\n."]), &["opcode unknown", "0x49 is no opcode of torch.save"]),
        ("a high protocol", of(&[b"\x80\x06."]), &["protocol 6"]),
        ("no values", of(&[b"."]), &["opcode STOP", "0 values are left"]),
        ("two values", of(&[b"NN."]), &["2 values are left"]),
        ("a mark", of(&[b"N(."]), &["expected one"]),
        ("an empty stack", of(&[b"0."]), &["opcode POP", "found 0 values"]),
        ("no mark", of(&[b"Nt."]), &["no mark"]),
        ("values below a mark", of(&[b"N(\x85."]), &["opcode TUPLE1", "found 0 values"]),
        ("items of a number", of(&[b"K\x01(NNu."]), &["nothing can be added to a number"]),
        ("half an item", of(&[b"}(Nu."]), &["a key has no value"]),
        ("a long string", of(&[b"X\xff\xff\xff\xff."]), &["opcode BINUNICODE", "4294967295 bytes follow"]),
        ("a longer string", of(&[b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff."]), &["opcode BINUNICODE8"]),
        ("long bytes", of(&[b"B\xff\xff\xff\x7f."]), &["opcode BINBYTES"]),
        ("a long number", of(&[b"\x8b\xff\xff\xff\xff."]), &["opcode LONG4"]),
        (
            "a long frame",
            of(&[b"\x95\xff\xff\xff\xff\xff\xff\xff\xff."]),
            &["opcode STOP", "0 values are left"],
        ),
        (
            "a high memo index",
            of(&[b"Nr\xff\xff\xff\xff."]),
            &["opcode LONG_BINPUT", "no place 4294967295 after 3 bytes"],
        ),
        ("an empty memo", of(&[b"j\xff\xff\xff\xff."]), &["nothing was memoized under 4294967295"]),
        ("a list that holds itself", of(&[b"]q\0h\0a."]), &["it holds a list, expected a dict"]),
        (
            "a dict that holds itself",
            of(&[b"}q\0(", &string("model"), b"h\0", &string("net"), b"h\0u."]),
            &["no tensors by name"],
        ),
        ("a persistent id of text", of(&[b"U\x01xQ."]), &["opcode BINPERSID", "not that of a storage"]),
        ("many marks", of(&[&many(b"(")]), &["more than 1048576 values are on the stack"]),
        ("many values", of(&[&many(b"N")]), &["more than 1048576 values are on the stack"]),
        ("deep lists", of(&[&b"]".repeat(400_000), &b"a".repeat(399_999), b"."]), &["it holds a list"]),
        ("deep tuples", of(&[b")", &many(b"\x85"), b"."]), &["more than 2097152 objects"]),
        ("many dicts", of(&[&many(b"}0")]), &["more than 2097152 objects"]),
        (
            "a list of many",
            of(&[b"]", &[b"(", &b"N".repeat(1_000_000)[..], b"e"].concat().repeat(5), b"."]),
            &["more than 2097152 objects"],
        ),
        ("many puts", of(&[b"N", &many(b"\x94"), b"."]), &["opcode MEMOIZE", "1048576 places in all"]),
        ("a late high index", of(&[&many(b"N0"), b"Nr\xff\xff\x0f\0."]), &["it holds None"]),
        (
            "many tensors",
            legacy(&pickle(&[b"}", &scalar, b"q\x010(", &names, b"u."]), &[1.0]),
            &["more than 262144 tensors"],
        ),
        (
            "many equal names",
            legacy(
                &pickle(&[
                    b"}",
                    &scalar,
                    b"q\x010",
                    &string(&"x".repeat(4000)),
                    b"q\x020(",
                    &same_name,
                    b"u.",
                ]),
                &[1.0],
            ),
            &["bytes of names"],
        ),
        (
            "dicts with one name",
            legacy(&pickle(&[b"}(U\x01a}U\x03b.c", &scalar, b"sU\x03a.b}U\x01c", &scalar, b"su."]), &[1.0]),
            &["two of its dicts have a tensor of the name \"a.b.c\""],
        ),
        (
            "a long key",
            of(&[b"(U\x07storagectorch\nFloatStorage\n", &string(&"0".repeat(65)), b"NK\x01tQ."]),
            &["opcode BINPERSID", "65 bytes, the limit is 64"],
        ),
        (
            "a long name",
            legacy(&pickle(&[b"}", &string(&"x".repeat(1 << 20)), &scalar, b"s."]), &[1.0]),
            &["name of more than 4096 bytes"],
        ),
        (
            "a name that is no text",
            legacy(&pickle(&[b"}U\x02\xff\xfe", &scalar, b"s."]), &[1.0]),
            &["name that is no text"],
        ),
        (
            "a tensor beyond its storage",
            legacy(&pickle(&[b"}", &string("f32"), &tensor("0", 2, &[2, 3]), b"s."]), &[1.0, 2.0]),
            &["tensor \"f32\"", "outside its storage \"0\" of 8 bytes"],
        ),
        (
            "many axes",
            legacy(&pickle(&[b"}", &string("f32"), &tensor("0", 1, &[1; 17]), b"s."]), &[1.0]),
            &["has 17 sizes, the limit is 16"],
        ),
    ] {
        let error = load(name, &bytes).expect_err(name);
        assert_says(&error, &[&[NAME][..], parts].concat());
    }
}

#[test]
fn lengths_that_a_file_claims_are_not_trusted() {
    // Storages longer than the file, and an archive whose directory says so.
    let dict = [b"\x80\x02}", &string("f32")[..], &tensor("0", 2, &[2]), b"s."].concat();
    for count in [3, 1 << 40, u64::MAX / 4, u64::MAX] {
        let bytes = [LEGACY, &dict, b"\x80\x02]U\x010a.", &count.to_le_bytes(), &[0; 8]].concat();
        assert_says(
            &load("a long storage", &bytes).unwrap_err(),
            &[NAME, "truncated within the storage \"0\""],
        );
    }
    let whole = archive(&[("a/data.pkl", 0, &dict), ("a/data/0", 0, &[0; 8])]);
    let directory = whole.windows(4).position(|part| part == b"PK\x01\x02").unwrap();
    for (at, width) in [(20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (42, 4)] {
        for byte in [0x01, 0x7f, 0xff] {
            let mut bytes = whole.clone();
            bytes[directory + at..][..width].fill(byte);
            assert_says(&load("a directory that lies", &bytes).unwrap_err(), &[NAME]);
        }
    }
    // A pickle beyond the limit is not read.
    let long = vec![b'N'; 20 << 20];
    for bytes in [
        archive(&[("a/data.pkl", 0, &long)]),
        legacy(&[b"\x80\x02", &b"N0".repeat(10 << 20)[..]].concat(), &[]),
    ] {
        assert_says(
            &load("a long pickle", &bytes).unwrap_err(),
            &["the limit", "torch.save(model.state_dict()"],
        );
    }
    // A number for each element of a network: a storage of one number may stand for all of them, and takes no more.
    let strides = [&b"ctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x01tQK\0K\x02K\x03\x86K\0K\0\x86\x89NtR"[..]].concat();
    let dict = [b"\x80\x02}", &string("f32")[..], &strides, b"s."].concat();
    assert_eq!(load("an expanded number", &legacy(&dict, &[7.0])).unwrap().taken.len(), 1);
}
