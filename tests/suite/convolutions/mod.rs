//! The convolution family as users see it: one dimension, transposed, flipped, padding by name and mode, as matrices,
//! as layers. Compared with PyTorch's answers and worked examples; also refusals. `ops.rs` and `generated.rs` test
//! the operators.

mod layers;
mod refusals;
mod toeplitz;
mod winograd;

use crate::harness::finite::check_gradients;
use crate::harness::fixture::{Fixture, assert_close};
use crate::harness::{Case, compare, device, failures, floats, numbers, relative_error, sweep};
use wgrad::op::{AdapterKind, Array, Operator, Variant};
use wgrad::ops::conv2d::{
    Conv1dOptions, Conv2d, Conv2dGradInput, Conv2dGradWeight, Conv2dOptions, ConvTranspose2dOptions, Padding,
};
use wgrad::{
    Caps, Graph, HostData, HostTensor, Plan, PlanOptions, Result, Session, Shape, TensorType, Value, Weights,
};

type Build<'a> = dyn Fn(&mut Graph, Value, Value, Option<Value>) -> Result<Value> + 'a;

/// An operation on input, weight and perhaps bias, with all gradients.
struct Problem {
    graph: Graph,
    inputs: Vec<(Value, HostTensor)>,
    /// The output, then the gradients of input, weight and bias.
    outputs: Vec<Value>,
}

impl Problem {
    fn new(
        input: HostTensor,
        weight: HostTensor,
        bias: Option<HostTensor>,
        gradient: Option<HostTensor>,
        build: &Build<'_>,
    ) -> Result<Problem> {
        let mut graph = Graph::new();
        let mut inputs = Vec::new();
        for (name, tensor) in [("input", Some(input)), ("weight", Some(weight)), ("bias", bias)] {
            if let Some(tensor) = tensor {
                inputs.push((graph.input(name, tensor.shape.clone())?, tensor));
            }
        }
        let by: Vec<Value> = inputs.iter().map(|(value, _)| *value).collect();
        let output = build(&mut graph, by[0], by[1], by.get(2).copied())?;
        let gradient =
            gradient.unwrap_or_else(|| numbers(graph.shape(output).expect("of this graph").clone(), 9));
        let upstream = graph.input("gradient", gradient.shape.clone())?;
        inputs.push((upstream, gradient));
        let gradients = graph.gradients_from(&[(output, upstream)], &by)?;
        let gradients = gradients.into_iter().map(|gradient| gradient.expect("every operand has a gradient"));
        let outputs = [output].into_iter().chain(gradients).collect();
        Ok(Problem { graph, inputs, outputs })
    }

    /// Takes of every operator that is left in the plan the variant of this number, counted round.
    fn variants(&self, number: usize, caps: &Caps) -> PlanOptions {
        let plan = Plan::new(&self.graph, &self.outputs, caps).unwrap_or_else(|e| panic!("{e}"));
        let graph = plan.graph();
        graph.nodes().fold(PlanOptions::default(), |options, (_, node)| {
            let types: Vec<_> =
                node.inputs.iter().map(|&v| &graph.value(v).expect("of this graph").ty).collect();
            let variants = node.operator.variants(&types, caps);
            options.variant(node.operator.name(), variants[number % variants.len()])
        })
    }

    fn run(&self, options: &PlanOptions) -> Result<Vec<HostTensor>> {
        let plan = Plan::with_options(&self.graph, &self.outputs, device().caps(), options)?;
        let mut session = Session::new(device(), plan, &Weights::init(device(), &self.graph, 0)?)?;
        for (value, tensor) in &self.inputs {
            session.write(*value, tensor)?;
        }
        session.step()?;
        self.outputs.iter().map(|&output| session.read(output)).collect()
    }

    fn plan(&self, kind: AdapterKind) -> Plan {
        Plan::new(&self.graph, &self.outputs, &Caps::webgpu_defaults(kind)).unwrap_or_else(|e| panic!("{e}"))
    }
}

const KINDS: [AdapterKind; 4] =
    [AdapterKind::Discrete, AdapterKind::Integrated, AdapterKind::Apple, AdapterKind::Software];

/// How many rounds run every variant of every pass.
const ROUNDS: [usize; 6] = [0, 1, 2, 3, 4, 5];

