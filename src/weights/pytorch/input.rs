//! The bytes of pickles, taken one piece after the other. No length is trusted.

use super::values::{Span, Value};

/// The longest name of a Python object or its module.
const LONGEST_NAME: usize = 512;

/// Bytes and the place of the next one.
pub(super) struct Input<'b> {
    pub bytes: &'b [u8],
    pub at: usize,
}

impl<'b> Input<'b> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'b [u8], String> {
        let left = &self.bytes[self.at..];
        let Some(taken) = left.get(..count) else {
            let error = format!("{count} bytes follow, expected within {} that are left", left.len());
            self.at = self.bytes.len();
            return Err(error);
        };
        self.at += count;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, String> {
        self.take(1).map(|bytes| bytes[0]).map_err(|_| "the pickle ends here without STOP".into())
    }

    /// A little-endian number of `width` bytes, up to eight.
    pub(super) fn number(&mut self, width: usize) -> Result<u64, String> {
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(self.take(width)?);
        Ok(u64::from_le_bytes(bytes))
    }

    /// A length of `width` bytes and as many bytes.
    pub(super) fn sized(&mut self, width: usize) -> Result<Span, String> {
        let length = self.number(width)?;
        let at = self.at;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        Ok(Span { at: at as u32, len: length as u32 })
    }

    /// A little-endian integer in two's complement.
    pub(super) fn integer(&self, span: Span) -> Value {
        let bytes = span.of(self.bytes);
        if bytes.len() > 8 {
            return Value::Long(span);
        }
        let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        Value::Int(i64::from_le_bytes(wide))
    }

    /// The bytes up to the end of a line.
    pub(super) fn line(&mut self) -> Result<&'b [u8], String> {
        let left = &self.bytes[self.at..];
        let Some(length) = left.iter().take(LONGEST_NAME).position(|&byte| byte == b'\n') else {
            return Err(format!("no name of up to {LONGEST_NAME} bytes follows"));
        };
        self.at += length + 1;
        Ok(&left[..length])
    }
}
