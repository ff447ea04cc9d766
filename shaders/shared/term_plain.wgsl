// A reduction of the elements themselves.
fn term(value: Pack, at: u32, origin: Pack, output: u32) -> Pack {
    return value;
}
