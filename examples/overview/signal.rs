//! A noisy signal, smoothed by a convolution with a bell.

use crate::charts::{Axis, BLUE, Chart, GREEN, GREY, ORANGE, Series, charts};
use crate::lab::{Lab, deviation, hash, rms};
use crate::page::{Section, percent, short};
use crate::panels::Outcome;
use plotters::prelude::SeriesLabelPosition;
use std::f64::consts::TAU;
use wgrad::ops::conv2d::Conv1dOptions;
use wgrad::{Graph, HostTensor};

const LENGTH: usize = 2048;
const SIGMA: f64 = 0.4;
/// Widths of the bells that are tried, as their standard deviation in samples.
const BELLS: [f64; 9] = [0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0, 14.0];
/// The bell that the picture shows.
const SHOWN: usize = 4;
/// Samples at each end that are left out, because a bell reaches beyond the signal there.
const BORDER: usize = 45;

pub fn run(lab: &Lab) -> Outcome<Section> {
    let signal: Vec<f64> =
        (0..LENGTH).map(|t| (TAU * t as f64 / 128.0).sin() + 0.5 * (TAU * t as f64 / 47.0).sin()).collect();
    let noise: Vec<f64> = (0..LENGTH as u32).map(|t| SIGMA * normal(t)).collect();
    let noisy: Vec<f64> = signal.iter().zip(&noise).map(|(s, e)| s + e).collect();

    let mut g = Graph::new();
    let line = |numbers: &[f64]| HostTensor::f32([1, 1, LENGTH], numbers.iter().map(|&x| x as f32).collect());
    let (measured, alone) = (g.constant(line(&noisy)?)?, g.constant(line(&noise)?)?);
    let mut outputs = Vec::new();
    for bell in BELLS.map(bell) {
        let half = bell.len() / 2;
        let taps = bell.iter().map(|&x| x as f32).collect();
        let kernel = g.constant(HostTensor::f32([1, 1, bell.len()], taps)?)?;
        for input in [measured, alone] {
            outputs.push(g.conv1d(input, kernel, None, Conv1dOptions::new().padding(half))?);
        }
    }
    let found: Vec<Vec<f64>> = lab.values(&g, &outputs)?.iter().map(HostTensor::to_f64).collect();
    let inner = BORDER..LENGTH - BORDER;
    let residual = |x: &[f64]| rms(inner.clone().map(|t| x[t] - signal[t]));
    let residuals: Vec<f64> = (0..BELLS.len()).map(|i| residual(&found[2 * i])).collect();
    let before = residual(&noisy);
    let best = (0..BELLS.len()).min_by(|&a, &b| residuals[a].total_cmp(&residuals[b])).unwrap_or(SHOWN);

    let points = |x: &[f64]| (64..448).map(|t| (t as f64, x[t])).collect::<Vec<_>>();
    charts(
        &lab.path("signal.png"),
        2,
        &[
            Chart::new(
                "A signal with noise, and smoothed",
                Axis::new("sample"),
                Axis::new("value").range(-2.6, 3.6),
                vec![
                    Series::line("with noise", GREY, points(&noisy)),
                    Series::line("smoothed", ORANGE, points(&found[2 * SHOWN])),
                    Series::line("true", BLUE, points(&signal)),
                ],
            ),
            Chart::new(
                "What is left of the noise, by the bell's width",
                Axis::new("standard deviation of the bell, in samples").log(),
                Axis::new("residual deviation").log(),
                vec![
                    Series::line("from the true signal", BLUE, line_of(&residuals)),
                    Series::line(
                        "of the noise alone, smoothed",
                        GREEN,
                        line_of(
                            &(0..BELLS.len())
                                .map(|i| deviation(&found[2 * i + 1][inner.clone()]))
                                .collect::<Vec<_>>(),
                        ),
                    ),
                ],
            )
            .legend(SeriesLabelPosition::LowerLeft),
        ],
    )?;

    let mut page = Section::new("Convolution smooths a noisy signal");
    page.text(
        "A convolution slides a small kernel <i>w</i> over a signal <i>x</i> and writes a weighted sum at each place. With \
         weights shaped like a bell that sum to one, each sample becomes an average of its neighbours, near ones counting \
         most. Noise that is independent from sample to sample averages out, and a slow signal stays.",
    );
    page.formula("y(t) = &sum;<sub>a</sub> x(t + a) w(a), &nbsp; w(a) &prop; exp(&minus;a&sup2; / 2s&sup2;), &nbsp; &sum; w = 1");
    page.figure(
        "signal.png",
        "Left: a noisy signal, smoothed, and the true one. Right: residual deviation by the width of the kernel",
        &format!(
            "Left: the bell has a deviation of {} samples. Right: narrow bells leave noise, wide ones flatten the signal.",
            BELLS[SHOWN]
        ),
    );
    page.claim(
        residuals[SHOWN] < before / 2.0,
        format!(
            "Smoothing takes away most of the noise: the deviation from the true signal falls from {} to {}, to {} of it.",
            short(before),
            short(residuals[SHOWN]),
            percent(residuals[SHOWN] / before)
        ),
    );
    let predicted = SIGMA * bell(BELLS[SHOWN]).iter().map(|w| w * w).sum::<f64>().sqrt();
    let measured = deviation(&found[2 * SHOWN + 1][inner]);
    page.claim(
        (measured / predicted - 1.0).abs() < 0.15,
        format!(
            "Independent noise shrinks by the root of &sum; w&sup2;: the noise alone, smoothed, deviates by {}; the formula \
             says {}.",
            short(measured),
            short(predicted)
        ),
    );
    page.claim(
        best > 0 && best + 1 < BELLS.len(),
        format!(
            "There is a best width between too narrow and too wide: a deviation of {} samples leaves {}; {} leaves {} and {} \
             leaves {}.",
            BELLS[best],
            short(residuals[best]),
            BELLS[0],
            short(residuals[0]),
            BELLS[BELLS.len() - 1],
            short(residuals[BELLS.len() - 1])
        ),
    );
    Ok(page)
}

fn line_of(values: &[f64]) -> Vec<(f64, f64)> {
    BELLS.iter().copied().zip(values.iter().copied()).collect()
}

/// The weights of a bell up to three deviations, with the sum one.
fn bell(width: f64) -> Vec<f64> {
    let half = (3.0 * width).ceil() as i32;
    let weights: Vec<f64> =
        (-half..=half).map(|a| (-f64::from(a * a) / (2.0 * width * width)).exp()).collect();
    let all: f64 = weights.iter().sum();
    weights.iter().map(|w| w / all).collect()
}

/// A normally distributed number, by the method of Box and Muller.
fn normal(i: u32) -> f64 {
    let (u, v) = (f64::from(hash(2 * i + 1)).max(1e-9), f64::from(hash(2 * i + 2)));
    (-2.0 * u.ln()).sqrt() * (TAU * v).cos()
}
