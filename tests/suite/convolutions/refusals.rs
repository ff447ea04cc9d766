//! Refusals, in PyTorch's words if it has any, and attributes of any size.

use super::{Build, layers::layer};
use crate::harness::numbers;
use wgrad::nn;
use wgrad::op::AdapterKind;
use wgrad::ops::conv2d::{
    Conv1dOptions, Conv2dOptions, ConvTranspose1dOptions, ConvTranspose2dOptions, Padding,
};
use wgrad::{Caps, Error, Graph, Plan, Result, Value};

/// The error of an operation on an input and a weight of these shapes, within the scope "layer".
fn refused(input: &[usize], weight: &[usize], build: &Build<'_>) -> String {
    let mut graph = Graph::new();
    let (x, w) = (graph.input("x", input).expect("valid"), graph.input("w", weight).expect("valid"));
    let b = graph.input("b", [4]).expect("valid");
    graph.scoped("layer", |g| build(g, x, w, Some(b))).expect_err("it is refused").to_string()
}

#[test]
fn what_makes_no_sense_is_refused_with_pytorchs_words() {
    let (plain, transposed) = (Conv2dOptions::new(), ConvTranspose2dOptions::new());
    let (same, no_same) = (Padding::Same, "padding='same' is not supported for strided convolutions");
    for (of_plain, of_transposed, words) in [
        (plain.stride([1, 0]), transposed.stride([1, 0]), "non-positive stride is not supported"),
        (plain.dilation([0, 1]), transposed.dilation([0, 1]), "dilation should be greater than zero"),
        (plain.groups(0), transposed.groups(0), "expected groups to be greater than 0, but got groups=0"),
        (plain.groups(3), transposed.groups(3), "in_channels must be divisible by groups"),
        (plain.padding(same).stride([1, 2]), transposed.padding(same).stride([1, 2]), no_same),
    ] {
        let error =
            refused(&[1, 4, 5, 5], &[4, 4, 3, 3], &|g, x, w, b| g.conv_transpose2d(x, w, b, of_transposed));
        assert!(error.starts_with("conv_transpose2d \"layer\": ") && error.contains(words), "{error}");
        let error = refused(&[1, 4, 5, 5], &[4, 4, 3, 3], &|g, x, w, b| g.conv2d(x, w, b, of_plain));
        assert!(error.starts_with("conv2d \"layer\": ") && error.contains(words), "{error}");
    }
    let error = refused(&[1, 4, 5, 5], &[4, 4, 3, 3], &|g, x, w, b| {
        g.conv_transpose2d(x, w, b, transposed.output_padding([0, 1]))
    });
    let words = "output padding must be smaller than either stride or dilation";
    assert!(error.starts_with("conv_transpose2d \"layer\": ") && error.contains(words), "{error}");
    let error = refused(&[1, 4, 5, 5], &[4, 4, 6, 3], &|g, x, w, b| g.conv2d(x, w, b, plain));
    assert!(error.contains("kernel size can't be greater than actual input size"), "{error}");
    let error = refused(&[1, 4, 2, 5], &[4, 4, 2, 3], &|g, x, w, b| {
        g.conv_transpose2d(x, w, b, transposed.padding([2, 0]))
    });
    assert!(
        error.contains("calculated output size per channel: (-1 x 7)") && error.contains("too small"),
        "{error}"
    );
    let error = refused(&[1, 3, 5, 5], &[4, 4, 3, 3], &|g, x, w, b| g.conv_transpose2d(x, w, b, transposed));
    assert!(error.starts_with("conv_transpose2d \"layer\": input has 3 channels"), "{error}");
    let error = refused(&[1, 4, 5, 5], &[4, 5, 3, 3], &|g, x, w, b| g.conv_transpose2d(x, w, b, transposed));
    assert!(error.starts_with("conv_transpose2d \"layer\": bias must be [5]"), "{error}");
    // The others speak under their own names.
    let (line, transposed_line) = (Conv1dOptions::new(), ConvTranspose1dOptions::new());
    let error = refused(&[1, 4, 5], &[4, 3, 3], &|g, x, w, b| g.conv1d(x, w, b, line));
    assert!(error.starts_with("conv1d \"layer\": input has 4 channels"), "{error}");
    for (input, weight) in [(&[1, 4, 5, 5][..], &[4, 4, 3][..]), (&[1, 4, 5], &[4, 4, 3, 3])] {
        let error = refused(input, weight, &|g, x, w, b| g.conv1d(x, w, b, line));
        assert!(error.starts_with("conv1d \"layer\": input must be (images, channels, length)"), "{error}");
        let error = refused(input, weight, &|g, x, w, b| g.conv_transpose1d(x, w, b, transposed_line));
        assert!(error.starts_with("conv_transpose1d \"layer\""), "{error}");
        refused(input, weight, &|g, x, w, b| g.conv_transpose2d(x, w, b, transposed));
        refused(input, weight, &|g, x, w, b| g.convolution2d(x, w, b, plain));
    }
    let error = refused(&[1, 4, 5], &[4, 3, 3], &|g, x, w, b| g.convolution1d(x, w, b, line));
    assert!(error.starts_with("convolution1d \"layer\""), "{error}");
    for (layer_of, words) in [
        (
            layer(nn::Conv1d::new(5, 4, 3).groups(2), &numbers([1, 4, 5], 1)),
            "conv1d \"layer\": in_channels must be divisible by groups",
        ),
        (
            layer(nn::ConvTranspose2d::new(4, 5, [3, 3]).groups(2), &numbers([1, 4, 5, 5], 1)),
            "conv_transpose2d \"layer\": out_channels must be divisible by groups",
        ),
        (
            layer(nn::ConvTranspose1d::new(4, 4, 3).groups(0), &numbers([1, 4, 5], 1)),
            "conv_transpose1d \"layer\": expected groups to be greater than 0",
        ),
    ] {
        let error = layer_of.map(|_| ()).expect_err("it is refused").to_string();
        assert!(error.starts_with(words), "{error}");
    }
    // Values of another graph.
    let (mut graph, mut other) = (Graph::new(), Graph::new());
    let x = graph.input("x", [1, 1, 4]).expect("valid");
    let y = other.input("y", [1, 1, 4]).expect("valid");
    for error in [
        graph.conv1d(x, y, None, line),
        graph.convolution1d(y, x, None, line),
        graph.conv_transpose1d(x, x, Some(y), transposed_line),
    ] {
        assert!(error.expect_err("it is refused").to_string().contains("another graph"));
    }
}

