// Nobody asks which taps won.
fn keep(word: u32, won: u32) {
}
