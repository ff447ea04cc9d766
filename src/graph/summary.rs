//! A network's summary: its layers' outputs, parameters, multiply-adds and bytes, as data and as a table.
//!
//! Everything is counted from the graph, before a plan fuses nodes or places anything in memory.

use super::{Graph, Source, Value};
use crate::error::Result;
use crate::file::printable;
use crate::tensor::Shape;
use std::collections::BTreeSet;
use std::fmt;

/// One node in [`Graph::summary`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SummaryRow {
    /// The node's name, which is its layer's.
    pub layer: String,
    /// The operator's name.
    pub operator: &'static str,
    /// Shape of the first output.
    pub shape: Shape,
    /// Parameter elements that it reads and no earlier node does.
    pub parameters: u64,
    /// Multiply-adds of a product or convolution; zero for other operators.
    pub multiply_adds: u64,
    /// Bytes of all outputs. Views and updates in place count as zero.
    pub bytes: u64,
}

/// The nodes behind a value, with their costs. Its `Display` is a table.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Summary {
    /// The nodes, in order.
    pub rows: Vec<SummaryRow>,
    /// Elements of state, such as running statistics, that the nodes read.
    pub state: u64,
}

impl Summary {
    /// Elements of all parameters. Shared ones count once.
    pub fn parameters(&self) -> u64 {
        self.rows.iter().map(|row| row.parameters).sum()
    }

    /// Multiply-adds of all products and convolutions.
    pub fn multiply_adds(&self) -> u64 {
        self.rows.iter().map(|row| row.multiply_adds).sum()
    }

    /// Bytes that all nodes write. A plan needs less: values share memory, and some are never written.
    pub fn bytes(&self) -> u64 {
        self.rows.iter().map(|row| row.bytes).sum()
    }
}

impl Graph {
    /// Summarises the nodes that `output` depends on. For logits this is the network, whatever else the graph holds.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::nn::{self, Layer};
    /// use wgrad::{Graph, Mode};
    ///
    /// let mut g = Graph::new();
    /// let images = g.input("images", [1, 3, 224, 224])?;
    /// let logits = nn::models::resnet18(3, 1000).forward(&mut g, images, Mode::Eval)?;
    /// let summary = g.summary(logits)?;
    /// assert_eq!(summary.parameters(), 11_689_512);
    /// println!("{summary}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A value of another graph.
    pub fn summary(&self, output: Value) -> Result<Summary> {
        let mut seen = BTreeSet::new();
        let origins = self.origins();
        let mut summary = Summary { rows: Vec::new(), state: 0 };
        for node in self.nodes_behind(output)? {
            let node = self.node_at(node);
            let mut parameters = 0;
            for &input in &node.inputs {
                let input = origins.of(input);
                let info = &self.values[input];
                let elements = info.ty.shape.elements() as u64;
                match info.source {
                    Source::Parameter(_) if seen.insert(input) => parameters += elements,
                    Source::State { .. } if seen.insert(input) => summary.state += elements,
                    _ => {}
                }
            }
            let types: Vec<_> = node.inputs.iter().map(|&v| &self.info(v).ty).collect();
            let own = node.outputs.iter().filter(|&&v| self.storage(v) == v);
            summary.rows.push(SummaryRow {
                layer: node.name.clone(),
                operator: node.operator.name(),
                shape: self.shape_of(node.outputs[0]).clone(),
                parameters,
                multiply_adds: node.operator.multiply_adds(&types),
                bytes: own.map(|&v| self.info(v).ty.bytes()).sum(),
            });
        }
        Ok(summary)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines =
            vec![["layer", "operator", "output", "parameters", "multiply-adds", "bytes"].map(String::from)];
        lines.extend(self.rows.iter().map(|row| {
            [
                printable(&row.layer),
                row.operator.to_owned(),
                row.shape.to_string(),
                row.parameters.to_string(),
                row.multiply_adds.to_string(),
                row.bytes.to_string(),
            ]
        }));
        lines.push([
            "total".into(),
            String::new(),
            String::new(),
            self.parameters().to_string(),
            self.multiply_adds().to_string(),
            self.bytes().to_string(),
        ]);
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let [layer, operator, output, parameters, multiply_adds, bytes] = std::array::from_fn(width);
        for [a, b, c, d, e, g] in &lines {
            writeln!(
                f,
                "{a:<layer$}  {b:<operator$}  {c:<output$}  {d:>parameters$}  {e:>multiply_adds$}  {g:>bytes$}"
            )?;
        }
        let (parameters, state) = (4 * self.parameters(), 4 * self.state);
        writeln!(f, "parameters take {parameters} bytes, state {state}")
    }
}
