//! Plans at sizes that no adapter holds.

use std::sync::Arc;
use wgrad::op::{AdapterKind, MAX_ITERATIONS};
use wgrad::ops::conv2d::{Conv2dOptions, Padding};
use wgrad::ops::embedding::EmbeddingOptions;
use wgrad::ops::local_response_norm::LocalResponseNormOptions;
use wgrad::ops::pad::PadMode;
use wgrad::ops::pool2d::{AvgPool2dOptions, LpPool2dOptions, MaxPool2dOptions, WeightedAvgPool2dOptions};
use wgrad::ops::upsample::Resize;
use wgrad::{Caps, DType, Error, Graph, Plan, PlanOptions, Value};

/// Windows of this size that lie one apart, as options of a pooling.
macro_rules! overlapping {
    ($options:ident, $kernel:expr) => {
        $options::new([$kernel, $kernel]).stride([1, 1]).padding([($kernel / 2).min(2000), 1])
    };
}

const KINDS: [AdapterKind; 4] =
    [AdapterKind::Discrete, AdapterKind::Integrated, AdapterKind::Apple, AdapterKind::Software];

/// An operator's output; its inputs are named x and w, indices i.
type Build = fn(&mut Graph, &[usize], usize) -> Result<Value, Error>;

/// Shapes, and how much each operator goes over.
type Sizes = Vec<(Vec<usize>, usize)>;

