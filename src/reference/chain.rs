//! An operator with an epilogue: the head, and then each link applied to the value before it.

use crate::op::{Array, Operator, Reference};
use crate::ops::chain::Chain;

impl Chain {
    /// The head's value, and the results of all links.
    fn follow(&self, value: Array, inputs: &[&Array]) -> Vec<Array> {
        let mut bound = &inputs[self.head_inputs..];
        let (mut values, mut kept) = (vec![value], 0);
        for (i, link) in self.links.iter().enumerate() {
            if link.keeps {
                kept = i;
            }
            values[i].shape = link.shape.clone();
            let (operands, rest) = bound.split_at(link.tensors().count());
            bound = rest;
            let next = link.reference(&values[i], &values[kept], operands);
            values.push(next);
        }
        values
    }
}

impl Reference for Chain {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let mut outputs = self.head.reference(&inputs[..self.head_inputs]);
        let followed = self.follow(outputs[0].clone(), inputs).pop().expect("the last is there");
        outputs[0].data = followed.data;
        outputs
    }

    // After a link that subtracts, only earlier rounding may remain. So this is the error that the head or a link may
    // have, carried through the rest of the chain.
    fn largest_sum_of_terms(&self, output: usize, inputs: &[&Array]) -> Option<f64> {
        let head = &inputs[..self.head_inputs];
        let terms = self.head.largest_sum_of_terms(output, head);
        if output > 0 {
            return terms;
        }
        let values = self.follow(self.head.reference(head).swap_remove(0), inputs);
        let makers = std::iter::once(&self.head).chain(self.links.iter().map(|link| &link.operator));
        let mut bound = &inputs[self.head_inputs..];
        // The possible error of each element in front of a link: the largest that the head or any earlier link
        // causes.
        let mut moves = values[0].map(|_| 0.0);
        let mut kept = (&values[0], moves.clone());
        for (i, (link, maker)) in self.links.iter().zip(makers).enumerate() {
            let (value, exact) = (&values[i], &values[i + 1]);
            let scale = if i == 0 { value.largest().max(terms.unwrap_or(0.0)) } else { value.largest() };
            moves = moves.map(|moves| moves.max(maker.tolerance() * scale));
            moves.shape = value.shape.clone();
            if link.keeps {
                kept = (value, moves.clone());
            }
            let (operands, rest) = bound.split_at(link.tensors().count());
            bound = rest;
            let moved = |x: &Array, moves: &Array, sign: f64| x.zip(moves, |x, moves| x + sign * moves);
            let errors = [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]].map(|[own, other]| {
                let kept = moved(kept.0, &kept.1, other);
                let mut moved = link.reference(&moved(value, &moves, own), &kept, operands);
                // The value before a later link has that link's shape.
                moved.shape = exact.shape.clone();
                moved.zip(exact, |moved, exact| (moved - exact).abs())
            });
            moves = errors.into_iter().reduce(|a, b| a.zip(&b, f64::max)).expect("there are four");
        }
        Some(moves.largest() / self.tolerance())
    }
}
