//! What the output of a test program says: how many tests passed, which failed, and which never ended.

use serde_json::{Value, json};

/// Tests of one program.
#[derive(Default, PartialEq, Debug)]
pub struct Counts {
    /// Tests that the program said it would run.
    pub announced: usize,
    pub passed: usize,
    pub ignored: usize,
    pub failed: Vec<String>,
}

impl Counts {
    /// Reads the lines that Rust's test programs print as each test ends.
    pub fn of(log: &str) -> Counts {
        let mut counts = Counts::default();
        for line in log.lines() {
            let announced = line.strip_prefix("running ").and_then(|rest| rest.split(' ').next());
            if let Some(number) = announced.and_then(|number| number.parse::<usize>().ok()) {
                counts.announced += number;
            }
            let Some((name, result)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "))
            else {
                continue;
            };
            match result.split([' ', ',']).next() {
                Some("ok") => counts.passed += 1,
                Some("ignored") => counts.ignored += 1,
                Some("FAILED") => counts.failed.push(name.to_owned()),
                _ => {}
            }
        }
        counts
    }

    /// Tests that did not end.
    pub fn missing(&self) -> usize {
        self.announced.saturating_sub(self.passed + self.ignored + self.failed.len())
    }

    pub fn json(&self) -> Value {
        json!({
            "announced": self.announced,
            "passed": self.passed,
            "ignored": self.ignored,
            "failed": self.failed,
            "not_ended": self.missing(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn a_program_that_was_stopped_has_tests_that_did_not_end() {
        let log = "\nrunning 5 tests\ntest a::b ... ok\ntest c ... FAILED\ntest d ... ignored, slow\ntest e has been running for over 60 seconds\n";
        let counts = Counts::of(log);
        let expected = Counts { announced: 5, passed: 1, ignored: 1, failed: vec!["c".into()] };
        assert_eq!(counts, expected);
        assert_eq!(counts.missing(), 2);
    }
}
