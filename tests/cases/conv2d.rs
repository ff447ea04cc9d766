//! Convolution, the gradients of input and weight, every attribute alone and together.

use crate::harness::{Case, numbers};
use wgrad::Shape;
use wgrad::op::Operator;
use wgrad::ops::conv2d::{Conv2d, Conv2dGradInput, Conv2dGradWeight, Padding};

/// Name, input, weight, attributes.
pub type Problem = (&'static str, [usize; 4], [usize; 4], Conv2d);

pub fn problems() -> Vec<Problem> {
    let plain = Conv2d::default();
    vec![
        ("one pixel", [1, 1, 1, 1], [1, 1, 1, 1], plain),
        ("valid, odd sizes", [2, 3, 7, 6], [4, 3, 3, 3], plain),
        ("half padding", [2, 3, 7, 5], [5, 3, 3, 3], plain.padding([1, 1])),
        ("full padding", [1, 2, 5, 5], [3, 2, 3, 3], plain.padding([2, 2])),
        ("padding past full", [1, 2, 3, 4], [3, 2, 2, 2], plain.padding([3, 2])),
        (
            "a kernel of 2 x 5, asymmetric attributes",
            [3, 2, 10, 7],
            [5, 2, 5, 2],
            plain.stride([2, 1]).padding([3, 1]),
        ),
        ("stride over kernel", [2, 2, 11, 11], [3, 2, 2, 2], plain.stride([3, 3])),
        ("stride 2 that leaves a rest", [2, 3, 9, 8], [4, 3, 3, 3], plain.stride([2, 2]).padding([1, 1])),
        ("dilation", [2, 3, 12, 11], [4, 3, 3, 3], plain.padding([2, 3]).dilation([2, 3])),
        (
            "dilation and stride",
            [1, 2, 13, 14],
            [9, 2, 3, 2],
            plain.stride([2, 3]).padding([1, 0]).dilation([2, 3]),
        ),
        ("groups", [2, 6, 7, 7], [9, 2, 3, 3], plain.padding([1, 1]).groups(3)),
        (
            "depthwise with a multiplier",
            [2, 5, 9, 9],
            [10, 1, 3, 3],
            plain.padding([1, 1]).stride([2, 2]).groups(5),
        ),
        (
            "depthwise, stride 2, images that fill vectors",
            [4, 3, 16, 17],
            [3, 1, 3, 3],
            plain.padding([1, 1]).stride([2, 2]).groups(3),
        ),
        (
            "depthwise, more stretches of windows far apart than one invocation adds",
            [1, 2, 6_240, 72],
            [2, 1, 3, 3],
            plain.dilation([1, 20]).groups(2),
        ),
        ("pointwise", [3, 17, 5, 5], [13, 17, 1, 1], plain),
        ("rows in fours", [2, 4, 8, 8], [8, 4, 3, 3], plain.padding([1, 1])),
        ("a row longer than a tile", [1, 1, 3, 37], [2, 1, 3, 3], plain.padding([1, 1])),
        ("one row of one image, wide kernel", [1, 1, 1, 31], [1, 1, 1, 7], plain.padding([0, 3])),
        ("more images than channels", [37, 1, 6, 6], [3, 1, 3, 3], plain),
        ("the seed network's first layer", [4, 1, 28, 28], [8, 1, 3, 3], plain.padding([1, 1])),
        ("the seed network's second layer", [4, 8, 14, 14], [32, 8, 5, 5], plain.padding([2, 2])),
        (
            "phases with different numbers of taps",
            [2, 3, 11, 13],
            [5, 3, 5, 4],
            plain.stride([2, 3]).padding([1, 2]),
        ),
        (
            "stride and dilation with a common factor: phases without taps, groups",
            [2, 6, 13, 14],
            [4, 3, 3, 3],
            plain.stride([3, 2]).padding([2, 1]).dilation([2, 2]).groups(2),
        ),
        ("stride and padding past full", [1, 2, 5, 6], [3, 2, 2, 2], plain.stride([2, 3]).padding([4, 3])),
        (
            "depthwise, dilated",
            [2, 7, 12, 10],
            [7, 1, 3, 5],
            plain.padding([2, 4]).dilation([2, 2]).groups(7),
        ),
        (
            "depthwise, strides, multiplier, a window of several workgroups",
            [1, 3, 20, 19],
            [9, 1, 7, 9],
            plain.stride([3, 2]).padding([3, 4]).groups(3),
        ),
        (
            "depthwise, stride and dilation with a common factor",
            [2, 2, 9, 17],
            [2, 1, 3, 2],
            plain.stride([2, 4]).padding([1, 3]).dilation([2, 2]).groups(2),
        ),
        ("pointwise in fours", [3, 6, 4, 5], [7, 6, 1, 1], plain),
        ("pointwise in fours, groups", [2, 16, 6, 6], [12, 8, 1, 1], plain.groups(2)),
        ("pointwise with a stride", [2, 3, 8, 8], [5, 3, 1, 1], plain.stride([2, 2])),
        ("rows in fours, stride 2", [1, 2, 16, 24], [9, 2, 3, 5], plain.stride([1, 2]).padding([1, 2])),
        ("more channels than a block", [1, 2, 6, 16], [19, 2, 3, 3], plain.padding([1, 1])),
        ("a stem of stride 2", [1, 3, 23, 23], [11, 3, 7, 7], plain.stride([2, 2]).padding([3, 3])),
        (
            "padding of its own on each side, stride",
            [2, 3, 9, 10],
            [5, 3, 3, 4],
            plain.stride([2, 1]).padding([[0, 2], [3, 1]]),
        ),
        (
            "pointwise, padded after to a plane in fours",
            [2, 3, 3, 4],
            [5, 3, 1, 1],
            plain.padding([[0, 1], [0, 0]]),
        ),
        (
            "output padding no less than the stride, dilation, groups",
            [2, 6, 9, 14],
            [4, 3, 3, 3],
            plain.stride([1, 2]).padding([0, 1]).dilation([2, 3]).output_padding([1, 2]).groups(2),
        ),
        (
            "transposed depthwise with a multiplier",
            [2, 6, 10, 9],
            [3, 2, 3, 3],
            plain.stride([2, 2]).padding([1, 1]).output_padding([1, 0]).groups(3),
        ),
        (
            "steps past any size that none takes",
            [2, 2, 5, 3],
            [3, 2, 1, 3],
            plain.stride([2, usize::MAX]).dilation([usize::MAX, 1]),
        ),
        (
            "a row longer than any registers, depthwise",
            [2, 2, 1, 301],
            [2, 1, 1, 3],
            plain.padding([0, 90]).dilation([1, 90]).groups(2),
        ),
        (
            "taps as far apart as indices reach",
            [2, 2, 1, 4],
            [3, 2, 1, 3],
            plain.padding([0, 1 << 29]).dilation([1, 1 << 29]),
        ),
        (
            "strides as long as indices reach",
            [2, 2, 2, 4],
            [3, 2, 1, 3],
            plain.padding([0, 1 << 29]).stride([3, 1 << 29]),
        ),
        (
            "phases far from the first window",
            [1, 1, 1, 6],
            [2, 1, 1, 3],
            plain.padding([0, 1 << 29]).stride([1, 8191]).dilation([1, 2]),
        ),
        ("channels that no eight divides, rows of seven", [2, 11, 5, 9], [13, 11, 3, 3], plain),
        (
            "a stride along rows, groups of channels that no eight divides",
            [2, 18, 6, 17],
            [20, 9, 3, 3],
            plain.padding([1, 1]).stride([1, 2]).groups(2),
        ),
        (
            "a window taller than the plane, dilated along rows in fours",
            [3, 8, 4, 14],
            [8, 8, 5, 2],
            plain.padding([2, 0]).dilation([1, 2]),
        ),
        (
            "rows of sixteen and more, seven taps, groups of channels that no eight divides",
            [2, 6, 5, 29],
            [22, 3, 3, 7],
            plain.padding([1, 3]).dilation([2, 1]).groups(2),
        ),
        ("rows of sixteen, six taps, padding past full", [1, 3, 4, 11], [6, 3, 2, 6], plain.padding([3, 7])),
        ("rows of fourteen, four taps", [3, 9, 3, 15], [7, 9, 2, 4], plain.padding([0, 1])),
        (
            "thirteen channels of five taps, a stride along columns",
            [2, 13, 7, 9],
            [11, 13, 1, 5],
            plain.padding([1, 2]).stride([2, 1]),
        ),
        ("a stride longer than any registers", [1, 2, 1, 130], [2, 2, 1, 70], plain.stride([1, 60])),
    ]
}

/// How the attributes of a problem stand to each other, which no constant of a kernel shows by itself.
fn relations(&(_, input, weight, attributes): &Problem) -> Vec<String> {
    let Padding::Sides(sides) = attributes.padding else { return Vec::new() };
    let several_groups = attributes.groups > 1;
    let depthwise = several_groups && weight[1] == 1;
    let mut relations = Vec::new();
    for (axis, name) in ["columns", "rows"].into_iter().enumerate() {
        let (size, taps, [before, after]) = (input[2 + axis], weight[2 + axis], sides[axis]);
        let (stride, dilation) = (attributes.stride[axis], attributes.dilation[axis]);
        let window = (taps - 1).saturating_mul(dilation) + 1;
        let rest = (size + before + after - window) % stride;
        let (strides, dilates, pads) = (stride > 1, dilation > 1, before > 0);
        let shared = (2..=stride.min(dilation)).any(|n| stride % n == 0 && dilation % n == 0);
        for (relation, holds) in [
            ("windows longer than the input", window > size),
            ("windows within the padding", before >= window),
            ("steps over a window", stride > window),
            ("a rest that no window meets", rest > 0),
            ("other padding after than before", before != after),
            ("padding and stride", pads && strides),
            ("padding that is no multiple of the stride", before % stride > 0),
            ("padding and dilation", pads && dilates),
            ("stride and dilation", strides && dilates),
            ("stride and dilation with a common factor", shared),
            ("phases with different numbers of taps", taps % stride > 0),
            ("phases without taps", stride > taps),
            ("stride in groups", strides && several_groups),
            ("padding in groups", pads && several_groups),
            ("dilation in groups", dilates && several_groups),
            ("stride of depthwise windows", strides && depthwise),
            ("padding of depthwise windows", pads && depthwise),
            ("dilation of depthwise windows", dilates && depthwise),
        ] {
            relations.extend(holds.then(|| format!("{relation}, {name}")));
        }
    }
    relations
}

/// The forward pass and all gradients of one problem.
pub fn passes(problem: &Problem) -> Vec<Case> {
    let &(name, input, weight, attributes) = problem;
    let (x, w, b) = (numbers(input, 1), numbers(weight, 2), numbers([weight[0]], 3));
    let types = [x.ty(), w.ty()];
    let output = attributes.infer(&[&types[0], &types[1]]).expect("the problem is valid")[0].shape.clone();
    let gradient = numbers(output, 4);
    vec![
        Case::new(name, attributes, vec![x.clone(), w.clone()]),
        Case::new(format!("{name}, with a bias"), attributes, vec![x.clone(), w.clone(), b]),
        Case::new(
            name,
            Conv2dGradInput { attributes, input: Shape::from(input) },
            vec![gradient.clone(), w.clone()],
        ),
        Case::new(name, Conv2dGradWeight { attributes, weight: Shape::from(weight) }, vec![gradient, x]),
    ]
}

/// Every problem runs in the sweep. By default a variant runs those that show it an edge.
pub fn cases() -> Vec<Case> {
    let each = |problem| passes(problem).into_iter().map(|case| case.by_edges(relations(problem)));
    problems().iter().flat_map(each).collect()
}

/// The seed network's layers and a ResNet's, all passes.
pub fn large() -> Vec<Case> {
    let plain = Conv2d::default();
    let problems: [Problem; 10] = [
        ("64x1x28x28, 8 of 3x3", [64, 1, 28, 28], [8, 1, 3, 3], plain.padding([1, 1])),
        ("64x8x14x14, 32 of 5x5", [64, 8, 14, 14], [32, 8, 5, 5], plain.padding([2, 2])),
        ("8x64x56x56, 64 of 3x3", [8, 64, 56, 56], [64, 64, 3, 3], plain.padding([1, 1])),
        (
            "2x3x224x224, 64 of 7x7 stride 2",
            [2, 3, 224, 224],
            [64, 3, 7, 7],
            plain.stride([2, 2]).padding([3, 3]),
        ),
        ("8x64x56x56, 128 of 1x1", [8, 64, 56, 56], [128, 64, 1, 1], plain),
        ("8x64x56x56, depthwise 3x3", [8, 64, 56, 56], [64, 1, 3, 3], plain.padding([1, 1]).groups(64)),
        (
            "8x64x56x56, depthwise 3x3 stride 2",
            [8, 64, 56, 56],
            [64, 1, 3, 3],
            plain.stride([2, 2]).padding([1, 1]).groups(64),
        ),
        ("8x256x14x14, 256 of 3x3", [8, 256, 14, 14], [256, 256, 3, 3], plain.padding([1, 1])),
        // The input's gradient is the transposed convolution that doubles an image.
        (
            "8x32x56x56, 64 of 4x4 stride 2",
            [8, 32, 56, 56],
            [64, 32, 4, 4],
            plain.stride([2, 2]).padding([1, 1]),
        ),
        ("4x16x4096, 32 of 9", [4, 16, 1, 4096], [32, 16, 1, 9], plain.padding([0, 4])),
    ];
    // The bias costs nothing to speak of, so the case without one stands for both.
    problems.iter().flat_map(|p| passes(p).into_iter().filter(|c| !c.name.ends_with("with a bias"))).collect()
}
