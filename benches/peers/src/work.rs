//! The work to compare, by name. The table of requirements (in `compare`) refers to the figures' names, which
//! are made here and in `lib.rs`.

use std::fmt;

/// A thing to measure; each runs in a process of its own.
pub struct Work {
    /// Its name on the command line.
    pub name: &'static str,
    /// The kind of work.
    pub kind: Kind,
}

/// Kinds of work.
pub enum Kind {
    /// From the program's start to the end of the first training step at batch 64.
    Start,
    /// Training the seed network with batches of this size.
    Training(usize),
    /// Its logits for batches of this size.
    Inference(usize),
    /// An operator.
    Operator {
        /// Which, and its sizes.
        operator: Operator,
        /// Name of its backward pass, if that is measured.
        backward: Option<&'static str>,
    },
}

/// An operator and its sizes.
#[derive(Clone, Copy)]
pub enum Operator {
    /// `[m, k]` times `[k, n]`.
    Matmul { m: usize, k: usize, n: usize },
    /// A square convolution without bias.
    Conv2d(Conv2d),
    /// Two by two, on `[64, 32, 14, 14]`.
    MaxPool,
    /// With the batch's statistics, on `[64, 32, 14, 14]`.
    BatchNorm,
}

/// A square convolution.
#[derive(Clone, Copy)]
pub struct Conv2d {
    pub images: usize,
    pub channels: usize,
    pub results: usize,
    pub kernel: usize,
    pub size: usize,
    pub stride: usize,
    pub padding: usize,
}

impl Conv2d {
    /// Height and width of the output.
    pub fn output_size(&self) -> usize {
        (self.size + 2 * self.padding - self.kernel) / self.stride + 1
    }
}

/// The input of pooling and batch norm: the output of the seed network's second convolution.
pub const IMAGES: [usize; 4] = [64, 32, 14, 14];

/// Contents for an operand: the same for all peers, between -0.5 and 0.5.
pub fn numbers(count: usize) -> Vec<f32> {
    let scrambled = |i: usize| (i as u32).wrapping_mul(2_654_435_761) >> 8;
    (0..count).map(|i| scrambled(i + 1) as f32 / (1 << 24) as f32 - 0.5).collect()
}

const fn matmul(name: &'static str, [m, k, n]: [usize; 3]) -> Work {
    Work { name, kind: Kind::Operator { operator: Operator::Matmul { m, k, n }, backward: None } }
}

const fn conv2d(name: &'static str, conv: Conv2d) -> Work {
    let backward = Some("both gradients");
    Work { name, kind: Kind::Operator { operator: Operator::Conv2d(conv), backward } }
}

const fn on_images(name: &'static str, operator: Operator) -> Work {
    Work { name, kind: Kind::Operator { operator, backward: Some("backward") } }
}

/// All work.
pub const ALL: &[Work] = &[
    Work { name: "train64", kind: Kind::Training(64) },
    Work { name: "train256", kind: Kind::Training(256) },
    Work { name: "infer256", kind: Kind::Inference(256) },
    conv2d(
        "conv1-8",
        Conv2d { images: 64, channels: 1, results: 8, kernel: 3, size: 28, stride: 1, padding: 1 },
    ),
    conv2d(
        "conv8-32",
        Conv2d { images: 64, channels: 8, results: 32, kernel: 5, size: 14, stride: 1, padding: 2 },
    ),
    conv2d(
        "conv64-64",
        Conv2d { images: 8, channels: 64, results: 64, kernel: 3, size: 56, stride: 1, padding: 1 },
    ),
    conv2d(
        "conv3-64",
        Conv2d { images: 2, channels: 3, results: 64, kernel: 7, size: 224, stride: 2, padding: 3 },
    ),
    matmul("matmul512", [512, 512, 512]),
    matmul("matmul1024", [1024, 1024, 1024]),
    matmul("matmul64", [64, 1568, 600]),
    on_images("maxpool", Operator::MaxPool),
    on_images("batchnorm", Operator::BatchNorm),
    Work { name: "start", kind: Kind::Start },
];

impl Operator {
    /// The unit of its rate, and the 10^9 floating-point operations or nominal bytes of its forward pass and
    /// of all its gradients.
    pub fn giga(&self) -> (&'static str, [f64; 2]) {
        let tensor = 4.0 * IMAGES.iter().product::<usize>() as f64;
        let (unit, work) = match *self {
            Operator::Matmul { m, k, n } => ("GFLOP/s", [2.0 * (m * k * n) as f64, 0.0]),
            Operator::Conv2d(conv) => {
                let outputs = conv.images * conv.results * conv.output_size().pow(2);
                let pass = 2.0 * (outputs * conv.channels * conv.kernel.pow(2)) as f64;
                ("GFLOP/s", [pass, 2.0 * pass])
            }
            // Forward the input and a quarter of it as output; backward that quarter twice (the
            // gradient, and which elements won) and the input's gradient.
            Operator::MaxPool => ("GB/s", [1.25 * tensor, 1.5 * tensor]),
            // The input twice (statistics, then normalising) and the output; backward input and
            // gradient twice, and the input's gradient.
            Operator::BatchNorm => ("GB/s", [3.0 * tensor, 5.0 * tensor]),
        };
        (unit, work.map(|w| w / 1e9))
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operator::Matmul { m, k, n } => write!(f, "matmul {m} x {k} x {n}"),
            Operator::Conv2d(Conv2d { images, channels, results, kernel, size, stride, .. }) => {
                write!(f, "conv2d {channels}-{results} {kernel}x{kernel}")?;
                if *stride != 1 {
                    write!(f, " stride {stride}")?;
                }
                write!(f, " on {images} x {size}x{size}")
            }
            Operator::MaxPool => write!(f, "max pool"),
            Operator::BatchNorm => write!(f, "batch norm"),
        }
    }
}
