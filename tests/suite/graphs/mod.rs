//! What a graph and a plan refuse, and how long a plan takes: values of other owners, labels, numbers of inputs, choices
//! of variants, limits; graphs of 100,000 nodes; and random graphs, hostile ones among them. Only `owners` and `labels`
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
