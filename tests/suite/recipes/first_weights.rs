//! Initial weights: moments, bounds, orthogonality.

use crate::harness::{device, numbers};
use wgrad::graph::{Fan, Init, Nonlinearity};
use wgrad::nn::{self, Layer};
use wgrad::{Graph, Mode, Plan, Result, Session, Shape, Weights};

/// First contents of a tensor.
fn first(name: &str, shape: impl Into<Shape>, init: Init, seed: u64) -> Result<Vec<f64>> {
    let mut graph = Graph::new();
    graph.parameter(name, shape, init)?;
    Ok(Weights::init(device(), &graph, seed)?.read(name)?.to_f64())
}

/// Mean, standard deviation, skewness, kurtosis, smallest and largest.
fn moments(data: &[f64]) -> [f64; 6] {
    let mean_of = |f: &dyn Fn(f64) -> f64| data.iter().map(|&x| f(x)).sum::<f64>() / data.len() as f64;
    let mean = mean_of(&|x| x);
    let std = mean_of(&|x| (x - mean).powi(2)).sqrt();
    let standard = |power: i32| mean_of(&|x| ((x - mean) / std).powi(power));
    let [low, high] = [f64::min, f64::max].map(|f| data.iter().copied().reduce(f).expect("there is data"));
    [mean, std, standard(3), standard(4), low, high]
}

#[test]
fn first_weights_have_the_moments_they_should() -> Result<()> {
    // Of 48 outputs, 24 inputs of a group, windows of 3 x 5: fan in 360, fan out 720.
    const SHAPE: [usize; 4] = [48, 24, 3, 5];
    let normal = |std: f64| [0.0, std, 0.0, 3.0];
    let uniform = |std: f64| [0.0, std, 0.0, 1.8];
    let relu = f64::sqrt(2.0);
    let leaky = Nonlinearity::LeakyRelu(0.5);
    let cases = [
        (Init::Normal { mean: 0.5, std: 0.1 }, [0.5, 0.1, 0.0, 3.0]),
        (Init::kaiming_normal(Fan::In, Nonlinearity::Relu), normal(relu / f64::sqrt(360.0))),
        (Init::kaiming_normal(Fan::Out, Nonlinearity::Tanh), normal(5.0 / 3.0 / f64::sqrt(720.0))),
        (Init::kaiming_uniform(Fan::In, leaky), uniform(f64::sqrt(1.6 / 360.0))),
        (Init::kaiming_uniform(Fan::Out, Nonlinearity::Selu), uniform(0.75 / f64::sqrt(720.0))),
        (Init::xavier_uniform(2.0), uniform(2.0 * f64::sqrt(2.0 / 1080.0))),
        (Init::xavier_normal(1.0), normal(f64::sqrt(2.0 / 1080.0))),
    ];
    for (init, [mean, std, skewness, kurtosis]) in cases {
        let [found_mean, found_std, found_skewness, found_kurtosis, low, high] =
            moments(&first("weight", SHAPE, init.clone(), 3)?);
        // 17,280 numbers: four standard errors of each.
        assert!((found_mean - mean).abs() < 0.03 * std, "{init:?}: mean {found_mean}");
        assert!((found_std / std - 1.0).abs() < 0.022, "{init:?}: deviation {found_std}, not {std}");
        assert!((found_skewness - skewness).abs() < 0.075, "{init:?}: skewness {found_skewness}");
        assert!((found_kurtosis - kurtosis).abs() < 0.15, "{init:?}: kurtosis {found_kurtosis}");
        if kurtosis == 1.8 {
            let bound = f64::sqrt(3.0) * std * (1.0 + 1e-6);
            assert!(low >= -bound && low < -0.99 * bound && high <= bound && high > 0.99 * bound);
        }
    }
    // The default of linear layers, as PyTorch states it.
    let stated = Init::kaiming_uniform(Fan::In, Nonlinearity::LeakyRelu(f64::sqrt(5.0)));
    let bound = Init::Uniform((1.0 / f64::sqrt(360.0)) as f32);
    let (stated, bound) = (first("weight", SHAPE, stated, 3)?, first("weight", SHAPE, bound, 3)?);
    assert!(stated.iter().zip(&bound).all(|(a, b)| (a - b).abs() < 1e-8));
    Ok(())
}

