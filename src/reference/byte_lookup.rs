//! Floats made of bytes.

use crate::op::{Array, Reference};
use crate::ops::byte_lookup::ByteLookup;

/// The table's number for each byte.
impl Reference for ByteLookup {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [bytes, tables] = [inputs[0], inputs[1]];
        let plane: usize = bytes.shape.iter().skip(2).product();
        let number = |(i, &byte): (usize, &f64)| {
            let table = i / plane % tables.shape[0];
            tables.data[table * 256 + byte as usize]
        };
        let data = bytes.data.iter().enumerate().map(number).collect();
        vec![Array::new(bytes.shape.clone(), data)]
    }
}
