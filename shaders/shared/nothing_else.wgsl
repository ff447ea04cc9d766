// Nothing follows from batch norm's gradient but what it asks for itself.
fn also_conclude(c: u32) {
}