#[test]
fn truncated_normal_numbers_stay_within_their_range() -> Result<()> {
    // Means of standard normal numbers between a and b are (density(a) - density(b)) / (P(b) - P(a)): those
    // below are from tables.
    for (low, high, mean) in [
        (-2.0, 2.0, 0.0),
        (-1e6, 1e6, 0.0),
        (-0.5, 1.0, (0.352_065 - 0.241_971) / (0.841_345 - 0.308_538)),
        (0.0, 1e6, 0.797_885),
        (2.0, 1e6, 0.053_991 / 0.022_750),
        (2.0, 2.1, (0.053_991 - 0.043_984) / (0.982_136 - 0.977_250)),
        (-1e6, -3.0, -0.004_431_848 / 0.001_349_898),
        // Far out: a + 1 / a - 2 / a^3.
        (50.0, 1e6, 50.0 + 1.0 / 50.0),
    ] {
        for (shift, std) in [(0.0, 1.0), (3.0, 0.5)] {
            let (low, high, mean) = (shift + std * low, shift + std * high, shift + std * mean);
            let init = Init::TruncatedNormal { mean: shift, std, low, high };
            let [found, _, _, _, least, most] = moments(&first("weight", [20_000], init, 5)?);
            assert!(least >= low && most <= high, "{low} to {high}: found {least} to {most}");
            assert!((found - mean).abs() < 0.03 * std, "{low} to {high}: mean {found}, not {mean}");
        }
    }
    // Where nothing is left to chance, and where the range is all but impossible.
    for (mean, std, low, high, expected) in [
        (0.0, 0.0, -1.0, 2.0, 0.0),
        (5.0, 0.0, -1.0, 2.0, 2.0),
        (0.0, 1e-300, 1.0, 2.0, 1.0),
        (9.0, 1e-9, 1.0, 2.0, 2.0),
    ] {
        let found = first("weight", [3], Init::TruncatedNormal { mean, std, low, high }, 5)?;
        assert_eq!(found, [expected; 3], "{mean} {std} {low} {high}");
    }
    Ok(())
}

#[test]
fn orthogonal_rows_or_columns_are_at_right_angles() -> Result<()> {
    for shape in [vec![7, 3, 3, 2], vec![19, 3, 2], vec![13, 13], vec![1, 5], vec![5, 1], vec![1, 1]] {
        let data = first("weight", shape.clone(), Init::Orthogonal { gain: 1.5 }, 7)?;
        let (rows, columns) = (shape[0], data.len() / shape[0]);
        let vector = |i: usize| -> Vec<f64> {
            if rows <= columns {
                data[i * columns..][..columns].to_vec()
            } else {
                data[i..].iter().step_by(columns).copied().collect()
            }
        };
        for i in 0..rows.min(columns) {
            for j in 0..=i {
                let product: f64 = vector(i).iter().zip(vector(j)).map(|(x, y)| x * y).sum();
                let expected = if i == j { 1.5 * 1.5 } else { 0.0 };
                assert!((product - expected).abs() < 1e-6, "{shape:?}: {i} by {j} is {product}");
            }
        }
    }
    // Neither sign is likelier, on the diagonal either: that of R being positive.
    let mut sum = 0.0;
    for seed in 0..50 {
        let data = first("weight", [8, 8], Init::Orthogonal { gain: 1.0 }, seed)?;
        sum += (0..8).map(|i| data[9 * i].signum()).sum::<f64>();
    }
    assert!(sum.abs() < 80.0, "of 400 signs {sum} more are positive");
    Ok(())
}

/// Against the definition of PyTorch's `dirac_`, and airbench's use of it on the first rows.
#[test]
fn dirac_filters_hand_on_their_inputs() -> Result<()> {
    let usual = Init::Normal { mean: 0.0, std: 1.0 };
    // More outputs than inputs, fewer, windows of one and of even sizes, one dimension and two.
    for shape in [vec![5, 3, 3, 3], vec![2, 4, 1, 5], vec![3, 3, 2, 4], vec![4, 4, 1, 1], vec![7, 2, 5]] {
        let [outputs, inputs] = [shape[0], shape[1]];
        let taps: usize = shape[2..].iter().product();
        let centre = if shape.len() == 3 { shape[2] / 2 } else { shape[2] / 2 * shape[3] + shape[3] / 2 };
        let plain = first("weight", shape.clone(), usual.clone(), 3)?;
        let mixed = first("weight", shape.clone(), Init::Dirac { rest: Box::new(usual.clone()) }, 3)?;
        let zeros = first("weight", shape.clone(), Init::dirac(), 3)?;
        for at in 0..outputs * inputs * taps {
            let (output, input, tap) = (at / taps / inputs, at / taps % inputs, at % taps);
            let one = f64::from(u8::from(output == input && tap == centre));
            let past = output >= inputs;
            assert_eq!(zeros[at], if past { 0.0 } else { one }, "{shape:?} at {at}");
            assert_eq!(mixed[at], if past { plain[at] } else { one }, "{shape:?} at {at}");
        }
    }
    // So a padded convolution returns its input.
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 3, 4, 5])?;
    let y = nn::Conv2d::new(3, 3, [3, 3]).padding([1, 1]).bias(false).init(Init::dirac());
    let y = y.forward(&mut graph, x, Mode::Eval)?;
    let weights = Weights::init(device(), &graph, 0)?;
    let mut session = Session::new(device(), Plan::new(&graph, &[y], device().caps())?, &weights)?;
    let given = numbers([2, 3, 4, 5], 1);
    session.write(x, &given)?;
    session.step()?;
    assert_eq!(session.read(y)?.data, given.data);
    Ok(())
}