/// Operators by name, how each is built for a shape and a size of what it goes over, and shapes with sizes at which
/// it goes over more than any adapter holds, or than one invocation may.
fn absurd() -> Vec<(&'static str, Build, Sizes)> {
    let planes = |sizes: &[(usize, usize, usize)]| -> Vec<_> {
        sizes.iter().map(|&(h, w, size)| (vec![1, 1, h, w], size)).collect()
    };
    let global = planes(&[(362, 363, 0), (2897, 2896, 0), (16_000, 16_000, 0), (1, 200_000_000, 0)]);
    let windows = planes(&[(181, 183, 181), (600, 601, 300), (4001, 4003, 4000), (16_000, 16_001, 15_999)]);
    let adaptive = planes(&[(1, 1, 200), (1, 2, 30_001), (700, 800, 3), (40_000, 50_000, 7), (3, 3, 10_000)]);
    vec![
        ("global_avg_pool2d", |g, s, _| pooled(g, s, |g, x| g.global_avg_pool2d(x)), global.clone()),
        ("global_max_pool2d", |g, s, _| pooled(g, s, |g, x| g.global_max_pool2d(x)), global.clone()),
        (
            "adaptive_avg_pool2d",
            |g, s, k| pooled(g, s, |g, x| g.adaptive_avg_pool2d(x, [k, k])),
            adaptive.clone(),
        ),
        ("adaptive_max_pool2d", |g, s, k| pooled(g, s, |g, x| g.adaptive_max_pool2d(x, [k, k])), adaptive),
        (
            "avg_pool2d",
            |g, s, k| pooled(g, s, |g, x| g.avg_pool2d(x, overlapping!(AvgPool2dOptions, k))),
            windows.clone(),
        ),
        (
            "weighted_avg_pool2d",
            |g, s, k| {
                pooled(g, s, |g, x| g.weighted_avg_pool2d(x, overlapping!(WeightedAvgPool2dOptions, k)))
            },
            windows[..3].to_vec(),
        ),
        (
            "max_pool2d",
            |g, s, k| pooled(g, s, |g, x| g.max_pool2d(x, overlapping!(MaxPool2dOptions, k))),
            windows.clone(),
        ),
        (
            "lp_pool2d",
            |g, s, k| pooled(g, s, |g, x| g.lp_pool2d(x, 3.0, LpPool2dOptions::new([k, k]).stride([1, 2]))),
            windows.clone(),
        ),
        (
            "dilated max_pool2d",
            |g, s, k| {
                pooled(g, s, |g, x| {
                    g.max_pool2d(x, MaxPool2dOptions::new([2, 3]).stride([1, 1]).dilation([k, k]))
                })
            },
            planes(&[(1000, 1000, 300), (20_000, 20_000, 9_000)]),
        ),
        (
            "max_unpool2d",
            |g, s, k| {
                pooled(g, s, |g, x| {
                    let (y, indices) = g.max_pool2d_with_indices(x, overlapping!(MaxPool2dOptions, k))?;
                    g.max_unpool2d(y, &indices, indices.input_size())
                })
            },
            windows,
        ),
        (
            "upsample_nearest2d",
            |g, s, k| pooled(g, s, |g, x| g.upsample_nearest2d(x, Resize::Size([k, k + 1]))),
            planes(&[(1, 1, 200), (3, 2, 40_000), (1, 1, 46_000)]),
        ),
        (
            "upsample_bilinear2d",
            |g, s, k| pooled(g, s, |g, x| g.upsample_bilinear2d(x, Resize::Size([k, k + 1]), k % 3 == 0)),
            planes(&[(1, 1, 200), (3, 2, 40_000), (1, 1, 46_000), (2, 2, 30_000)]),
        ),
        (
            "upsample of a line",
            |g, s, k| {
                pooled(g, s, |g, x| g.upsample_bilinear2d(x, Resize::ScaleFactor([1.0, k as f64]), false))
            },
            planes(&[(1, 1, 16_777_216), (60, 2, 8_000_000)]),
        ),
        (
            "local_response_norm",
            |g, s, k| pooled(g, s, |g, x| g.local_response_norm(x, LocalResponseNormOptions::new(k))),
            vec![
                (vec![1, 70_000, 1], 70_000),
                (vec![3, 9_000, 7, 4], 8_192),
                (vec![1, 2_147_000_000, 1], 1_500_000_001),
                (vec![1, 100_000_000, 4], usize::MAX),
            ],
        ),
        (
            "pad",
            |g, s, k| pooled(g, s, |g, x| g.pad(x, [[k, 2 * k], [k, 1]], PadMode::Replicate)),
            vec![
                (vec![2, 3], 200),
                (vec![1, 1], 20_000),
                (vec![5, 1, 8], 5_000),
                (vec![4, 4, 1, 1, 3], 1_000),
            ],
        ),
        (
            "pad of a line",
            |g, s, k| pooled(g, s, |g, x| g.pad(x, [[k, 0]], PadMode::Replicate)),
            vec![(vec![1], 2_000_000_000), (vec![3, 2], 300_000_000)],
        ),
        (
            "embedding",
            |g, s, k| {
                let w = g.input("w", [s[1], s[2]])?;
                let i = g.input_i32("i", s[0])?;
                let rows =
                    g.embedding_with(w, i, EmbeddingOptions::new().padding_idx((k > 0).then_some(k)))?;
                g.relu(rows)
            },
            vec![
                (vec![31_000, 10, 4], 0),
                (vec![40_000, 10, 3], 1),
                (vec![200_000, 7, 8], 1),
                (vec![1_000_000_000, 50_000, 1], 0),
            ],
        ),
        (
            "depthwise conv2d",
            |g, s, k| convolved(g, s, [s[1] * k, 1, 3, 3], Conv2dOptions::new().groups(s[1])),
            vec![
                (vec![100, 4, 700, 700], 1),
                (vec![64, 4, 112, 7_000], 1),
                (vec![1, 2, 10, 10], 33_000),
                (vec![2, 2, 3, 19_000_000], 1),
            ],
        ),
        (
            "dilated depthwise conv2d",
            |g, s, k| {
                let attributes = Conv2dOptions::new().groups(s[1]).dilation([k, k]).padding(Padding::Half);
                convolved(g, s, [s[1], 1, 3, 3], attributes)
            },
            vec![(vec![8, 2, 1000, 1000], 30), (vec![1, 2, 10_000, 10_000], 15)],
        ),
        (
            "conv2d",
            |g, s, k| convolved(g, s, [2, s[1], 3, k], Conv2dOptions::new().padding([1, 0])),
            vec![
                (vec![1, 21_000, 2, 9], 3),
                (vec![1, 33_000, 2, 5], 3),
                (vec![1, 700_000, 1, 3], 1),
                (vec![1, 1, 1, 5_000_000], 9),
                (vec![70, 2, 1, 1_000_000], 3),
            ],
        ),
    ]
}

