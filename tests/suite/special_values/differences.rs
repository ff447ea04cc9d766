//! Differences from PyTorch's results on the CPU, with reasons. `docs/special-values.md` lists the same for users.

/// One element of an output or a gradient, with what was fed in the same place.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub graph: &'a str,
    pub tensor: &'a str,
    pub x: f64,
    pub t: f64,
    pub dy: f64,
    /// PyTorch's answer, and that to a gradient of 1.
    pub expected: f64,
    pub slope: f64,
    pub found: f64,
}

/// A difference that is meant.
pub struct Difference {
    pub reason: &'static str,
    pub here: fn(Place) -> bool,
}

pub const DIFFERENCES: &[Difference] = &[
    Difference {
        reason: "A slope below the least normal number may be zero, and an infinite gradient times it NaN",
        here: |at| {
            at.tensor == "g0" && at.dy.is_infinite() && at.slope.abs() < 1.2e-38 && !at.found.is_finite()
        },
    },
    Difference {
        reason: "ELU and SELU take the slope from the output, whose rounding leaves none far below zero",
        here: |at| {
            (at.graph == "elu" || at.graph == "selu")
                && at.tensor == "g0"
                && at.x < -16.0
                && at.dy.is_infinite()
                && at.found.is_nan()
        },
    },
    Difference {
        reason: "PyTorch overflows on the way at finite numbers of over 1e13; the answer is finite",
        here: |at| {
            let finite = at.found.is_finite() || !at.dy.is_finite();
            (at.graph == "gelu_tanh" && at.tensor == "g0" && at.x.is_finite() && at.x.abs() > 1e13 && finite)
                || (at.graph == "hard_swish" && at.tensor == "y" && at.x == at.found)
        },
    },
    Difference {
        reason: "An element that bilinear resampling leaves as it is stays infinite; PyTorch adds 0 times it",
        here: |at| {
            at.graph.starts_with("bilinear")
                && at.graph.ends_with("same")
                && at.found.is_infinite()
                && at.expected.is_nan()
        },
    },
    Difference {
        reason: "Targets of binary cross-entropy are probabilities: an infinite one may make NaN",
        here: |at| at.graph.starts_with("bce") && at.t.is_infinite() && at.found.is_nan(),
    },
    Difference {
        reason: "The divergence's gradient by a target of 0 is 0; PyTorch has NaN",
        here: |at| {
            at.graph.starts_with("kl_div_loss") && at.tensor == "g1" && at.expected.is_nan() && at.t == 0.0
        },
    },
    Difference {
        reason: "An infinite gradient of the divergence of logarithms may stay infinite where PyTorch adds NaN to it",
        here: |at| {
            at.graph.starts_with("kl_div_log_loss")
                && at.tensor == "g1"
                && at.dy.is_infinite()
                && at.found.is_infinite()
        },
    },
];