/// Compares a variant's numbers with PyTorch's, or those of all in the sweep. `number` says whose turn it is.
fn check_fixture(fixture: &Fixture, number: usize, build: &Build<'_>) {
    let [input, weight, bias, gradient] = ["input", "weight", "bias", "grad_output"].map(|n| fixture.f32(n));
    let problem =
        Problem::new(input, weight, Some(bias), Some(gradient), build).expect("the fixture is valid");
    for round in sweep::turn(&ROUNDS, number) {
        let options = problem.variants(round, device().caps());
        let found = problem.run(&options).unwrap_or_else(|e| panic!("{}: {e}", fixture.name));
        for (tensor, found) in ["output", "grad_input", "grad_weight", "grad_bias"].into_iter().zip(&found) {
            assert_eq!(found.shape, fixture.array(tensor).shape, "{} {tensor}", fixture.name);
            assert_close(fixture, tensor, found, 1e-5);
        }
    }
}

#[test]
fn convolutions_in_one_dimension_give_pytorchs_numbers() {
    for (number, fixture) in Fixture::of("conv_other", "conv1d").into_iter().enumerate() {
        let whole = |name, default| fixture.number(name, default) as usize;
        let attributes = Conv1dOptions::new()
            .stride(whole("stride", 1.0))
            .padding(whole("padding", 0.0))
            .dilation(whole("dilation", 1.0))
            .groups(whole("groups", 1.0));
        check_fixture(&fixture, number, &|g, x, w, b| g.conv1d(x, w, b, attributes));
    }
}

#[test]
fn transposed_convolutions_give_pytorchs_numbers() {
    for (number, fixture) in Fixture::of("conv_other", "conv_transpose2d").into_iter().enumerate() {
        let attributes = ConvTranspose2dOptions::new()
            .stride(fixture.pair("stride"))
            .padding(fixture.pair("padding"))
            .output_padding(fixture.pair("output_padding"))
            .dilation(fixture.pair("dilation"))
            .groups(fixture.number("groups", 1.0) as usize);
        check_fixture(&fixture, number, &|g, x, w, b| g.conv_transpose2d(x, w, b, attributes));
    }
}

fn row(data: &[f32]) -> HostTensor {
    floats([1, 1, data.len()], data.to_vec())
}

/// The output of a problem without gradients.
fn output(input: HostTensor, weight: HostTensor, build: &Build<'_>) -> HostTensor {
    let problem = Problem::new(input, weight, None, None, build).unwrap_or_else(|e| panic!("{e}"));
    problem.run(&PlanOptions::default()).unwrap_or_else(|e| panic!("{e}")).swap_remove(0)
}

#[test]
fn padding_by_name_is_what_it_says() {
    // Worked by hand: each digit of an output is one tap's input.
    let by_name = |window: &[f32], padding: Padding<1>| {
        output(row(&[1.0, 2.0, 3.0, 4.0]), row(window), &|g, x, w, b| {
            g.conv1d(x, w, b, Conv1dOptions::new().padding(padding))
        })
        .to_f64()
    };
    let even = [1000.0, 100.0, 10.0, 1.0];
    assert_eq!(by_name(&even, Padding::Valid), [1234.0]);
    assert_eq!(by_name(&even, Padding::Same), [123.0, 1234.0, 2340.0, 3400.0]);
    assert_eq!(by_name(&even, Padding::Half), [12.0, 123.0, 1234.0, 2340.0, 3400.0]);
    assert_eq!(by_name(&even, Padding::Full), [1.0, 12.0, 123.0, 1234.0, 2340.0, 3400.0, 4000.0]);
    let odd = [100.0, 10.0, 1.0];
    for padding in [Padding::Same, Padding::Half] {
        assert_eq!(by_name(&odd, padding), [12.0, 123.0, 234.0, 340.0]);
    }
    assert_eq!(by_name(&odd, Padding::from([0, 2])), [123.0, 234.0, 340.0, 400.0]);
    // Half a window goes with any stride, and with dilation: three taps two apart cover five.
    let strided = output(row(&[1.0, 2.0, 3.0, 4.0]), row(&odd), &|g, x, w, b| {
        g.conv1d(x, w, b, Conv1dOptions::new().padding(Padding::Half).stride(2).dilation(2))
    });
    assert_eq!(strided.to_f64(), [13.0, 130.0]);
    // In two dimensions: top, bottom, left and right are 1, 0, 0 and 2.
    let image = floats([1, 1, 2, 2], vec![1.0, 2.0, 3.0, 4.0]);
    let window = floats([1, 1, 2, 2], vec![1000.0, 100.0, 10.0, 1.0]);
    let found = output(image, window, &|g, x, w, b| {
        g.conv2d(x, w, b, Conv2dOptions::new().padding([[1, 0], [0, 2]]))
    });
    assert_eq!(found.shape[..], [1, 1, 2, 3]);
    assert_eq!(found.to_f64(), [12.0, 20.0, 0.0, 1234.0, 2040.0, 0.0]);
}

