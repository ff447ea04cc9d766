//! A NaN in the data reaches the loss of its step and of every later one, on the GPU and in the reference.

use crate::harness::device;
use wgrad::nn::{self, Layer};
use wgrad::optim::Sgd;
use wgrad::{Graph, Mode, Plan, Result, Session, Weights};

#[test]
fn one_nan_pixel_ends_training() -> Result<()> {
    for norm in [false, true] {
        let mut net = nn::Sequential::new().add("c", nn::Conv2d::new(1, 4, [3, 3]));
        if norm {
            net = net.add("b", nn::BatchNorm::new(4));
        }
        let net = net
            .add("r", nn::Relu)
            .add("p", nn::MaxPool2d::new([2, 2]))
            .add("f", nn::Flatten)
            .add("h", nn::Linear::new(36, 10));
        let mut graph = Graph::new();
        let (x, labels, rate) =
            (graph.input("x", [8, 1, 8, 8])?, graph.input_i32("l", 8)?, graph.input_scalar("r")?);
        let y = net.forward(&mut graph, x, Mode::Train)?;
        let loss = graph.cross_entropy(y, labels)?;
        Sgd::new(rate).clip_norm(1.0).minimize(&mut graph, loss)?;
        let weights = Weights::init(device(), &graph, 5)?;
        let mut session = Session::new(device(), Plan::new(&graph, &[loss, y], device().caps())?, &weights)?;
        session.write(labels, &[0, 1, 2, 3, 4, 5, 6, 7])?;
        session.write_scalar(rate, 0.05)?;
        for step in 0..4 {
            let mut pixels: Vec<f32> = (0..512).map(|k| (0.7 * k as f32).sin()).collect();
            if step == 1 {
                pixels[0] = f32::NAN;
            }
            session.write(x, &pixels)?;
            session.verify()?;
            let found = session.read(loss)?.to_f64()[0];
            assert_eq!(found.is_nan(), step > 0, "batch norm {norm}, step {step}: the loss is {found}");
        }
        let logits = session.read(y)?.to_f64();
        assert!(logits.iter().all(|y| y.is_nan()), "batch norm {norm}: {logits:?}");
        for value in graph.parameters() {
            let name = &graph.value(value)?.name;
            let found = weights.read(name)?.to_f64();
            assert!(found.iter().all(|w| w.is_nan()), "batch norm {norm}: {name} is {found:?}");
        }
    }
    Ok(())
}
