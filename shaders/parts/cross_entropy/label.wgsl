// Which labels take part in a loss: those of a class that are not the ignored one. What is no
// class at all never becomes an index.
const CLASSES: u32 = 10u; // shape
const IGNORED: i32 = -100; // shape

fn counts(label: i32) -> bool {
    return label != IGNORED && label >= 0 && label < i32(CLASSES);
}
