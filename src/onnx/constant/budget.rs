//! How much one import may make of constants.

use crate::onnx::tensor::Tensor;

/// Elements that the constants of one import may have in all, added to those that the file holds. They are kept until the
/// import ends, and a node of a few bytes can ask for millions. Masks that exporters write have a few million.
const MOST_IN_ALL: usize = 1 << 24;

/// How many elements an import may still make of constants.
#[derive(Clone, Copy, Debug)]
pub(in crate::onnx) struct Budget {
    most: usize,
    left: usize,
    /// Whether a node asked for more than was left.
    pub spent: bool,
}

impl Budget {
    /// For a file whose tensors have so many elements.
    pub(in crate::onnx) fn new(elements: usize) -> Budget {
        let most = elements.saturating_add(MOST_IN_ALL);
        Budget { most, left: most, spent: false }
    }

    /// Takes what a node has made, or says how much more it is than is left.
    pub(super) fn take(&mut self, made: &[Tensor]) -> Result<(), String> {
        self.ask(made.iter().fold(0usize, |all, tensor| all.saturating_add(tensor.elements())))
    }

    /// Takes so many elements, or says how many more they are than are left.
    pub(in crate::onnx) fn ask(&mut self, asked: usize) -> Result<(), String> {
        if let Some(left) = self.left.checked_sub(asked) {
            self.left = left;
            return Ok(());
        }
        self.spent = true;
        Err(format!(
            "its result is a constant of {asked} elements, and of the {} that constants of this file may have in all {} are left; store large constants as initialisers, as tools that simplify models do",
            self.most, self.left
        ))
    }
}