/// A function of an input, and the gradient that comes through it, behind something that fuses with either.
fn pooled(
    g: &mut Graph,
    shape: &[usize],
    f: impl FnOnce(&mut Graph, Value) -> Result<Value, Error>,
) -> Result<Value, Error> {
    let x = g.input("x", shape)?;
    let x = g.relu(x)?;
    let y = f(g, x)?;
    g.relu(y)
}

fn convolved(
    g: &mut Graph,
    input: &[usize],
    weight: [usize; 4],
    attributes: Conv2dOptions,
) -> Result<Value, Error> {
    let (x, w) = (g.input("x", input)?, g.input("w", weight)?);
    let y = g.conv2d(x, w, None, attributes)?;
    g.relu(y)
}

#[test]
fn every_dispatch_stays_within_the_bound_at_any_size() {
    for (name, build, sizes) in absurd() {
        for (shape, size) in sizes {
            let label = format!("{name} of {shape:?} with {size}");
            let planned = || -> Result<(Graph, Vec<Value>), Error> {
                let mut graph = Graph::new();
                let y = build(&mut graph, &shape, size)?;
                let c = graph.input("c", graph.shape(y)?.clone())?;
                let by: Vec<Value> = ["x", "w"].into_iter().filter_map(|name| graph.find(name)).collect();
                let gradients = graph.gradients_from(&[(y, c)], &by)?;
                Ok((graph, [y].into_iter().chain(gradients.into_iter().flatten()).collect()))
            };
            let (graph, outputs) = planned().unwrap_or_else(|e| panic!("{label}: {e}"));
            for kind in KINDS {
                let plain = Caps {
                    max_binding_bytes: u64::MAX,
                    max_buffer_bytes: u64::MAX,
                    max_workgroups: u32::MAX,
                    max_storage_buffers: 64,
                    ..Caps::webgpu_defaults(kind)
                };
                let subgroups = Caps { subgroups: true, subgroup_size: 8, ..plain.clone() };
                for caps in [plain, subgroups] {
                    check(&label, &graph, &outputs, &caps);
                }
            }
        }
    }
}

/// Plans the graph, and each of its nodes by itself with every variant that it offers, and checks all dispatches.
fn check(label: &str, graph: &Graph, outputs: &[Value], caps: &Caps) {
    check_plan(label, graph, outputs, caps, &PlanOptions::default());
    for (_, node) in graph.nodes() {
        let types: Vec<_> =
            node.inputs.iter().map(|&input| &graph.value(input).expect("the graph's own").ty).collect();
        let mut alone = Graph::new();
        let inputs = types.iter().enumerate().map(|(i, kind)| match kind.dtype {
            DType::I32 => alone.input_i32(&format!("input{i}"), kind.shape.elements()),
            _ => alone.input(&format!("input{i}"), kind.shape.clone()),
        });
        let inputs: Vec<Value> = inputs.collect::<Result<_, _>>().unwrap_or_else(|e| panic!("{label}: {e}"));
        let outputs = alone.apply_named("alone".into(), Arc::clone(&node.operator), &inputs);
        let outputs = outputs.unwrap_or_else(|e| panic!("{label}: {e}"));
        for variant in node.operator.variants(&types, caps) {
            let options = PlanOptions::default().variant(node.operator.name(), variant);
            check_plan(&format!("{label}, {variant}"), &alone, &outputs, caps, &options);
        }
    }
}

fn check_plan(label: &str, graph: &Graph, outputs: &[Value], caps: &Caps, options: &PlanOptions) {
    let plan = Plan::with_options(graph, outputs, caps, options)
        .unwrap_or_else(|e| panic!("{label} on {} adapters: {e}", caps.kind));
    for dispatch in plan.dispatches() {
        let (kernel, iterations) = (dispatch.kernel.name(), dispatch.kernel.max_iterations());
        assert!(iterations <= MAX_ITERATIONS, "{label}: {kernel} makes {iterations} iterations");
    }
}
