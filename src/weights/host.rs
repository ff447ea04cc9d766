//! Moves the contents of all weights to host memory and back.

use super::Weights;
use crate::error::{Error, Result};
use crate::tensor::{HostSlice, HostTensor, TensorType};
use std::collections::BTreeMap;

impl Weights {
    /// Downloads every tensor, by name. Also returns the number of bytes read back.
    pub(crate) async fn download(&self) -> Result<(BTreeMap<String, HostTensor>, u64)> {
        self.device.check()?;
        let types: Vec<TensorType> =
            self.entries.values().map(|entry| TensorType::f32(entry.shape.clone())).collect();
        let places = self.entries.values().zip(&types);
        let parts: Vec<_> =
            places.map(|(entry, ty)| (&self.pages[entry.page], entry.offset, ty.bytes())).collect();
        let contents = self.device.read_async(&parts).await?;
        let tensors: Result<Vec<_>> =
            types.iter().zip(&contents).map(|(ty, bytes)| HostTensor::from_bytes(ty, bytes)).collect();
        let bytes = parts.iter().map(|part| part.2).sum();
        Ok((self.entries.keys().cloned().zip(tensors?).collect(), bytes))
    }

    /// Uploads every tensor. Returns the number of bytes. Nothing is changed unless all tensors fit.
    pub(crate) fn upload_all(&self, tensors: &BTreeMap<String, HostTensor>) -> Result<u64> {
        self.device.check()?;
        let error = |name: &String, message: String| Err(Error::Value { name: name.clone(), message });
        for (name, entry) in self.entries.iter() {
            let expected = TensorType::f32(entry.shape.clone());
            match tensors.get(name).map(HostTensor::ty) {
                Some(found) if found == expected => {}
                Some(found) => return error(name, format!("the weights hold {expected}, found {found}")),
                None => return error(name, format!("the weights hold {expected}, found no such tensor")),
            }
        }
        if let Some(name) = tensors.keys().find(|&name| !self.entries.contains_key(name)) {
            return error(name, "the weights hold no tensor of this name; take the snapshot's own".into());
        }
        let mut upload = self.device.upload();
        for (entry, tensor) in self.entries.values().zip(tensors.values()) {
            upload.write(&self.pages[entry.page], entry.offset, HostSlice::from(tensor).bytes())?;
        }
        upload.submit()
    }

    /// Uploads some tensors, with state that starts as a copy of one. Nothing is changed unless all of them fit.
    #[cfg(feature = "onnx")]
    pub(crate) fn write_all<'t>(&self, tensors: impl Iterator<Item = (&'t str, &'t [f32])>) -> Result<()> {
        self.device.check()?;
        let mut upload = self.device.upload();
        for (name, data) in tensors {
            let entry = self.entry(name)?;
            if data.len() != entry.shape.elements() {
                let message =
                    format!("the weights hold it with shape {}, found {} elements", entry.shape, data.len());
                return Err(Error::Value { name: name.to_owned(), message });
            }
            for entry in std::iter::once(entry).chain(self.copies_of(name).map(|(_, copy)| copy)) {
                upload.write(&self.pages[entry.page], entry.offset, HostSlice::F32(data).bytes())?;
            }
        }
        upload.submit().map(drop)
    }
}
