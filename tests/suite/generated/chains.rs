//! Chains of operators that work element by element.

use super::Generator;
use crate::harness::{device, numbers, sweep};
use wgrad::graph::{Init, Source};
use wgrad::ops::batch_norm::{Momentum, Running};
use wgrad::ops::conv2d::{Conv2d, Conv2dGradInput, Conv2dOptions};
use wgrad::ops::unary::Unary;
use wgrad::{Error, Graph, Mode, Plan, PlanOptions, Session, Shape, Value, Weights};

/// Chains of one to four operators that work element by element, behind everything that can take them.
#[test]
fn chains_of_generated_shapes() {
    let mut generator = Generator::new(8);
    for i in 0..sweep::count(10, 25) {
        let shape = [generator.edge(3), generator.edge(9), generator.edge(9), generator.edge(13)];
        let (mut graph, links) = (Graph::new(), generator.size(4));
        let build = |graph: &mut Graph, generator: &mut Generator| -> Result<Value, Error> {
            let [n, c, h, w] = shape;
            let x = graph.input("x", shape)?;
            let mut y = match i % 5 {
                0 => {
                    let weight = graph.input("weight", [generator.edge(9), c, 1, 1])?;
                    graph.conv2d(x, weight, None, Conv2dOptions::new().padding([1, 0]))?
                }
                1 => {
                    let weight = graph.input("weight", [n, c, w, generator.edge(20)])?;
                    graph.matmul(x, weight)?
                }
                2 => {
                    let weight = graph.input("weight", [c, generator.edge(9), 1, 1])?;
                    let input = Shape::from([n, graph.shape(weight).expect("of this graph")[1], h, w]);
                    let operator = Conv2dGradInput { attributes: Conv2d::default(), input };
                    graph.apply1(operator, &[x, weight])?
                }
                3 => {
                    let [weight, bias] = [graph.input("weight", [c])?, graph.input("bias", [c])?];
                    let mean = graph.state("mean", [c], Init::Constant(0.5), true)?;
                    let variance = graph.state("variance", [c], Init::Constant(1.5), true)?;
                    let mode = if n * h * w > 4 { Mode::Train } else { Mode::Eval };
                    let running = Running { mean, variance, momentum: Momentum::Share(0.1) };
                    graph.batch_norm(x, Some([weight, bias]), Some(running), 1e-5, mode)?
                }
                _ => graph.tanh(x)?,
            };
            for link in 0..links {
                let full = graph.shape(y).expect("of this graph").to_vec();
                y = match generator.size(7) {
                    1 => graph.relu(y)?,
                    2 | 3 => {
                        let functions =
                            [Unary::Gelu, Unary::Mish, Unary::Sigmoid, Unary::Scale { factor: 0.75 }];
                        graph.apply1(functions[generator.size(4) - 1], &[y])?
                    }
                    6 => {
                        let weight = graph.input(&format!("slopes {link}"), [full[1]])?;
                        graph.prelu(y, weight)?
                    }
                    4 => {
                        let other = graph.input(&format!("each row {link}"), [full[0], 1, full[2], 1])?;
                        graph.mul(other, y)?
                    }
                    5 => {
                        let other = graph.input(&format!("same {link}"), full)?;
                        graph.sub(other, y)?
                    }
                    _ => {
                        let other = graph.input(&format!("each channel {link}"), [full[1], 1, 1])?;
                        graph.add(y, other)?
                    }
                };
            }
            Ok(y)
        };
        let y = build(&mut graph, &mut generator).unwrap_or_else(|e| panic!("{graph}{e}"));
        let plan = Plan::new(&graph, &[y], device().caps()).unwrap_or_else(|e| panic!("{graph}{e}"));
        assert_eq!(plan.steps().len(), 1, "{plan}");
        let node = plan.graph().node(plan.steps()[0].node).expect("of this graph").clone();
        let types: Vec<_> =
            node.inputs.iter().map(|&v| graph.value(v).expect("of this graph").ty.clone()).collect();
        let variants = node.operator.variants(&types.iter().collect::<Vec<_>>(), device().caps());
        // The next variant when an operator comes again.
        for variant in sweep::turn(&variants, i / 5) {
            let run = || -> Result<(), Error> {
                let options = PlanOptions::default().variant(node.operator.name(), variant);
                let plan = Plan::with_options(&graph, &[y], device().caps(), &options)?;
                let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
                for (seed, (value, info)) in (1..).zip(graph.values()) {
                    if matches!(info.source, Source::Input) {
                        session.write(value, &numbers(info.ty.shape.clone(), seed))?;
                    }
                }
                session.verify().map(|_| ())
            };
            run().unwrap_or_else(|e| panic!("{} [{variant}] {shape:?}: {e}", node.operator.describe()));
        }
    }
}
