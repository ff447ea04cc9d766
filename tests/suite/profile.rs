//! Profiles: their counts and files, and that profiled steps are real ones.

use crate::harness::network::training;
use crate::harness::{device, labels, numbers};
use std::collections::BTreeMap;
use std::time::Instant;
use wgrad::session::{Clock, Profile};
use wgrad::{Graph, HostTensor, Plan, Session, Weights};

const BATCH: usize = 16;

/// The seed network's training step, its inputs written, with the loss recorded.
fn session() -> (Session, wgrad::Value) {
    let built = training(BATCH).expect("the network is valid");
    let weights = Weights::init(device(), &built.graph, 1).expect("the weights fit");
    let plan = Plan::new(&built.graph, &[built.loss], device().caps()).expect("the network fits");
    let mut session = Session::new(device(), plan, &weights).expect("the kernels compile");
    session.write(built.images, &numbers([BATCH, 1, 28, 28], 1)).expect("the batch fits");
    session.write(built.labels, &labels(BATCH, 10, 2)).expect("the labels fit");
    session.write_scalar(built.rate, 0.01).expect("a scalar");
    session.record(built.loss, 16).expect("the loss is one number");
    (session, built.loss)
}

#[test]
fn a_profile_is_real_steps_and_speaks_of_every_node() {
    let (mut plain, loss) = session();
    (0..5).for_each(|_| plain.step().expect("the step runs"));
    let expected: HostTensor = plain.recorded(loss).expect("the losses come back");

    let (mut profiled, loss) = session();
    profiled.step().expect("the step runs");
    let profile = profiled.profile(3).expect("the steps run");
    profiled.step().expect("the step runs");
    assert_eq!(profiled.recorded(loss).expect("the losses come back"), expected, "the same bits");
    let counters = profiled.counters();
    assert_eq!(counters.steps, 5);
    assert_eq!(counters.dispatches, 5 * profiled.plan().dispatches().len() as u64);
    assert_eq!(profiled.step_number(), 5);

    assert_eq!(profile.steps(), 3);
    let plan = profiled.plan();
    let steps: Vec<_> = plan.steps().iter().filter(|s| !s.dispatches.is_empty()).collect();
    assert_eq!(profile.nodes.len(), steps.len());
    let traffic: Vec<_> =
        plan.steps().iter().zip(plan.traffic_by_step()).filter(|(s, _)| !s.dispatches.is_empty()).collect();
    for (node, (step, traffic)) in profile.nodes.iter().zip(traffic) {
        let planned = plan.graph().node(step.node).expect("of this graph");
        assert_eq!((&node.node, node.variant), (&planned.name, step.variant.name()));
        assert_eq!(node.traffic, traffic);
        assert_eq!(node.dispatches.len(), step.dispatches.len());
        assert!(node.seconds > 0.0 && node.seconds < 60.0, "{}: {} s", node.node, node.seconds);
        let (share, _) = node.share_of_peak(&profile.peaks);
        assert!(share >= 0.0 && share.is_finite(), "{}: {share}", node.node);
    }
    // fc1 forward: 16 x 1568 x 600 multiply-adds, and ReLU where it is fused.
    let fc1 = profile.nodes.iter().find(|n| n.node.ends_with("fc1")).expect("the network has fc1");
    let (product, relu) = (2 * 16 * 1568 * 600, 16 * 600);
    assert!([product, product + relu].contains(&fc1.flops), "{}", fc1.flops);
    let sum: f64 = profile.nodes.iter().map(|n| n.seconds).sum();
    assert!((profile.seconds() - sum).abs() < 1e-9);
}

#[test]
fn a_profile_of_no_steps_is_refused() {
    let error = session().0.profile(0).expect_err("no steps have no median").to_string();
    assert!(error.contains("steps") && error.contains("at least 1"), "{error}");
}

