//! What is drawn for each sample.

use super::{Augmentation, Crop, Flip, RANGES, RATIOS, ROW, areas, below};
use crate::error::Result;
use crate::op::{LowerContext, Operator};
use crate::shader::parts;
use crate::tensor::{Shape, TensorType};

/// A row of 16 numbers for each sample: the map from the output to the input (six), brightness, contrast, saturation,
/// hue, the erased rectangle (top, left, height, width), two zeros. Inputs: the step counter; the tables
/// ([`Augmentation::tables`]); for [`Flip::Alternating`] the items' numbers (i32 `[n]`). Output: f32 `[n, 16]`.
#[derive(Clone, PartialEq, Debug)]
pub struct AugmentParameters {
    /// What is done.
    pub augmentation: Augmentation,
    /// Shape of the images.
    pub images: Shape,
    /// Seed of the run.
    pub seed: u64,
    /// Number of this augmentation in its graph.
    pub node: u32,
}

impl Operator for AugmentParameters {
    fn name(&self) -> &'static str {
        "augment_parameters"
    }

    fn arity(&self) -> (usize, usize) {
        let inputs = if matches!(self.augmentation.flip, Flip::Alternating { .. }) { 3 } else { 2 };
        (inputs, inputs)
    }

    fn keeps_f32(&self, _output: usize) -> bool {
        true
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.augmentation.output_size(&self.images)?;
        let n = self.images[0];
        let expected = [
            ("the step counter", TensorType::u32(Shape::scalar())),
            ("the tables", TensorType::f32([RANGES + 4 * RATIOS])),
            ("the items' numbers", TensorType::i32([n])),
        ];
        for (input, (name, expected)) in inputs.iter().zip(expected) {
            if **input != expected {
                return Err(format!("expects {name}, {expected}, found {input}"));
            }
        }
        Ok(vec![TensorType::f32([n, ROW])])
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let augmentation = &self.augmentation;
        let [h, w] = [self.images[2], self.images[3]];
        let [oh, ow] = augmentation.output_size(&self.images).expect("the shape rule has passed");
        let (kernel, groups) = cx.made_by(&parts::augment_parameters, self.images[0] * ROW, 1)?;
        let (padding, crops) =
            if let Crop::Padded { padding, .. } = augmentation.crop { (padding, true) } else { (0, false) };
        let (resizes, [crop_least, crop_areas]) = match augmentation.crop {
            Crop::Resized { scale, .. } => (true, areas(scale, h * w)),
            _ => (false, [1, 1]),
        };
        let erase = augmentation.erase;
        let [erase_least, erase_areas] = areas(erase.map_or([0.0; 2], |erase| erase.scale), oh * ow);
        let kernel = match augmentation.flip {
            Flip::Chance(p) => kernel.fill(&parts::augment_flip).with("FLIP_BELOW", below(p)),
            Flip::Alternating { steps } => kernel.fill(&parts::augment_flip_alternating).with("STEPS", steps),
        };
        let kernel = kernel
            .with("IN_H", cx.index(h)?)
            .with("IN_W", cx.index(w)?)
            .with("OUT_H", cx.index(oh)?)
            .with("OUT_W", cx.index(ow)?)
            .with("PADDING", cx.index(padding)?)
            .with("CROPS", crops)
            .with("RESIZES", resizes)
            .with("MOVES", augmentation.affine.is_some())
            .with("CROP_LEAST", crop_least)
            .with("CROP_AREAS", crop_areas)
            .with("ERASE_BELOW", below(erase.map_or(0.0, |erase| erase.p)))
            .with("ERASE_LEAST", erase_least)
            .with("ERASE_AREAS", erase_areas)
            .with("SEED_LOW", self.seed as u32)
            .with("SEED_HIGH", (self.seed >> 32) as u32)
            .with("NODE", self.node)
            // Ten tries of a window or of a rectangle, and six draws, each of ten rounds.
            .iterations(10 * 11 + 6 * 10);
        let mut operands: Vec<_> = (0..cx.inputs()).map(|i| cx.input(i)).collect();
        operands.push(cx.output(0));
        cx.dispatch_epilogue(kernel, &operands, groups, 1);
        Ok(())
    }

    fn has_epilogue(&self) -> bool {
        true
    }
}
