//! Where the batch is among a value's dimensions, if its size is left open.

use crate::tensor::Shape;

/// The place of the batch in a value: the dimension `axis` has a multiple of its size. An element and the same element of
/// the next sample are `stride` elements apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Batch {
    pub axis: usize,
    pub stride: usize,
}

impl Batch {
    /// The first dimension.
    pub(super) fn first(shape: &Shape) -> Batch {
        Batch { axis: 0, stride: shape[1..].iter().product() }
    }

    /// The elements of one sample that lie in dimension `axis` of `shape`, the value's shape.
    pub(super) fn within(self, shape: &Shape) -> usize {
        self.stride / elements(&shape[self.axis + 1..])
    }

    /// The batch in a value whose dimension `axis` is this value's dimension of the batch.
    pub(super) fn moved(self, from: &Shape, axis: usize, to: &Shape) -> Batch {
        Batch { axis, stride: self.within(from) * elements(&to[axis + 1..]) }
    }

    /// The batch of `samples` under another shape, if one dimension holds it whole. With two samples or more there is at
    /// most one such dimension.
    pub(super) fn reshaped(self, samples: usize, to: &Shape) -> Option<Batch> {
        let holds = |axis: &usize| {
            self.stride.is_multiple_of(elements(&to[axis + 1..]))
                && elements(&to[*axis..]).is_multiple_of(self.stride.saturating_mul(samples))
        };
        (0..to.len()).find(holds).map(|axis| Batch { axis, stride: self.stride })
    }
}

fn elements(shape: &[usize]) -> usize {
    shape.iter().product()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_found_under_another_shape() {
        let images = Shape::from([2, 6, 4, 4]);
        let batch = Batch::first(&images);
        let reshaped = |shape: &[usize]| batch.reshaped(2, &Shape::from(shape)).map(|batch| batch.axis);
        assert_eq!(reshaped(&[2, 96]), Some(0));
        assert_eq!(reshaped(&[2, 2, 3, 4, 4]), Some(0), "channels in groups");
        assert_eq!(reshaped(&[1, 2, 96]), Some(1), "a dimension in front");
        assert_eq!(reshaped(&[12, 16]), Some(0), "channels of all images");
        assert_eq!(reshaped(&[192]), Some(0));
        assert_eq!(reshaped(&[3, 64]), None, "a third of both images");
    }

    #[test]
    fn a_batch_behind_another_dimension_stays_there() {
        // (channels, images, pixels), as a permutation makes it.
        let batch =
            Batch::first(&Shape::from([2, 3, 5])).moved(&Shape::from([2, 3, 5]), 1, &Shape::from([3, 2, 5]));
        assert_eq!(batch, Batch { axis: 1, stride: 5 });
        let joined = Shape::from([6, 5]);
        let joint = batch.reshaped(2, &joined).expect("the first dimension holds channels and images");
        assert_eq!((joint.axis, joint.within(&joined)), (0, 1));
        assert_eq!(joint.reshaped(2, &Shape::from([3, 2, 5])), Some(batch));
    }
}
