//! Windows, borders and lists that are too long for the loops of one invocation, so several share the work. Every
//! dispatch stays within the bound even at sizes that no adapter holds (`plans`), and smaller ones give known
//! results.

mod plans;

use crate::harness::device;
use wgrad::ops::conv2d::Conv2dOptions;
use wgrad::ops::local_response_norm::LocalResponseNormOptions;
use wgrad::ops::pad::PadMode;
use wgrad::ops::pool2d::{AvgPool2dOptions, LpPool2dOptions, MaxPool2dOptions};
use wgrad::ops::upsample::Resize;
use wgrad::{Error, Graph, Plan, Session, Value, Weights};

/// Runs what `build` makes of inputs filled by `data`, and gives all elements of its output.
fn run(
    build: impl FnOnce(&mut Graph) -> Result<Value, Error>,
    data: impl Fn(&str, usize) -> f32,
) -> Result<Vec<f64>, Error> {
    let mut graph = Graph::new();
    let output = build(&mut graph)?;
    let plan = Plan::new(&graph, &[output], device().caps())?;
    let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
    for name in ["x", "w", "c"] {
        if let Some(value) = graph.find(name) {
            let count = graph.shape(value)?.elements();
            let numbers: Vec<f32> = (0..count).map(|i| data(name, i)).collect();
            session.write(value, &numbers)?;
        }
    }
    if let Some(indices) = graph.find("i") {
        session.write(indices, &vec![1; graph.shape(indices)?.elements()][..])?;
    }
    session.step()?;
    Ok(session.read(output)?.to_f64())
}

fn ones(_: &str, _: usize) -> f32 {
    1.0
}

/// The gradient by input `by` of what `build` makes, for a gradient named c.
fn gradient(
    g: &mut Graph,
    by: &str,
    build: impl FnOnce(&mut Graph) -> Result<Value, Error>,
) -> Result<Value, Error> {
    let y = build(g)?;
    let c = g.input("c", g.shape(y)?.clone())?;
    let by = g.find(by).expect("the input is there");
    Ok(g.gradients_from(&[(y, c)], &[by])?[0].expect("it has a gradient"))
}

/// All of `found` is `expected`, to the rounding of a sum.
fn all(label: &str, found: &[f64], expected: f64) {
    let wrong = found.iter().position(|found| (found - expected).abs() > 1e-6 * expected.abs());
    if let Some(i) = wrong {
        panic!("{label}: element {i} is {}, expected {expected}", found[i]);
    }
}

#[test]
fn ones_add_up_to_their_number() -> Result<(), Error> {
    for [h, w] in [[255, 255], [512, 512], [300, 301]] {
        let found = run(|g| g.input("x", [1, 1, h, w]).and_then(|x| g.global_avg_pool2d(x)), ones)?;
        all(&format!("global average of {h} x {w}"), &found, 1.0);
    }
    let found = run(|g| g.input("x", [1, 1, 700, 800]).and_then(|x| g.adaptive_avg_pool2d(x, [3, 3])), ones)?;
    all("adaptive average", &found, 1.0);
    let window = AvgPool2dOptions::new([300, 300]);
    let found = run(|g| g.input("x", [1, 1, 300, 308]).and_then(|x| g.avg_pool2d(x, window)), ones)?;
    all("average", &found, 1.0);
    for bilinear in [false, true] {
        let up = |g: &mut Graph| {
            let x = g.input("x", [1, 1, 1, 1])?;
            let size = Resize::Size([300, 300]);
            if bilinear { g.upsample_bilinear2d(x, size, false) } else { g.upsample_nearest2d(x, size) }
        };
        all("gradient of upsampling", &run(|g| gradient(g, "x", up), ones)?, 90_000.0);
    }
    let up = |g: &mut Graph| g.input("x", [1, 1, 1, 1]).and_then(|x| g.adaptive_avg_pool2d(x, [250, 251]));
    all("gradient of adaptive pooling", &run(|g| gradient(g, "x", up), ones)?, 250.0 * 251.0);
    // 10,000 still slide on software adapters: 30,000 iterations around loops that are written out.
    for channels in [10_000, 21_000, 33_000] {
        let conv = |g: &mut Graph| {
            let (x, w) = (g.input("x", [1, channels, 2, 2])?, g.input("w", [1, channels, 3, 3])?);
            g.conv2d(x, w, None, Conv2dOptions::new().padding([1, 1]))
        };
        all(&format!("{channels} channels"), &run(conv, ones)?, 4.0 * channels as f64);
    }
    // 600 iterations for each lane, around loops of 200 that are written out.
    let deep = |g: &mut Graph| {
        let (x, w) = (g.input("x", [1, 2, 40_002, 18])?, g.input("w", [2, 1, 3, 3])?);
        g.conv2d(x, w, None, Conv2dOptions::new().groups(2))
    };
    all("a depthwise weight", &run(|g| gradient(g, "w", deep), ones)?, 640_000.0);
    let hit = |g: &mut Graph| {
        let (w, i) = (g.input("w", [3, 4])?, g.input_i32("i", 200_000)?);
        g.embedding(w, i)
    };
    let found = run(|g| gradient(g, "w", hit), ones)?;
    all("an embedding's row that is hit", &found[4..8], 200_000.0);
    all("an embedding's rows that are not", &[&found[..4], &found[8..]].concat(), 0.0);
    Ok(())
}