#[test]
fn first_weights_follow_from_seed_and_name() -> Result<()> {
    let inits = [
        Init::Uniform(1.0),
        Init::Normal { mean: 0.0, std: 1.0 },
        Init::TruncatedNormal { mean: 0.0, std: 1.0, low: -2.0, high: 2.0 },
        Init::Orthogonal { gain: 1.0 },
        Init::xavier_normal(1.0),
    ];
    for init in inits {
        let of = |name, seed| first(name, [5, 6], init.clone(), seed);
        assert_eq!(of("a", 1)?, of("a", 1)?);
        assert_ne!(of("a", 1)?, of("b", 1)?);
        assert_ne!(of("a", 1)?, of("a", 2)?);
        assert!(of("a", 1)?.iter().all(|x| x.is_finite()));
    }
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 30])?;
    let layer = nn::Linear::new(30, 20).init(Init::Orthogonal { gain: 1.0 });
    graph.scoped("fc", |graph| layer.forward(graph, x, Mode::Train))?;
    let weight = Weights::init(device(), &graph, 9)?.read("fc.weight")?.to_f64();
    assert_eq!(weight, first("fc.weight", [20, 30], Init::Orthogonal { gain: 1.0 }, 9)?);
    // The windows of grouped convolutions.
    let init = Init::xavier_uniform(1.0);
    let layers: [(usize, Box<dyn Layer>); 2] = [
        (6, Box::new(nn::Conv2d::new(6, 4, [3, 2]).groups(2).init(init.clone()))),
        (4, Box::new(nn::ConvTranspose2d::new(4, 6, [3, 2]).groups(2).init(init.clone()))),
    ];
    for (channels, layer) in layers {
        let mut graph = Graph::new();
        let x = graph.input("x", [1, channels, 5, 5])?;
        layer.forward(&mut graph, x, Mode::Train)?;
        let weight = Weights::init(device(), &graph, 9)?.read("weight")?.to_f64();
        assert_eq!(weight, first("weight", [4, 3, 3, 2], init.clone(), 9)?);
    }
    Ok(())
}

#[test]
fn mistakes_in_first_weights_are_named() {
    let text = |shape: &[usize], init: Init| {
        Graph::new().parameter("w", shape, init).expect_err("this is a mistake").to_string()
    };
    assert_eq!(
        text(&[3], Init::xavier_normal(1.0)),
        "parameter \"w\": fan in and fan out can not be computed for a tensor with fewer than 2 dimensions, found [3]"
    );
    assert_eq!(
        text(&[], Init::Orthogonal { gain: 1.0 }),
        "parameter \"w\": only tensors with 2 or more dimensions can be orthogonal, found []"
    );
    let error = text(&[3], Init::Normal { mean: 0.0, std: -1.0 });
    assert_eq!(error, "parameter \"w\": std must be at least 0 and finite, found -1");
    let error = text(&[3], Init::TruncatedNormal { mean: 0.0, std: 1.0, low: 2.0, high: 2.0 });
    assert_eq!(error, "parameter \"w\": high must be above low, which is 2, and finite, found 2");
    let error = text(&[3, 3], Init::kaiming_normal(Fan::In, Nonlinearity::LeakyRelu(f64::NAN)));
    assert_eq!(error, "parameter \"w\": gain must be at least 0 and finite, found NaN");
    assert_eq!(
        text(&[3, 3], Init::dirac()),
        "parameter \"w\": dirac is for weights [outputs, inputs, taps ...], found [3, 3]"
    );
    let error = text(&[3, 3, 3], Init::Dirac { rest: Box::new(Init::Copy("v".into())) });
    assert!(error.contains("the rest of dirac must have values of its own"), "{error}");
    let error = text(&[3, 3, 3], Init::Dirac { rest: Box::new(Init::Normal { mean: 0.0, std: -1.0 }) });
    assert!(error.contains("std must be at least 0"), "{error}");
    let mut graph = Graph::new();
    graph.parameter("w", [3], Init::Copy("v".into())).expect("what is copied may come later");
    let error = Weights::init(device(), &graph, 0).expect_err("nothing is there to copy").to_string();
    assert!(error.contains("\"w\" is to start as a copy of \"v\", which is no parameter f32[3]"), "{error}");
}
