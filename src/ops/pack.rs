//! How many neighbouring elements kernels take at a time.

use crate::shader::{ShaderFile, parts};

/// Four elements at a time where four divides `elements`, else one, and the file that fills a kernel's hole `Pack`.
pub(super) fn pack(elements: usize) -> (usize, &'static ShaderFile) {
    if elements.is_multiple_of(4) { (4, &parts::pack_4) } else { (1, &parts::pack_1) }
}
