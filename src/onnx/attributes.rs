//! A node's attributes, with the types and defaults of the operators' specifications. It notes which were read: one
//! that nobody reads would change the result if it were left out, so it is refused.

use super::proto::{AttributeProto, NodeProto};
use super::tensor::Tensor;
use crate::file::printable;
use std::cell::RefCell;
use std::collections::BTreeSet;

pub(super) struct Attributes<'n> {
    all: &'n [AttributeProto],
    read: RefCell<BTreeSet<&'n str>>,
}

/// A type of attributes, by its number in onnx.proto and what its value is.
macro_rules! readers {
    ($($(#[$doc:meta])* $name:ident -> $type:ty = $number:literal, $what:literal, |$attribute:ident| $value:expr;)*) => {
        impl<'n> Attributes<'n> {
            $(
                $(#[$doc])*
                pub(super) fn $name(&self, name: &str) -> Result<Option<$type>, String> {
                    let Some($attribute) = self.find(name) else { return Ok(None) };
                    // Very old files don't say the type.
                    if !matches!($attribute.r#type, Some($number | 0) | None) || $attribute.ref_attr_name.is_some() {
                        return Err(format!("attribute {} must be {}", printable(name), $what));
                    }
                    Ok(Some($value))
                }
            )*
        }
    };
}

readers! {
    maybe_float -> f32 = 1, "a float", |attribute| attribute.f.unwrap_or(0.0);
    maybe_int -> i64 = 2, "an integer", |attribute| attribute.i.unwrap_or(0);
    maybe_floats -> &'n [f32] = 6, "a list of floats", |attribute| &attribute.floats;
    ints -> &'n [i64] = 7, "a list of integers", |attribute| &attribute.ints;
    maybe_bytes -> &'n [u8] = 3, "a string", |attribute| attribute.s.as_deref().unwrap_or_default();
    maybe_tensor -> Tensor = 4, "a tensor", |attribute| match &attribute.t {
        Some(tensor) => Tensor::read(tensor, None).map_err(|e| format!("its tensor {e}"))?,
        None => return Err("an attribute holds no tensor".into()),
    };
}

impl<'n> Attributes<'n> {
    pub(super) fn new(node: &'n NodeProto) -> Self {
        Attributes { all: &node.attribute, read: RefCell::default() }
    }

    fn find(&self, name: &str) -> Option<&'n AttributeProto> {
        let found = self.all.iter().find(|attribute| attribute.name.as_deref() == Some(name))?;
        self.read.borrow_mut().insert(found.name.as_deref().unwrap_or_default());
        Some(found)
    }

    pub(super) fn float(&self, name: &str, default: f32) -> Result<f32, String> {
        Ok(self.maybe_float(name)?.unwrap_or(default))
    }

    pub(super) fn int(&self, name: &str, default: i64) -> Result<i64, String> {
        Ok(self.maybe_int(name)?.unwrap_or(default))
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, String> {
        Ok(self.maybe_int(name)?.map_or(default, |number| number != 0))
    }

    pub(super) fn string(&self, name: &str, default: &'n str) -> Result<&'n str, String> {
        let Some(bytes) = self.maybe_bytes(name)? else { return Ok(default) };
        std::str::from_utf8(bytes).map_err(|_| format!("attribute {} is no text", printable(name)))
    }

    /// Marks attributes as read that change nothing here.
    pub(super) fn ignore(&self, names: &[&str]) {
        for name in names {
            self.find(name);
        }
    }

    /// Fails if there is an attribute that nobody read.
    pub(super) fn check_all_read(&self) -> Result<(), String> {
        let read = self.read.borrow();
        let name = |attribute: &'n AttributeProto| attribute.name.as_deref().unwrap_or_default();
        match self.all.iter().map(name).find(|name| !read.contains(name)) {
            Some(name) => Err(format!("attribute {} is not supported", printable(name))),
            None => Ok(()),
        }
    }
}