#[test]
fn convolution_proper_turns_the_kernel() {
    // The example of NumPy's `convolve`, in all three of its modes.
    let signal = || row(&[1.0, 2.0, 3.0]);
    let window = || row(&[0.0, 1.0, 0.5]);
    for (padding, expected) in [
        (Padding::Full, &[0.0, 1.0, 2.5, 4.0, 1.5][..]),
        (Padding::Same, &[1.0, 2.5, 4.0]),
        (Padding::Valid, &[2.5]),
    ] {
        let found = output(signal(), window(), &|g, x, w, b| {
            g.convolution1d(x, w, b, Conv1dOptions::new().padding(padding))
        });
        assert_eq!(found.to_f64(), expected, "{padding:?}");
    }
    // In two dimensions: cross-correlation with the turned kernel, and its gradients turned back.
    let turned = |tensor: &HostTensor| {
        let plane: usize = tensor.shape[2..].iter().product();
        let data: Vec<f32> = tensor.to_f64().iter().map(|&x| x as f32).collect();
        let planes = data.chunks(plane).flat_map(|plane| plane.iter().rev().copied());
        floats(tensor.shape.clone(), planes.collect())
    };
    let attributes = Conv2dOptions::new().stride([2, 1]).padding([[0, 1], [2, 1]]).dilation([1, 2]).groups(2);
    let (x, w, b) = (numbers([2, 4, 7, 6], 1), numbers([6, 2, 3, 2], 2), numbers([6], 3));
    let proper = Problem::new(x.clone(), w.clone(), Some(b.clone()), None, &|g, x, w, b| {
        g.convolution2d(x, w, b, attributes)
    });
    let plain = Problem::new(x, turned(&w), Some(b), None, &|g, x, w, b| g.conv2d(x, w, b, attributes));
    let run = |problem: Result<Problem>| problem.and_then(|p| p.run(&PlanOptions::default()));
    let (found, mut expected) = (run(proper).expect("it runs"), run(plain).expect("it runs"));
    expected[2] = turned(&expected[2]);
    assert_eq!(found, expected);
}

