//! Finds the loops in a kernel's assembly and counts the instructions they issue.

use std::collections::BTreeSet;

/// The instructions of a loop, by class. Waits and hints to the scheduler issue nothing.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Mix {
    /// Multiply-adds; a pair that issues as one counts once.
    pub fma: usize,
    /// Of those, pairs.
    pub dual: usize,
    /// Products of matrices (WMMA).
    pub matrix: usize,
    /// All issued instructions.
    pub issued: usize,
    /// Loads from workgroup memory by bits: each width that occurs, widest first.
    pub workgroup_loads: Vec<u32>,
    /// Loads and stores of device memory.
    pub memory: usize,
    /// Instructions that the enclosing loop issues in each of its rounds, without this loop; 0 without an
    /// enclosing loop.
    pub around: usize,
}

impl Mix {
    /// Share of multiply-adds among the instructions issued, or of products of matrices if there are any.
    pub fn share(&self) -> f64 {
        let counted = if self.matrix > 0 { self.matrix } else { self.fma };
        counted as f64 / self.issued.max(1) as f64
    }
}

/// The innermost loop with the most products of matrices, or if there are none, multiply-adds.
pub fn hottest(assembly: &str) -> Option<Mix> {
    let lines: Vec<&str> = assembly.lines().map(str::trim).collect();
    let spans = loops(&lines);
    let innermost = spans.iter().filter(|&&(start, end)| {
        !spans.iter().any(|&(s, e)| (s, e) != (start, end) && start <= s && e <= end)
    });
    let hottest = innermost.map(|&span| (span, mix(&lines[span.0..=span.1])));
    let ((start, end), mut hottest) = hottest.max_by_key(|(_, mix)| (mix.matrix, mix.fma + mix.dual))?;
    let around = spans.iter().filter(|&&(s, e)| (s, e) != (start, end) && s <= start && end <= e);
    if let Some(&(s, e)) = around.min_by_key(|&&(s, e)| e - s) {
        hottest.around = mix(&lines[s..=e]).issued - hottest.issued;
    }
    Some(hottest)
}

/// First and last line of every loop: from a label to the last branch back to it.
fn loops(lines: &[&str]) -> Vec<(usize, usize)> {
    let label = |line: &str| line.strip_suffix(':').filter(|l| l.starts_with("BB")).map(str::to_owned);
    let labels: Vec<(String, usize)> =
        lines.iter().enumerate().filter_map(|(i, line)| Some((label(line)?, i))).collect();
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let mut words = line.split_whitespace();
        let (Some(operation), Some(target)) = (words.next(), words.next()) else { continue };
        if !operation.starts_with("s_cbranch") && operation != "s_branch" {
            continue;
        }
        let Some(&(_, start)) = labels.iter().find(|(name, at)| name == target && *at <= i) else { continue };
        match spans.iter_mut().find(|span| span.0 == start) {
            Some(span) => span.1 = i,
            None => spans.push((start, i)),
        }
    }
    spans
}

fn mix(lines: &[&str]) -> Mix {
    let mut mix = Mix::default();
    let mut widths = BTreeSet::new();
    for line in lines {
        let Some(operation) = line.split_whitespace().next() else { continue };
        let silent = ["s_waitcnt", "s_delay_alu", "s_clause", "s_nop", "s_code_end"];
        if operation.ends_with(':')
            || operation.starts_with(';')
            || silent.iter().any(|s| operation.starts_with(s))
        {
            continue;
        }
        mix.issued += 1;
        let multiply_adds = ["v_fma", "v_fmac", "v_pk_fma", "v_dual_fma"];
        if operation.starts_with("v_wmma") {
            mix.matrix += 1;
        } else if line.contains("v_dual_") {
            // Two operations in one line, separated by "::". The pair counts if both multiply and add.
            let both = line.matches("v_dual_fma").count() >= 2;
            mix.fma += usize::from(both);
            mix.dual += usize::from(both);
        } else if multiply_adds.iter().any(|m| operation.starts_with(m)) {
            mix.fma += 1;
        } else if operation.starts_with("ds_load") || operation.starts_with("ds_read") {
            widths.insert(width(operation));
        } else if ["buffer_", "global_", "flat_", "scratch_"].iter().any(|m| operation.starts_with(m)) {
            mix.memory += 1;
        }
    }
    mix.workgroup_loads = widths.into_iter().rev().collect();
    mix
}

/// Bits that one invocation gets from a load of workgroup memory. `ds_read2_b32` loads two words.
fn width(operation: &str) -> u32 {
    let bits = operation.rsplit_once("_b").and_then(|(_, bits)| bits.parse().ok()).unwrap_or(32);
    let two = operation.contains("read2") || operation.contains("load_2addr");
    if two { 2 * bits } else { bits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_loop_with_the_most_multiply_adds_is_counted() {
        let text = "
            BB0:
              v_mov_b32 v0, 0
            BB1:
              s_barrier
            BB2:
              ds_read_b128 v[0:3], v9
              s_waitcnt lgkmcnt(0)
              v_fmac_f32_e32 v4, v0, v1
              v_fma_f32 v5, v0, v1, v2
              s_add_i32 s0, s0, 1
              s_cbranch_scc1 BB2
              v_add_u32 v1, v1, v2
              s_branch BB1
            BB3:
              v_mov_b32 v1, 0
              s_cbranch_scc0 BB3
        ";
        let mix = hottest(text).expect("there are loops");
        assert_eq!((mix.fma, mix.issued, mix.memory, mix.around), (2, 5, 0, 3));
        assert_eq!(mix.workgroup_loads, [128]);
        assert!((mix.share() - 0.4).abs() < 1e-12);
    }

    #[test]
    fn a_pair_that_issues_as_one_counts_once() {
        let text = "
            BB1:
              v_dual_fmac_f32 v4, v0, v1 :: v_dual_fmac_f32 v5, v2, v3
              v_dual_mov_b32 v4, v0 :: v_dual_fmac_f32 v5, v2, v3
              s_delay_alu instid0(VALU_DEP_1)
              v_fmac_f32_e32 v4, v0, v1
              ds_load_2addr_b64 v[0:3], v9 offset1:1
              s_cbranch_scc1 BB1
        ";
        let mix = hottest(text).expect("there is a loop");
        assert_eq!((mix.fma, mix.dual, mix.issued), (2, 1, 5));
        assert_eq!(mix.workgroup_loads, [128]);
    }

    #[test]
    fn straight_code_has_no_loop() {
        assert_eq!(hottest("BB0:\n v_fmac_f32 v0, v1, v2\n s_cbranch_scc0 BB1\nBB1:\n s_endpgm"), None);
    }
}
