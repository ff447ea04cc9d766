//! Prints a profile as a table: nodes in the step's order, then operators by time.

use super::{Bound, Clock, Profile, ProfiledNode};
use crate::file::printable;
use std::collections::BTreeMap;
use std::fmt;

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.seconds().max(1e-12);
        writeln!(f, "profile: medians of {} steps on {}", self.steps(), self.adapter)?;
        writeln!(f, "clock: {}", self.clock)?;
        writeln!(
            f,
            "measured peaks: {:.1} GFLOP/s in multiply-adds, {:.1} GB/s in copying",
            self.peaks.flops_per_second / 1e9,
            self.peaks.bytes_per_second / 1e9
        )?;
        let names: Vec<String> = self.nodes.iter().map(|node| printable(&node.node)).collect();
        let width = |of: fn(&ProfiledNode) -> &str, least: usize| {
            self.nodes.iter().map(|node| of(node).chars().count()).max().unwrap_or(0).max(least)
        };
        let name = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(4);
        let (operator, variant) = (width(|n| n.operator, 8), width(|n| n.variant, 7));
        writeln!(
            f,
            "{:<name$}  {:<operator$}  {:<variant$}  {:>9}  {:>6}  {:>4}  {:>8}  {:>7}  {:>14}",
            "node", "operator", "variant", "us", "share", "rank", "GFLOP/s", "GB/s", "of peak"
        )?;
        let ranks = self.ranks();
        for ((node, shown), rank) in self.nodes.iter().zip(&names).zip(ranks) {
            let seconds = node.seconds.max(1e-9);
            let (share, bound) = node.share_of_peak(&self.peaks);
            writeln!(
                f,
                "{:<name$}  {:<operator$}  {:<variant$}  {:>9.1}  {:>4.1} %  {rank:>4}  {:>8.2}  {:>7.2}  {:>5.1} % {bound:<7}",
                shown,
                node.operator,
                node.variant,
                1e6 * node.seconds,
                100.0 * node.seconds / total,
                node.flops as f64 / seconds / 1e9,
                node.traffic.total() as f64 / seconds / 1e9,
                100.0 * share,
            )?;
            // A single dispatch would repeat the node's line.
            for dispatch in node.dispatches.iter().filter(|_| node.dispatches.len() > 1) {
                let [x, y, z] = dispatch.workgroups;
                writeln!(
                    f,
                    "  {:<1$}  {2:>9.1}  {3:>4.1} %",
                    format!("{} [{x} {y} {z}]", dispatch.kernel),
                    name + operator + variant + 2,
                    1e6 * dispatch.seconds,
                    100.0 * dispatch.seconds / total,
                )?;
            }
        }
        self.totals(f, total)
    }
}

impl Profile {
    /// Each node's rank by time; 1 is the slowest.
    fn ranks(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        order.sort_by(|&a, &b| self.nodes[b].seconds.total_cmp(&self.nodes[a].seconds));
        let mut ranks = vec![0; order.len()];
        for (rank, node) in order.into_iter().enumerate() {
            ranks[node] = rank + 1;
        }
        ranks
    }

    /// Operators by time, and the sum.
    fn totals(&self, f: &mut fmt::Formatter<'_>, total: f64) -> fmt::Result {
        let mut by_operator: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
        for node in &self.nodes {
            let entry = by_operator.entry(node.operator).or_default();
            *entry = (entry.0 + 1, entry.1 + node.seconds);
        }
        let mut operators: Vec<_> = by_operator.into_iter().collect();
        operators.sort_by(|a, b| b.1.1.total_cmp(&a.1.1));
        writeln!(f, "by operator:")?;
        for (operator, (nodes, seconds)) in operators {
            let share = 100.0 * seconds / total;
            writeln!(f, "  {operator:<28} {nodes:>3} nodes  {:>9.1} us  {share:>4.1} %", 1e6 * seconds)?;
        }
        let flops: u64 = self.nodes.iter().map(|node| node.flops).sum();
        let bytes: u64 = self.nodes.iter().map(|node| node.traffic.total()).sum();
        let least: u64 = self.nodes.iter().map(|node| node.traffic.least()).sum();
        writeln!(
            f,
            "all nodes: {:.1} us, {:.2} GFLOP at {:.2} GFLOP/s, {:.1} MB at {:.2} GB/s ({:.1} MB at the least)",
            1e6 * total,
            flops as f64 / 1e9,
            flops as f64 / total / 1e9,
            bytes as f64 / 1e6,
            bytes as f64 / total / 1e9,
            least as f64 / 1e6
        )
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Clock::Timestamps => f.write_str("the device's timestamps around each dispatch"),
            Clock::Wall { overhead } => write!(
                f,
                "the processor's, a submission for each dispatch; an empty one takes {:.1} us, which every time has in it",
                1e6 * overhead
            ),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Bound::Compute => "compute",
            Bound::Memory => "memory",
        })
    }
}
