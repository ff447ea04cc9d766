//! Hashes of results, bit for bit: two builds that compute the same write the same file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use wgrad::{HostData, HostTensor};

/// Environment variable that names the file to write. Without it nothing is kept.
pub const VARIABLE: &str = "WGRAD_BITS";

/// One run's results of one family.
pub struct Bits {
    family: &'static str,
    lines: BTreeMap<String, u64>,
}

impl Bits {
    /// A family's, if a file was asked for.
    pub fn of(family: &'static str) -> Option<Bits> {
        std::env::var_os(VARIABLE)?;
        Some(Bits { family, lines: BTreeMap::new() })
    }

    /// Keeps one result. Cases of one name are told apart by their order.
    pub fn add(&mut self, case: &str, variant: &str, output: &str, found: &HostTensor) {
        let key = |nth: usize| {
            let nth = if nth == 0 { String::new() } else { format!(" (again {nth})") };
            format!("{}\t{case}{nth}\t{variant}\t{output}", self.family)
        };
        let key = (0..).map(key).find(|key| !self.lines.contains_key(key)).expect("numbers do not end");
        self.lines.insert(key, hash(found));
    }

    /// Puts the results into the file in the place of what it has of these, sorted.
    pub fn save(self) {
        static FILE: Mutex<()> = Mutex::new(());
        let _one_at_a_time = FILE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let path = PathBuf::from(std::env::var_os(VARIABLE).expect("it was there before"));
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        let mut lines: BTreeMap<String, String> = before
            .lines()
            .filter_map(|line| line.rsplit_once('\t'))
            .map(|(key, hash)| (key.to_owned(), hash.to_owned()))
            .collect();
        lines.extend(self.lines.into_iter().map(|(key, hash)| (key, format!("{hash:016x}"))));
        let text: String = lines.into_iter().map(|(key, hash)| format!("{key}\t{hash}\n")).collect();
        wgrad::file::write_whole(&path, text.as_bytes()).expect("the file can be written");
    }
}

/// 64-bit FNV-1a of shape and contents.
fn hash(tensor: &HostTensor) -> u64 {
    let words: Vec<u32> = match &tensor.data {
        HostData::F32(data) => data.iter().map(|x| x.to_bits()).collect(),
        HostData::I32(data) => data.iter().map(|&x| x as u32).collect(),
        HostData::U32(data) => data.clone(),
        HostData::U8(data) => data.iter().map(|&x| x.into()).collect(),
        other => panic!("no bits of {other:?}"),
    };
    let sizes = tensor.shape.iter().map(|&size| size as u32);
    sizes.chain(words).flat_map(u32::to_le_bytes).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
