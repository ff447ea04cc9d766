// A reduction of the elements themselves.
fn term(value: Pack, origin: Pack, output: u32) -> Pack {
    return value;
}