#[test]
fn attributes_of_any_size_are_sizes_or_errors() {
    let sizes = [1, 2, 3, i32::MAX as usize, 1 << 40, usize::MAX / 2, usize::MAX];
    let zeros = [0, 1, i32::MAX as usize - 4, usize::MAX / 2 + 1, usize::MAX];
    let (mut accepted, mut refused) = (0, 0);
    let caps = Caps::webgpu_defaults(AdapterKind::Software);
    for kernel in [1, 3] {
        for stride in sizes {
            for dilation in sizes {
                for (before, after, output) in
                    zeros.iter().flat_map(|&b| zeros.iter().flat_map(move |&a| zeros.map(|o| (b, a, o))))
                {
                    let attributes =
                        Conv1dOptions::new().stride(stride).dilation(dilation).padding([before, after]);
                    let int = |size: usize| size as i128;
                    let reach = int(dilation) * (int(kernel) - 1);
                    let padding = int(before) + int(after);
                    let mut check =
                        |expected: i128, built: Result<Value>, graph: &Graph, value: Option<Value>| {
                            match built {
                                Ok(y) => {
                                    accepted += 1;
                                    assert_eq!(
                                        int(graph.shape(y).expect("of this graph")[2]),
                                        expected,
                                        "{attributes:?} {output}"
                                    );
                                    let mut graph = graph.clone();
                                    let gradient = graph
                                        .input("gradient", graph.shape(y).expect("of this graph").clone())
                                        .expect("valid");
                                    let x = value.expect("there is an input");
                                    let by = graph
                                        .gradients_from(&[(y, gradient)], &[x])
                                        .expect("it has a gradient");
                                    let outputs = [y, by[0].expect("it has a gradient")];
                                    if let Err(error) = Plan::new(&graph, &outputs, &caps) {
                                        assert!(matches!(error, Error::Limit { .. }), "{error}");
                                    }
                                }
                                Err(error) => {
                                    refused += 1;
                                    assert!(matches!(error, Error::Node { .. }), "{error}");
                                }
                            }
                        };
                    let mut graph = Graph::new();
                    let x = graph.input("x", [1, 1, 4]).expect("valid");
                    let w = graph.input("w", [1, 1, kernel]).expect("valid");
                    if output == 0 {
                        let built = graph.conv1d(x, w, None, attributes);
                        check((4 + padding - reach - 1) / int(stride) + 1, built, &graph, Some(x));
                    }
                    let transposed = ConvTranspose1dOptions::new().stride(stride).dilation(dilation);
                    let transposed = transposed.padding([before, after]).output_padding(output);
                    let built = graph.conv_transpose1d(x, w, None, transposed);
                    check(3 * int(stride) - padding + reach + int(output) + 1, built, &graph, Some(x));
                }
            }
        }
    }
    assert!(accepted > 100 && refused > 1000, "{accepted} {refused}");
}