#[test]
fn the_table_names_nodes_clock_and_peaks() {
    let (mut session, _) = session();
    session.step().expect("the step runs");
    let profile = session.profile(2).expect("the steps run");
    let text = profile.to_string();
    let node_lines = |name: &str| text.lines().filter(|l| l.split_whitespace().next() == Some(name)).count();
    for node in &profile.nodes {
        assert!(node_lines(&node.node) >= 1, "{} is missing in\n{text}", node.node);
    }
    for part in ["measured peaks", "GFLOP/s", "by operator:", "rank", "at the least"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}

#[test]
fn both_clocks_tell_the_same() {
    let (mut session, _) = session();
    session.step().expect("the step runs");
    let start = Instant::now();
    let wall = session.profile_by_wall_clock(5).expect("the steps run");
    assert!(matches!(wall.clock, Clock::Wall { overhead } if overhead > 0.0), "{:?}", wall.clock);
    assert!(wall.to_string().contains("an empty one takes"), "{wall}");
    let profile = session.profile(5).expect("the steps run");
    let elapsed = start.elapsed().as_secs_f64();
    if profile.clock != Clock::Timestamps {
        eprintln!("this adapter has no timestamps: only the wall clock was checked");
        return;
    }
    assert_eq!(session.counters().steps, 11);
    // A unit mistaken for another is off by a thousand, an idle or a busy machine is not.
    let (by_wall, by_timestamps) = (wall.seconds(), profile.seconds());
    assert!(by_timestamps < elapsed && by_wall < elapsed, "{by_timestamps} and {by_wall} of {elapsed} s");
    let ratio = by_wall / by_timestamps;
    assert!((0.1..100.0).contains(&ratio), "{by_wall} and {by_timestamps} s");
}

#[test]
fn the_trace_is_json_of_nested_complete_events() {
    // A name with everything that JSON has to escape.
    let name = "quote \" backslash \\ line\nend";
    let mut graph = Graph::new();
    let x = graph.input("x", [8, 4]).expect("valid");
    let y = graph.scoped(name, |g| g.relu(x)).expect("valid");
    let z = graph.softmax(y, 1).expect("valid");
    let weights = Weights::init(device(), &graph, 1).expect("there are none");
    let plan = Plan::new(&graph, &[z], device().caps()).expect("it fits");
    let mut session = Session::new(device(), plan, &weights).expect("the kernels compile");
    session.write(x, &[0.5; 32]).expect("x has 32 elements");
    let profile = session.profile(3).expect("the steps run");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("trace.json");
    profile.save_trace(&path).expect("the folder can be written");
    let bytes = std::fs::read(&path).expect("the trace was written");
    check_trace(&bytes, &profile, 3, name);
    assert!(profile.save_trace(folder.path()).is_err(), "a folder is no file");
}

fn check_trace(bytes: &[u8], profile: &Profile, steps: usize, name: &str) {
    let trace: serde_json::Value = serde_json::from_slice(bytes).expect("the trace is JSON");
    let events: Vec<_> = trace["traceEvents"]
        .as_array()
        .expect("events are a list")
        .iter()
        .filter(|event| event["ph"] == "X")
        .collect();
    let mut counts = BTreeMap::new();
    for event in &events {
        *counts.entry(event["cat"].as_str().expect("a category")).or_insert(0) += 1;
        assert_eq!((&event["pid"], &event["tid"]), (&1.into(), &1.into()));
    }
    let dispatches: usize = profile.nodes.iter().map(|n| n.dispatches.len()).sum();
    assert_eq!(
        counts,
        BTreeMap::from([
            ("dispatch", steps * dispatches),
            ("node", steps * profile.nodes.len()),
            ("step", steps)
        ])
    );
    assert!(events.iter().any(|e| e["name"].as_str().is_some_and(|n| n.contains(name))));
    let node = events.iter().find(|e| e["cat"] == "node").expect("there are nodes");
    for argument in ["operator", "variant", "flops", "bytes", "least_bytes", "median_us", "bound"] {
        assert!(!node["args"][argument].is_null(), "{argument}");
    }
    // Events of one track are either one within the other or apart.
    let nanoseconds =
        |e: &serde_json::Value, key: &str| (e[key].as_f64().expect("a time") * 1e3).round() as u64;
    let spans: Vec<(u64, u64)> =
        events.iter().map(|e| (nanoseconds(e, "ts"), nanoseconds(e, "ts") + nanoseconds(e, "dur"))).collect();
    for a in &spans {
        for b in &spans {
            let apart = a.1 <= b.0 || b.1 <= a.0;
            let within = (a.0 <= b.0 && b.1 <= a.1) || (b.0 <= a.0 && a.1 <= b.1);
            assert!(apart || within, "{a:?} and {b:?} overlap");
        }
    }
}

#[test]
fn peaks_are_measured_once() {
    let peaks = device().peaks().expect("the adapter can be measured");
    assert_eq!(device().peaks().expect("it is known"), peaks);
    assert!(peaks.flops_per_second > 1e9, "{peaks:?}");
    assert!(peaks.bytes_per_second > 1e8, "{peaks:?}");
}