#[test]
fn windows_of_everything_reach_everything() -> Result<(), Error> {
    // 1 + 70,000 squares of 1 at a rate of 1 / 70,000, to the first power.
    let options = LocalResponseNormOptions::new(70_000).alpha(1.0).beta(1.0);
    let norm = |g: &mut Graph| g.input("x", [1, 70_000, 1]).and_then(|x| g.local_response_norm(x, options));
    let found = run(norm, ones)?;
    // Channel c reaches from c - 35,000 to c + 34,999.
    for c in [0usize, 20_000, 35_000, 50_000, 69_999] {
        let reached = (c + 35_000).min(70_000) - c.saturating_sub(35_000);
        all(&format!("channel {c}"), &found[c..=c], 1.0 / (1.0 + reached as f64 / 70_000.0));
    }
    for p in [1.0, 2.0, 3.0] {
        let pool = |g: &mut Graph| {
            g.input("x", [1, 1, 200, 201]).and_then(|x| g.lp_pool2d(x, p, LpPool2dOptions::new([200, 201])))
        };
        all(&format!("norm of order {p}"), &run(pool, ones)?, (200.0f64 * 201.0).powf(1.0 / f64::from(p)));
    }
    let pad =
        |g: &mut Graph| g.input("x", [2, 3]).and_then(|x| g.pad(x, [[250, 0], [0, 300]], PadMode::Replicate));
    let found = run(|g| gradient(g, "x", pad), ones)?;
    assert_eq!(found, [251.0, 251.0, 251.0 * 301.0, 1.0, 1.0, 301.0], "copies of each element");
    let line = |g: &mut Graph| g.input("x", [2]).and_then(|x| g.pad(x, [[0, 1_000_000]], PadMode::Replicate));
    assert_eq!(run(|g| gradient(g, "x", line), ones)?, [1.0, 1_000_001.0], "copies along a line");
    Ok(())
}

#[test]
fn the_largest_of_a_large_window_is_found_where_it_is() -> Result<(), Error> {
    const H: usize = 300;
    const W: usize = 310;
    for at in [0, 1, 72_000, (H - 1) * W - 2] {
        // Of equals the first: there is one as large behind it.
        let data = |name: &str, i: usize| match name {
            "x" => {
                if i == at || i == at + 7_001 {
                    3.0
                } else {
                    (i % 97) as f32 / 97.0
                }
            }
            _ => 5.0,
        };
        type Pooling = fn(&mut Graph, Value) -> Result<Value, Error>;
        let pools: [(&str, Pooling); 2] = [
            ("whole", |g, x| g.global_max_pool2d(x)),
            ("with a border", |g, x| g.max_pool2d(x, MaxPool2dOptions::new([H, W]).padding([1, 1]))),
        ];
        for (name, pool) in pools {
            let build = |g: &mut Graph| g.input("x", [1, 1, H, W]).and_then(|x| pool(g, x));
            if name == "whole" {
                all(&format!("largest at {at}, {name}"), &run(build, data)?, 3.0);
            }
            let found = run(|g| gradient(g, "x", build), data)?;
            let hit: Vec<usize> = (0..H * W).filter(|&i| found[i] != 0.0).collect();
            assert!(hit == [at] && found[at] == 5.0, "largest at {at}, {name}: gradient at {hit:?}");
        }
    }
    Ok(())
}

#[test]
fn unpooling_under_many_windows_takes_the_last() -> Result<(), Error> {
    const H: usize = 280;
    const W: usize = 279;
    // 11 x 10 windows. In the first its last element wins; those below it take the row behind it, each its first
    // element, and those right of it one element of the column behind it.
    let pool = MaxPool2dOptions::new([270, 270]).stride([1, 1]);
    let unpool = |g: &mut Graph| {
        let x = g.input("x", [1, 1, H, W])?;
        let (y, indices) = g.max_pool2d_with_indices(x, pool)?;
        let w = g.input("w", g.shape(y)?.clone())?;
        g.max_unpool2d(w, &indices, [H, W])
    };
    let data = |name: &str, i: usize| match (name, i / W, i % W) {
        ("x", 269, 269) => 1.0,
        ("x", 270, _) | ("x", 0, 270) => 2.0,
        ("x", ..) => 0.0,
        _ => 1.0 + i as f32,
    };
    let mut won = vec![(269 * W + 269, 0), (270, 9)];
    won.extend((0..10).map(|column| (270 * W + column, 100 + column)));
    let (mut expected, mut expected_gradient) = (vec![0.0; H * W], vec![0.0; 110]);
    for (element, window) in won {
        expected[element] = 1.0 + window as f64;
        expected_gradient[window] = 1.0 + element as f64;
    }
    let found = run(unpool, data)?;
    let wrong = (0..H * W).find(|&i| found[i] != expected[i]);
    assert!(wrong.is_none(), "{wrong:?} is {:?}", wrong.map(|i| (found[i], expected[i])));
    assert_eq!(run(|g| gradient(g, "w", unpool), data)?, expected_gradient);
    Ok(())
}