/// Transposed convolution as it is defined: every input adds its window to the result.
fn scattered(
    input: &HostTensor,
    weight: &HostTensor,
    shape: &Shape,
    sides: [[usize; 2]; 2],
    a: &Conv2d,
) -> Array {
    let (x, w) = (input.to_f64(), weight.to_f64());
    let &[images, channels, height, width] = &input.shape[..] else { panic!("an image") };
    let &[_, each, kernel_height, kernel_width] = &weight.shape[..] else { panic!("windows") };
    let mut result = Array::zeros(shape.clone());
    for image in 0..images {
        for channel in 0..channels {
            for h in 0..height {
                for w_ in 0..width {
                    let value = x[((image * channels + channel) * height + h) * width + w_];
                    for out in 0..each {
                        for kh in 0..kernel_height {
                            for kw in 0..kernel_width {
                                let row = (h * a.stride[0] + kh * a.dilation[0]).wrapping_sub(sides[0][0]);
                                let column =
                                    (w_ * a.stride[1] + kw * a.dilation[1]).wrapping_sub(sides[1][0]);
                                if row < shape[2] && column < shape[3] {
                                    let to = channel / (channels / a.groups) * each + out;
                                    let tap =
                                        ((channel * each + out) * kernel_height + kh) * kernel_width + kw;
                                    result.data
                                        [((image * shape[1] + to) * shape[2] + row) * shape[3] + column] +=
                                        value * w[tap];
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    result
}

#[test]
fn transposed_convolutions_scatter_their_input() {
    let plain = ConvTranspose2dOptions::new();
    for (input, weight, sides, attributes, size) in [
        ([2, 3, 4, 5], [3, 2, 3, 2], [[0, 0], [0, 0]], plain, [6, 6]),
        ([1, 4, 3, 3], [4, 3, 2, 3], [[0, 1], [2, 0]], plain.stride([3, 2]).groups(2), [7, 5]),
        // Output padding up to the larger of stride and dilation.
        (
            [2, 2, 3, 4],
            [2, 3, 3, 2],
            [[1, 1], [0, 2]],
            plain.stride([1, 4]).dilation([3, 2]).output_padding([2, 3]),
            [9, 16],
        ),
        (
            [1, 6, 5, 1],
            [6, 2, 1, 3],
            [[2, 2], [0, 0]],
            plain.stride([2, 1]).groups(6).output_padding([1, 0]),
            [6, 3],
        ),
        // One input.
        ([3, 2, 1, 1], [2, 5, 4, 4], [[1, 1], [1, 1]], plain.stride([2, 2]), [2, 2]),
    ] {
        let attributes = attributes.padding(sides);
        let (x, w) = (numbers(input, 1), numbers(weight, 2));
        let mut problem = Problem::new(x.clone(), w.clone(), None, None, &|g, x, w, b| {
            g.conv_transpose2d(x, w, b, attributes)
        })
        .expect("the problem is valid");
        let shape = problem.graph.shape(problem.outputs[0]).expect("of this graph").clone();
        let conv = Conv2d::from(attributes);
        assert_eq!(shape[..], [input[0], weight[1] * conv.groups, size[0], size[1]]);
        let expected = scattered(&x, &w, &shape, sides, &conv);
        // The gradients are in the table of cases.
        problem.outputs.truncate(1);
        for number in 0..6 {
            let found = problem.run(&problem.variants(number, device().caps())).expect("it runs");
            assert!(relative_error(&expected, &found[0]) < 1e-5, "{input:?} {weight:?} {attributes:?}");
        }
    }
}

#[test]
fn depthwise_layers_are_one_dispatch_each_pass() {
    type Sizes = ([usize; 4], [usize; 4]);
    let attributes = Conv2dOptions::new().stride([2, 1]).padding([1, 2]).groups(6);
    let of_transposed = ConvTranspose2dOptions::new().stride([2, 1]).padding([1, 2]).groups(6);
    let (forward, transposed): (Sizes, Sizes) =
        (([4, 6, 16, 15], [12, 1, 3, 5]), ([4, 6, 16, 15], [6, 2, 3, 5]));
    let builds: [(Sizes, Box<Build<'static>>); 2] = [
        (forward, Box::new(move |g, x, w, b| g.conv2d(x, w, b, attributes))),
        (
            transposed,
            Box::new(move |g, x, w, b| g.conv_transpose2d(x, w, b, of_transposed.output_padding([1, 0]))),
        ),
    ];
    for ((input, weight), build) in builds {
        let with_relu = move |g: &mut Graph, x: Value, w: Value, b: Option<Value>| {
            let y = build(g, x, w, b)?;
            g.relu(y)
        };
        let problem =
            Problem::new(numbers(input, 1), numbers(weight, 2), Some(numbers([12], 3)), None, &with_relu);
        let problem = problem.expect("the problem is valid");
        for kind in KINDS {
            let plan = problem.plan(kind);
            let passes = plan.steps().iter().filter(|step| {
                plan.graph().node(step.node).expect("of this graph").operator.describe().contains("conv2d")
                    && !plan.graph().node(step.node).expect("of this graph").operator.name().contains("bias")
            });
            let counts: Vec<_> = passes.map(|step| step.dispatches.len()).collect();
            assert_eq!(counts, [1, 1, 1], "{kind}: bias and activation go into the forward pass\n{plan}");
            // Besides: ReLU's gradient, and the bias's.
            assert!(plan.dispatches().len() <= 6, "{kind}\n{plan}");
        }
    }
}

#[test]
fn one_dimension_costs_no_more_than_two() {
    for kind in KINDS {
        let one = Problem::new(
            numbers([3, 4, 50], 1),
            numbers([6, 2, 5], 2),
            Some(numbers([6], 3)),
            None,
            &|g, x, w, b| g.conv1d(x, w, b, Conv1dOptions::new().stride(2).padding(3).groups(2)),
        );
        let two = Problem::new(
            numbers([3, 4, 1, 50], 1),
            numbers([6, 2, 1, 5], 2),
            Some(numbers([6], 3)),
            None,
            &|g, x, w, b| g.conv2d(x, w, b, Conv2dOptions::new().stride([1, 2]).padding([0, 3]).groups(2)),
        );
        let (one, two) = (one.expect("valid").plan(kind), two.expect("valid").plan(kind));
        assert_eq!(one.dispatches().len(), two.dispatches().len(), "{kind}\n{one}");
        assert_eq!(one.traffic(), two.traffic(), "{kind}");
    }
}

#[test]
fn windows_longer_than_registers_go_by_a_product() {
    let sliding = ["direct", "direct_subgroup", "depthwise"];
    for (kernel, dilation, groups, slides) in
        [(9, 1, 1, true), (29, 1, 4, true), (30, 1, 1, false), (3, 15, 4, false), (1000, 1, 1, false)]
    {
        let attributes = Conv1dOptions::new().dilation(dilation).groups(groups).padding(Padding::Half);
        let (input, weight) = (numbers([1, 4, 1200], 1), numbers([4, 4 / groups, kernel], 2));
        let problem = Problem::new(input, weight, None, None, &|g, x, w, b| g.conv1d(x, w, b, attributes));
        let problem = problem.expect("the problem is valid");
        for kind in KINDS {
            let caps = Caps { subgroups: true, subgroup_size: 8, ..Caps::webgpu_defaults(kind) };
            for (_, node) in problem.graph.nodes().filter(|(_, node)| node.operator.name() != "reshape") {
                let types: Vec<_> =
                    node.inputs.iter().map(|&v| &problem.graph.value(v).expect("of this graph").ty).collect();
                let offered = node.operator.variants(&types, &caps);
                if node.operator.name() != "conv2d_grad_weight" {
                    let found = offered.iter().any(|variant| sliding.contains(&variant.name()));
                    assert_eq!(found, slides, "{} {kernel} {dilation} {kind}", node.operator.name());
                }
            }
            let plan = Plan::new(&problem.graph, &problem.outputs, &caps).expect("it fits");
            for step in plan.steps() {
                assert!(!step.why.starts_with("no "), "{kernel} {kind}: {}", step.why);
            }
        }
    }
}

#[test]
fn backward_rules_agree_with_finite_differences() {
    let attributes = Conv2d::new().padding([[0, 2], [1, 0]]).stride([1, 2]).dilation([2, 1]).groups(2);
    let (input, weight) = ([2, 4, 4, 5], [2, 2, 3, 2]);
    check_gradients(
        &Case::new("sides", attributes, vec![numbers(input, 1), numbers(weight, 2), numbers([2], 3)]),
        &[0, 1, 2],
    );
    // What no window reaches has no gradient.
    let attributes = attributes.output_padding([1, 1]);
    check_gradients(
        &Case::new("output padding", attributes, vec![numbers(input, 1), numbers(weight, 2)]),
        &[0, 1],
    );
    let operator = Conv2dGradInput { attributes, input: Shape::from(input) };
    let gradient = numbers([2, 2, 1, 2], 4);
    check_gradients(&Case::new("transposed", operator, vec![gradient.clone(), numbers(weight, 2)]), &[0, 1]);
    let operator = Conv2dGradWeight { attributes, weight: Shape::from(weight) };
    check_gradients(&Case::new("weight", operator, vec![gradient, numbers(input, 1)]), &[0, 1]);
}

/// Variants keep what they load for several taps, and must not multiply by zero what meets no gradient.
#[test]
fn an_infinity_reaches_only_the_taps_that_meet_it() {
    let mut input = numbers([2, 9, 6, 8], 1);
    let HostData::F32(elements) = &mut input.data else { unreachable!("numbers are floats") };
    // The first and the last pixel of some planes, and one that no window of stride 2 starts at.
    for (at, value) in [(0, f32::INFINITY), (48 + 47, f32::NEG_INFINITY), (5 * 48 + 21, f32::NAN)] {
        elements[at] = value;
    }
    for attributes in [Conv2d::new(), Conv2d::new().padding([1, 1]), Conv2d::new().stride([1, 2])] {
        let weight = Shape::from([10, 9, 3, 3]);
        let types = [input.ty(), TensorType::f32(weight.clone())];
        let output = attributes.infer(&[&types[0], &types[1]]).expect("it fits")[0].shape.clone();
        let inputs = vec![numbers(output, 2), input.clone()];
        let case = Case::new("infinities", Conv2dGradWeight { attributes, weight }, inputs);
        let failures = failures(&[case]);
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}

/// Sums of more terms, at sizes for which GPUs take Winograd's algorithm.
#[test]
fn winograd_of_many_channels_is_within_tolerance() {
    let attributes = Conv2d::new().padding([1, 1]);
    for channels in [256, 512] {
        let (input, weight) = (Shape::from([2, channels, 7, 7]), Shape::from([channels, channels, 3, 3]));
        let (x, w) = (numbers(input.clone(), 1), numbers(weight.clone(), 2));
        let gradient = numbers(input.clone(), 3);
        let cases = [
            Case::new("output", attributes, vec![x.clone(), w.clone()]),
            Case::new("input gradient", Conv2dGradInput { attributes, input }, vec![gradient.clone(), w]),
            Case::new("weight gradient", Conv2dGradWeight { attributes, weight }, vec![gradient, x]),
        ];
        let winograd = Variant::new("winograd");
        let (failures, _) = compare(&cases, &[vec![winograd], vec![winograd], vec![winograd]], None);
        assert!(failures.is_empty(), "{channels} channels: {}", failures.join("\n"));
    }
}
