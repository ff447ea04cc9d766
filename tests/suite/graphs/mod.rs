//! Refusals by graphs and plans (values of other graphs, labels, numbers of inputs, choices of variants, limits),
//! planning time for graphs of 100,000 nodes, and random graphs, including hostile ones. Only `owners` and `labels`
//! need a device.

mod choices;
mod labels;
mod owners;
mod random;
mod refusals;
mod size;
mod updates;

fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "expected \"{part}\" in: {message}");
    }
}
