//! Keeps compiled pipelines between runs, where the backend can save its cache (Vulkan). The file only saves
//! time. If it is missing, damaged or of another driver, it is ignored; if it can't be written, nothing
//! happens.

use super::Device;
use crate::file;
use crate::hash::fnv1a;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread::JoinHandle;

/// Environment variable that names the folder for compiled pipelines, unless the program sets one. Empty
/// disables caching; unset means `wgrad` in the user's cache folder.
pub const CACHE_VARIABLE: &str = "WGRAD_CACHE_DIR";

/// The first bytes of a file: its format and version.
const MAGIC: &[u8; 8] = b"wgradpc1";
/// Magic, identity of adapter and driver, checksum of the contents.
const HEADER: usize = 24;
/// Longer files are neither read nor written. The largest seen from a driver is a hundredth of this.
const LARGEST: u64 = 1 << 30;

/// The driver's cache of one device, and its file.
#[derive(Debug)]
pub(super) struct Cache {
    raw: wgpu::PipelineCache,
    path: PathBuf,
    identity: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Checksum of the file's contents.
    saved: Option<u64>,
    writer: Option<JoinHandle<()>>,
}

impl Cache {
    /// The cache of `device` in `folder`, filled from an earlier run; `None` if the backend has no such
    /// cache.
    pub(super) fn open(device: &Device, info: &wgpu::AdapterInfo, folder: &Path) -> Option<Cache> {
        if !device.wgpu().features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let identity = fnv1a(
            format!(
                "{:?} {} {} {} {} {}",
                info.backend, info.vendor, info.device, info.name, info.driver, info.driver_info
            )
            .as_bytes(),
        );
        let path = folder.join(format!("pipelines-{identity:016x}.bin"));
        let found = file::read_whole(&path, LARGEST).ok();
        let contents = found.as_deref().and_then(|file| contents(file, identity));
        let create = |data: Option<&[u8]>| {
            let descriptor = wgpu::PipelineCacheDescriptor { label: Some("wgrad"), data, fallback: true };
            // SAFETY: data has to come from an earlier `get_data`. The file lies in a folder that only the
            // user can write to. It carries this crate's mark, the identity of adapter, backend and driver,
            // and a checksum of the rest, and it was renamed to its place as a whole. So a file that passes
            // these checks was written by `save`. Backend and driver also check their own headers. An
            // attacker who can forge such a file could replace the program itself.
            device.guarded(|raw| unsafe { raw.create_pipeline_cache(&descriptor) }).ok()
        };
        let saved = contents.map(fnv1a);
        let raw = create(contents).or_else(|| create(None))?;
        Some(Cache { raw, path, identity, state: Mutex::new(State { saved, writer: None }) })
    }

    pub(super) fn raw(&self) -> &wgpu::PipelineCache {
        &self.raw
    }

    /// Writes what the driver has compiled so far, in a thread. Writes nothing if the file is up to date.
    pub(super) fn save(&self) {
        let Some(data) = self.raw.get_data() else { return };
        let Ok(mut state) = self.state.lock() else { return };
        let checksum = fnv1a(&data);
        if state.saved == Some(checksum) || data.len() as u64 > LARGEST - HEADER as u64 {
            return;
        }
        state.saved = Some(checksum);
        let mut bytes = Vec::with_capacity(HEADER + data.len());
        bytes.extend(MAGIC);
        bytes.extend(self.identity.to_le_bytes());
        bytes.extend(checksum.to_le_bytes());
        bytes.extend(data);
        if let Some(writer) = state.writer.take() {
            // The thread only writes; a failure costs nothing but time.
            let _ = writer.join();
        }
        let path = self.path.clone();
        let write = move || {
            // A cache that can't be written only costs time.
            if path.parent().is_some_and(|folder| make_private(folder).is_ok()) {
                let _ = file::write_whole(&path, &bytes);
            }
        };
        match std::thread::Builder::new().spawn(write) {
            Ok(writer) => state.writer = Some(writer),
            // The system gives no thread. A later save may get one.
            Err(_) => state.saved = None,
        }
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        let state = match self.state.get_mut() {
            Ok(state) => state,
            Err(poisoned) => poisoned.into_inner(),
        };
        if let Some(writer) = state.writer.take() {
            let _ = writer.join();
        }
    }
}

/// The driver's bytes in a cache file, unless it is damaged or belongs to another driver.
fn contents(file: &[u8], identity: u64) -> Option<&[u8]> {
    let (header, contents) = file.split_at_checked(HEADER)?;
    let (magic, numbers) = header.split_at(MAGIC.len());
    let expected = [identity.to_le_bytes(), fnv1a(contents).to_le_bytes()].concat();
    (magic == MAGIC && numbers == expected).then_some(contents)
}

/// Makes a folder that only the user can write to.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// The folder that [`CACHE_VARIABLE`] names, otherwise `wgrad` in the user's cache folder.
pub(super) fn default_folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os(CACHE_VARIABLE) {
        return (!folder.is_empty()).then(|| folder.into());
    }
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = variable("XDG_CACHE_HOME")
        .or_else(|| variable("LOCALAPPDATA"))
        .or_else(|| variable("HOME").map(|home| home.join(".cache")));
    caches.map(|folder| folder.join("wgrad"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(magic: &[u8], identity: u64, data: &[u8]) -> Vec<u8> {
        [magic, &identity.to_le_bytes(), &fnv1a(data).to_le_bytes(), data].concat()
    }

    #[test]
    fn only_whole_files_of_this_driver_count() {
        let data = b"what a driver keeps";
        let whole = file(MAGIC, 7, data);
        assert_eq!(contents(&whole, 7), Some(&data[..]));
        assert_eq!(contents(&whole, 8), None, "another driver's");
        assert_eq!(contents(&file(b"wgradpc0", 7, data), 7), None, "another layout");
        for length in 0..whole.len() {
            assert_eq!(contents(&whole[..length], 7), None, "cut at {length}");
        }
        for byte in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[byte] ^= 1;
            assert_eq!(contents(&damaged, 7), None, "damaged at {byte}");
        }
    }

    #[test]
    fn damaged_files_never_count() {
        let times: usize =
            std::env::var("WGRAD_FUZZ").map_or(1, |text| text.parse().expect("a whole number"));
        let data: Vec<u8> = (0..3000u32).map(|i| ((i * i) >> 3) as u8).collect();
        let whole = file(MAGIC, 7, &data);
        let mut number = 1u64;
        let mut below = |end: usize| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (number >> 33) as usize % end
        };
        for case in 0..2000 * times {
            let mut bytes = whole.clone();
            for _ in 0..=below(3) {
                let at = below(bytes.len().max(1)).min(bytes.len());
                match below(4) {
                    0 => bytes.truncate(at),
                    1 => bytes.insert(at, below(256) as u8),
                    2 => drop(bytes.drain(at..(at + below(64)).min(bytes.len()))),
                    _ if at < bytes.len() => bytes[at] = below(256) as u8,
                    _ => {}
                }
            }
            assert_eq!(contents(&bytes, 7).is_some(), bytes == whole, "case {case}");
        }
    }
}
