//! Moves the contents of all weights to host memory and back.

use super::{Entry, Weights};
use crate::error::{Error, Result};
use crate::tensor::{HostSlice, HostTensor, TensorType};
use std::collections::BTreeMap;

impl Weights {
    /// Downloads every tensor, by name. Also returns the number of bytes read back.
    pub(crate) async fn download(&self) -> Result<(BTreeMap<String, HostTensor>, u64)> {
        let tensors = self.download_all(self.entries.iter()).await?;
        let bytes = tensors.values().map(|tensor| tensor.ty().bytes()).sum();
        Ok((tensors, bytes))
    }

    /// Downloads these tensors, as they are at one time.
    pub(crate) async fn download_of(
        &self,
        names: impl Iterator<Item = &str>,
    ) -> Result<BTreeMap<String, HostTensor>> {
        let named = |name| self.entry(name).map(|entry| (name.to_owned(), entry));
        let entries: BTreeMap<String, &Entry> = names.map(named).collect::<Result<_>>()?;
        self.download_all(entries.iter().map(|(name, entry)| (name, *entry))).await
    }

    async fn download_all(
        &self,
        entries: impl Iterator<Item = (&String, &Entry)>,
    ) -> Result<BTreeMap<String, HostTensor>> {
        self.device.check()?;
        let (names, entries): (Vec<_>, Vec<_>) = entries.unzip();
        let types: Vec<TensorType> =
            entries.iter().map(|entry| TensorType::f32(entry.shape.clone())).collect();
        let places = entries.iter().zip(&types);
        let parts: Vec<_> =
            places.map(|(entry, ty)| (&self.pages[entry.page], entry.offset, ty.bytes())).collect();
        let contents = self.device.read_async(&parts).await?;
        let tensors = types.iter().zip(&contents).map(|(ty, bytes)| HostTensor::from_bytes(ty, bytes));
        names.into_iter().cloned().zip(tensors).map(|(name, tensor)| Ok((name, tensor?))).collect()
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
