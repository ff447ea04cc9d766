//! Max unpooling against worked examples, and next to fused operators.

use super::{assert_numbers, device, numbers, passes, plane};
use wgrad::nn::{self, Layer};
use wgrad::ops::pool2d::MaxPool2dOptions;
use wgrad::{Error, Graph, Mode, Plan, Session, Weights};

#[test]
fn unpooling_puts_values_back() -> Result<(), Error> {
    // The pooled values themselves come back; the rest is zeros.
    let x = plane([[1.0, 2.0, 3.0, 4.0, 0.0], [5.0, 8.0, 7.0, 6.0, 0.0], [9.0, 1.0, 2.0, 3.0, 0.0]]);
    let back = |pool: MaxPool2dOptions, size: Option<[usize; 2]>| {
        passes(&x, None, |g, x| {
            let (y, indices) = g.max_pool2d_with_indices(x, pool)?;
            assert_eq!(indices.input_size(), [3, 5]);
            let halves = g.scale(y, 0.5)?;
            g.max_unpool2d(halves, &indices, size.unwrap_or(indices.input_size()))
        })
    };
    let two = MaxPool2dOptions::new([2, 2]);
    let (y, dx) = back(two, None)?;
    let mut expected = [0.0; 15];
    (expected[6], expected[7]) = (4.0, 3.5);
    assert_numbers(&y, &expected, "side by side");
    (expected[6], expected[7]) = (0.5, 0.5);
    assert_numbers(&dx, &expected, "side by side, gradient");
    let (y, _) = back(two, Some([2, 4]))?;
    assert_numbers(&y, &[0.0, 0.0, 0.0, 0.0, 0.0, 4.0, 3.5, 0.0], "of another width");
    // Windows one apart: 8 wins in three of them, 7 in one, 6 in two, 9 in one.
    let overlapping = two.stride([1, 1]);
    let (y, dx) = back(overlapping, None)?;
    let mut expected = [0.0; 15];
    (expected[6], expected[7], expected[8], expected[10]) = (4.0, 3.5, 3.0, 4.5);
    assert_numbers(&y, &expected, "overlapping");
    for at in [6, 7, 8, 10] {
        expected[at] = 0.5;
    }
    assert_numbers(&dx, &expected, "overlapping, the gradient of one window each");
    Ok(())
}

/// Of several windows with the same winner the last has its value there.
#[test]
fn unpooling_takes_the_last_of_several_windows() -> Result<(), Error> {
    let x = plane([[1.0, 5.0, 2.0]]);
    let mut graph = Graph::new();
    let source = graph.input("x", [1, 1, 1, 3])?;
    let values = graph.input("values", [1, 1, 1, 2])?;
    let (_, indices) = graph.max_pool2d_with_indices(source, MaxPool2dOptions::new([1, 2]).stride([1, 1]))?;
    let y = graph.max_unpool2d(values, &indices, [1, 3])?;
    let dy = graph.input("dy", [1, 1, 1, 3])?;
    let gradient = graph.gradients_from(&[(y, dy)], &[values])?[0].expect("y depends on the values");
    let plan = Plan::new(&graph, &[y, gradient], device().caps())?;
    let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
    session.write(source, &x)?;
    session.write(values, &[10.0, 20.0])?;
    session.write(dy, &[1.0, 2.0, 3.0])?;
    session.step()?;
    assert_eq!(session.read(y)?.to_f64(), [0.0, 20.0, 0.0]);
    assert_eq!(session.read(gradient)?.to_f64(), [0.0, 2.0]);
    Ok(())
}

/// Fused with a batch norm before it, max pooling keeps its taps in another order: not where unpooling
/// reads them.
#[test]
fn unpooling_works_behind_batch_norm() -> Result<(), Error> {
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 3, 6, 6])?;
    let net = nn::Sequential::new().add("norm", nn::BatchNorm::new(3)).add("relu", nn::Relu);
    let y = net.forward(&mut graph, x, Mode::Train)?;
    let (pooled, indices) = graph.max_pool2d_with_indices(y, MaxPool2dOptions::new([2, 2]))?;
    let back = graph.max_unpool2d(pooled, &indices, [6, 6])?;
    let dy = graph.input("dy", [2, 3, 6, 6])?;
    let gradient = graph.gradients_from(&[(back, dy)], &[x])?[0].expect("y depends on x");
    let plan = Plan::new(&graph, &[back, gradient], device().caps())?;
    let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
    session.write(x, &numbers([2, 3, 6, 6], 1))?;
    session.write(dy, &numbers([2, 3, 6, 6], 2))?;
    session.verify()?;
    Ok(())
}
