//! The archive that `torch.save` writes of a state dict: the pickle, a file for each tensor, the order of bytes, and the
//! format's version.

use super::Tensor;
use super::zip::Zip;
use crate::error::Result;

/// The folder of the archive, which readers take as they find it.
const FOLDER: &str = "archive";

/// Writes the archive of tensors whose `pickle` was made.
pub(super) fn write(
    tensors: &[Tensor<'_>],
    pickle: &[u8],
    write: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut zip = Zip::new(write);
    zip.file(&format!("{FOLDER}/data.pkl"), pickle)?;
    zip.file(&format!("{FOLDER}/byteorder"), b"little")?;
    for (key, tensor) in tensors.iter().enumerate() {
        zip.file(&format!("{FOLDER}/data/{key}"), &tensor.contents()?)?;
    }
    zip.file(&format!("{FOLDER}/version"), b"3\n")?;
    zip.finish()
}
