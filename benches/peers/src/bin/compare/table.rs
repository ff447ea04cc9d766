//! Collects readings by figure and prints them as a table.

use crate::runs::{Peer, Said};
use std::fmt;
use wgrad_peers::median;

/// wgrad's requirement.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Required {
    /// At least this many times burn's.
    Times(f64),
    /// At most this part of burn's.
    Part(f64),
    /// At most this, whatever burn's is.
    AtMost(f64),
    Nothing,
}

/// Requirements by the start of a figure's name.
const REQUIRED: &[(&str, Required)] = &[
    ("training", Required::Times(5.0)),
    ("peak resident memory", Required::Part(1.0 / 3.0)),
    ("inference", Required::Times(4.0)),
    ("conv2d", Required::Times(5.0)),
    ("matmul", Required::Times(2.2)),
    ("max pool", Required::Times(5.0)),
    ("batch norm", Required::Times(5.0)),
    ("first step, nothing cached", Required::AtMost(3.0)),
    ("crates compiled", Required::AtMost(169.0)),
    ("clean release build", Required::Part(0.25)),
];

impl Required {
    fn of(figure: &str) -> Required {
        let row = REQUIRED.iter().find(|(start, _)| figure.starts_with(start));
        row.map_or(Required::Nothing, |&(_, required)| required)
    }

    fn met(self, wgrad: f64, ratio: f64) -> Option<bool> {
        match self {
            Required::Times(least) => Some(ratio >= least),
            Required::Part(most) => Some(ratio <= most),
            Required::AtMost(most) => Some(wgrad <= most),
            Required::Nothing => None,
        }
    }
}

impl fmt::Display for Required {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Required::Times(least) => write!(f, "at least {least} x"),
            Required::Part(most) => write!(f, "at most {most:.2} x"),
            Required::AtMost(most) => write!(f, "at most {most} itself"),
            Required::Nothing => Ok(()),
        }
    }
}

/// A figure with the readings of each turn.
struct Row {
    figure: String,
    unit: String,
    wgrad: Vec<f64>,
    burn: Vec<f64>,
}

/// All readings.
#[derive(Default)]
pub struct Table {
    adapters: Vec<(Peer, String)>,
    rows: Vec<Row>,
}

impl Table {
    /// Adds a peer's output of one turn.
    pub fn add(&mut self, said: Said) {
        if let Some(adapter) = said.adapter
            && !self.adapters.contains(&(said.peer, adapter.clone()))
        {
            self.adapters.push((said.peer, adapter));
        }
        for reading in said.figures {
            let at = self.rows.iter().position(|row| row.figure == reading.figure);
            let at = at.unwrap_or_else(|| {
                let (figure, unit) = (reading.figure.clone(), reading.unit.clone());
                self.rows.push(Row { figure, unit, wgrad: Vec::new(), burn: Vec::new() });
                self.rows.len() - 1
            });
            match said.peer {
                Peer::Wgrad => self.rows[at].wgrad.push(reading.value),
                Peer::Burn => self.rows[at].burn.push(reading.value),
            }
        }
    }
}

/// The median of the turns and, where there are several, the least and the most.
struct Spread<'v>(&'v [f64]);

impl fmt::Display for Spread<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Digits(median(self.0)))?;
        if let [_, _, ..] = self.0 {
            let fold = |of: fn(f64, f64) -> f64| self.0.iter().copied().fold(self.0[0], of);
            write!(f, " ({} .. {})", Digits(fold(f64::min)), Digits(fold(f64::max)))?;
        }
        Ok(())
    }
}

/// A number with about three digits.
struct Digits(f64);

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = match self.0.abs() {
            x if x >= 100.0 => 0,
            x if x >= 10.0 => 1,
            _ => 2,
        };
        write!(f, "{:.places$}", self.0)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (peer, adapter) in &self.adapters {
            writeln!(f, "{}: {adapter}  ", peer.name())?;
        }
        writeln!(f, "\nMedians of the turns, in brackets the least and the most of them.\n")?;
        writeln!(f, "| work | unit | wgrad | burn | ratio | required | met |")?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for Row { figure, unit, wgrad, burn } in &self.rows {
            let ratios: Vec<f64> = wgrad.iter().zip(burn).map(|(w, b)| w / b).collect();
            let required = Required::of(figure);
            let met = match required.met(median(wgrad), median(&ratios)) {
                Some(true) => "yes",
                Some(false) => "no",
                None => "",
            };
            let [w, b, r] = [Spread(wgrad), Spread(burn), Spread(&ratios)];
            writeln!(f, "| {figure} | {unit} | {w} | {b} | {r} | {required} | {met} |")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::Reading;

    fn said(peer: Peer, figure: &str, unit: &str, value: f64) -> Said {
        let figures = vec![Reading { figure: figure.into(), unit: unit.into(), value }];
        Said { peer, adapter: Some("llvmpipe".into()), figures }
    }

    #[test]
    fn turns_become_medians_ratios_and_a_verdict() {
        let mut table = Table::default();
        for (wgrad, burn) in [(1000.0, 250.0), (1400.0, 200.0), (1200.0, 240.0)] {
            table.add(said(Peer::Wgrad, "training, batch 64", "images/s", wgrad));
            table.add(said(Peer::Burn, "training, batch 64", "images/s", burn));
        }
        table.add(said(Peer::Wgrad, "peak resident memory, training, batch 64", "MB", 200.0));
        table.add(said(Peer::Burn, "peak resident memory, training, batch 64", "MB", 500.0));
        let text = table.to_string();
        let rows: Vec<&str> = text.lines().filter(|line| line.contains("batch")).collect();
        assert_eq!(
            rows,
            [
                "| training, batch 64 | images/s | 1200 (1000 .. 1400) | 240 (200 .. 250) | 5.00 (4.00 .. 7.00) | at least 5 x | yes |",
                "| peak resident memory, training, batch 64 | MB | 200 | 500 | 0.40 | at most 0.33 x | no |",
            ]
        );
    }
}
