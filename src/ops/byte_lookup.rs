//! Floats made of bytes, by a table of 256 numbers: the bits of a division by 255, and any normalisation, for one load.

use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::op::occupancy::ITEMS;
use crate::op::{LowerContext, Operator};
use crate::shader::parts;
use crate::tensor::{DType, HostTensor, TensorType};

/// Values of a byte.
const VALUES: usize = 256;

/// For each byte, the number of that place in a table. Inputs: bytes of any shape; tables `[t, 256]`. With several
/// tables each channel, the bytes' second dimension, has its own. Output: f32 of the bytes' shape.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ByteLookup;

impl Operator for ByteLookup {
    fn name(&self) -> &'static str {
        "byte_lookup"
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let (bytes, tables) = (inputs[0], inputs[1]);
        if bytes.dtype != DType::U8 {
            return Err(format!("expects bytes, found {bytes}"));
        }
        let count = match tables.shape[..] {
            [count, VALUES] if tables.dtype == DType::F32 => count,
            _ => return Err(format!("expects tables f32[t, {VALUES}], found {tables}")),
        };
        if count != 1 && bytes.shape.get(1) != Some(&count) {
            return Err(format!("has {count} tables, expected one, or one for each channel of {bytes}"));
        }
        Ok(vec![TensorType::f32(bytes.shape.clone())])
    }

    fn reads_bytes(&self) -> bool {
        true
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let shape = cx.input_type(0).shape.clone();
        let (elements, tables) = (shape.elements(), cx.input_type(1).shape[0]);
        let plane: usize = shape.iter().skip(2).product();
        // Four bytes of a word belong to one channel, or all to one table.
        let width =
            if elements.is_multiple_of(4) && (tables == 1 || plane.is_multiple_of(4)) { 4 } else { 1 };
        let made = if width == 4 { &parts::byte_lookup_4 } else { &parts::byte_lookup_1 };
        let (kernel, groups) = cx.made_by(made, elements / width, ITEMS)?;
        let kernel = kernel.with("TABLES", cx.index(tables)?).with("PLANE", cx.index(plane)?);
        let operands = [cx.input(0), cx.input(1), cx.output(0)];
        cx.dispatch_epilogue(kernel.named("byte_lookup"), &operands, groups, width);
        Ok(())
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn tolerance(&self) -> f64 {
        0.0
    }
}

impl Graph {
    /// Floats from 0 to 1 of bytes (u8 of any shape): each over 255, rounded as the host divides.
    ///
    /// # Errors
    /// An input that is not u8.
    pub fn bytes_to_float(&mut self, bytes: Value) -> Result<Value> {
        let table = (0..VALUES).map(|byte| byte as f32 / 255.0).collect();
        self.look_up(bytes, HostTensor::f32([1, VALUES], table)?)
    }

    fn look_up(&mut self, bytes: Value, table: HostTensor) -> Result<Value> {
        self.check_owned([bytes])?;
        // Before the table is made, so that what is refused leaves nothing behind.
        let types = [&self.info(bytes).ty, &table.ty()];
        ByteLookup.infer(&types).map_err(|message| self.refusal("byte_lookup", message))?;
        let table = self.constant(table)?;
        self.apply1(ByteLookup, &[bytes, table])
    }

    /// Normalised floats of bytes \[n, channels, ...]: `(byte / 255 - mean) / deviation` with the mean and the deviation
    /// of each channel, as torchvision's `ToTensor` and `Normalize`. It takes one dispatch.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// let mut g = wgrad::Graph::new();
    /// let pixels = g.input_u8("pixels", [64, 3, 224, 224])?;
    /// let images = g.normalize_bytes(pixels, &[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225])?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// An input that is not u8; another number of means or deviations than channels, unless it is one; a mean that is
    /// not finite, a deviation that is not above 0 and finite.
    pub fn normalize_bytes(&mut self, bytes: Value, mean: &[f64], deviation: &[f64]) -> Result<Value> {
        let error = |message: String| Err(Error::Setting { setting: "normalize_bytes", message });
        if mean.len() != deviation.len() || mean.is_empty() {
            return error(format!(
                "expects as many means as deviations, at least one, found {} and {}",
                mean.len(),
                deviation.len()
            ));
        }
        if let Some(bad) = mean.iter().find(|mean| !mean.is_finite()) {
            return error(format!("a mean must be finite, found {bad}"));
        }
        if let Some(bad) = deviation.iter().find(|&&deviation| !(deviation > 0.0 && deviation.is_finite())) {
            return error(format!("a deviation must be above 0 and finite, found {bad}"));
        }
        let channels = mean.iter().zip(deviation);
        let table = channels.flat_map(|(mean, deviation)| {
            (0..VALUES).map(move |byte| ((byte as f64 / 255.0 - mean) / deviation) as f32)
        });
        self.look_up(bytes, HostTensor::f32([mean.len(), VALUES], table.collect())?)
    }
}
