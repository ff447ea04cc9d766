//! The trainer's network, called the seed network. Examples, tests and benches share it.

use wgrad::nn::{BatchNorm, Conv2d, Dropout, Flatten, Linear, MaxPool2d, Relu, Sequential};

/// Two convolutions with batch norm and pooling, then two linear layers: grey images of this height and width to logits.
pub fn digits([rows, columns]: [usize; 2], classes: usize, dropout: Option<Dropout>) -> Sequential {
    let mut net = Sequential::new()
        .add("conv1", Conv2d::new(1, 8, [3, 3]).padding([1, 1]))
        .add("bn1", BatchNorm::new(8))
        .add("relu1", Relu)
        .add("pool1", MaxPool2d::new([2, 2]))
        .add("conv2", Conv2d::new(8, 32, [5, 5]).padding([2, 2]))
        .add("bn2", BatchNorm::new(32))
        .add("relu2", Relu)
        .add("pool2", MaxPool2d::new([2, 2]))
        .add("flatten", Flatten)
        // Each pooling halves height and width, rounded down.
        .add("fc1", Linear::new(32 * (rows / 4) * (columns / 4), 600))
        .add("relu3", Relu);
    if let Some(dropout) = dropout {
        net = net.add("dropout", dropout);
    }
    net.add("fc2", Linear::new(600, classes))
}
