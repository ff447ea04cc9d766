//! The rules of Resize along one axis: where an output lies in the input, and the shares of the elements around it.

/// Where an output lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Coordinates {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
    /// tf_crop_and_resize.
    Crop,
}

/// The neighbour that is nearest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rounding {
    PreferFloor,
    PreferCeil,
    Floor,
    Ceil,
}

/// The elements that an output is made of.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Interpolation {
    Nearest(Rounding),
    Linear { antialias: bool },
    Cubic { a: f64, antialias: bool, exclude_outside: bool },
}

/// One axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub axis: usize,
    pub input: usize,
    pub output: usize,
    pub scale: f64,
    /// Start and end of the part that is resized, for [`Coordinates::Crop`].
    pub region: [f64; 2],
}

impl Axis {
    /// The position of output `o` in the input.
    fn position(&self, coordinates: Coordinates, o: usize) -> f64 {
        let (o, input) = (o as f64, self.input as f64);
        // Not a whole number, if the scale does not make one.
        let output = self.scale * input;
        let half = (o + 0.5) / self.scale - 0.5;
        match coordinates {
            Coordinates::HalfPixel => half,
            Coordinates::HalfPixelSymmetric => input / 2.0 * (1.0 - self.output as f64 / output) + half,
            Coordinates::PytorchHalfPixel if self.output == 1 => 0.0,
            Coordinates::PytorchHalfPixel => half,
            Coordinates::AlignCorners if output == 1.0 => 0.0,
            Coordinates::AlignCorners => o * (input - 1.0) / (output - 1.0),
            Coordinates::Asymmetric => o / self.scale,
            Coordinates::Crop => {
                let [start, end] = self.region;
                let within = if output == 1.0 {
                    (end - start) * (input - 1.0) / 2.0
                } else {
                    o * (end - start) * (input - 1.0) / (output - 1.0)
                };
                start * (input - 1.0) + within
            }
        }
    }

    /// An index, moved into the input.
    fn inside(&self, i: f64) -> usize {
        i.clamp(0.0, (self.input - 1) as f64) as usize
    }

    fn rounded(&self, x: f64, rounding: Rounding) -> usize {
        let rest = x - x.floor();
        let up = match rounding {
            Rounding::Floor => false,
            Rounding::Ceil => rest > 0.0,
            Rounding::PreferFloor => rest > 0.5,
            Rounding::PreferCeil => rest >= 0.5,
        };
        self.inside(x.floor() + f64::from(u8::from(up)))
    }

    /// The nearest element of each output.
    pub(super) fn nearest(&self, coordinates: Coordinates, rounding: Rounding) -> Vec<i32> {
        // In f32, as scales are: 3 divided by 0.6 is 5, and less in f64.
        let position = |o: usize| f64::from(self.position(coordinates, o) as f32);
        (0..self.output).map(|o| self.rounded(position(o), rounding) as i32).collect()
    }

    /// The shares (input, output), and which outputs lie outside of the input, where a crop has another number.
    pub(super) fn matrix(
        &self,
        coordinates: Coordinates,
        interpolation: Interpolation,
    ) -> (Vec<f32>, Vec<bool>) {
        let mut shares = vec![0.0; self.input * self.output];
        let mut outside = vec![false; self.output];
        for o in 0..self.output {
            let x = self.position(coordinates, o);
            outside[o] = coordinates == Coordinates::Crop && !(0.0..=(self.input - 1) as f64).contains(&x);
            if outside[o] {
                continue;
            }
            for (i, share) in self.taps(x, interpolation) {
                shares[self.inside(i) * self.output + o] += share as f32;
            }
        }
        (shares, outside)
    }

    /// The elements around a position, some of them perhaps outside of the input, and their shares.
    fn taps(&self, x: f64, interpolation: Interpolation) -> Vec<(f64, f64)> {
        let (radius, antialias, exclude): (f64, _, _) = match interpolation {
            Interpolation::Nearest(rounding) => return vec![(self.rounded(x, rounding) as f64, 1.0)],
            Interpolation::Linear { antialias } => (1.0, antialias, false),
            Interpolation::Cubic { antialias, exclude_outside, .. } => (2.0, antialias, exclude_outside),
        };
        // Where many inputs fall on one output, windows are as much wider.
        let scale = if antialias { self.scale.min(1.0) } else { 1.0 };
        let first = (-radius / scale).floor() as i64 + 1;
        let share = |distance: f64| match interpolation {
            Interpolation::Cubic { a, .. } => cubic(distance.abs(), a),
            _ => (1.0 - distance.abs()).max(0.0),
        };
        let mut taps: Vec<(f64, f64)> = (first..2 - first)
            .map(|k| (x.floor() + k as f64, share(scale * (k as f64 - (x - x.floor())))))
            .collect();
        if exclude {
            let last = (self.input - 1) as f64;
            taps.iter_mut().filter(|(i, _)| !(0.0..=last).contains(i)).for_each(|(_, share)| *share = 0.0);
        }
        if antialias || exclude {
            let sum: f64 = taps.iter().map(|(_, share)| share).sum();
            taps.iter_mut().for_each(|(_, share)| *share /= sum);
        }
        taps
    }
}

/// Keys' cubic kernel at a distance.
fn cubic(x: f64, a: f64) -> f64 {
    if x <= 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    } else {
        0.0
    }
}
