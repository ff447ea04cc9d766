//! A zip archive of stored files, each aligned to 64 bytes as PyTorch does, so that tensors can be mapped into memory.
//! Archives of more than 4 GiB or 65,534 files have the format's longer fields (zip64). Nothing is compressed.

use crate::error::Result;

/// Where a file's contents may begin.
const ALIGNMENT: u64 = 64;
/// The first day that the format knows, 1 January 1980, so that equal archives have equal bytes.
const DATE: u16 = 0x21;
/// The version of the format that a reader needs to know, without and with longer fields.
const VERSIONS: [u16; 2] = [20, 45];

/// A file that was written.
struct Entry {
    name: String,
    crc: u32,
    bytes: u64,
    at: u64,
}

/// An archive that is being written.
pub(super) struct Zip<W> {
    write: W,
    at: u64,
    entries: Vec<Entry>,
    /// Numbers from this on have longer fields.
    long: u64,
    /// That many files have longer fields.
    many: usize,
}

impl<W: FnMut(&[u8]) -> Result<()>> Zip<W> {
    pub(super) fn new(write: W) -> Self {
        Zip { write, at: 0, entries: Vec::new(), long: u32::MAX.into(), many: u16::MAX.into() }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.at += bytes.len() as u64;
        (self.write)(bytes)
    }

    /// A number in a field of four bytes, and whether it needs a longer one.
    fn short(&self, number: u64) -> ([u8; 4], bool) {
        let long = number >= self.long;
        ((if long { u32::MAX } else { number as u32 }).to_le_bytes(), long)
    }

    /// Appends a file. Names are short and ASCII.
    pub(super) fn file(&mut self, name: &str, contents: &[u8]) -> Result<()> {
        let mut crc = flate2::Crc::new();
        crc.update(contents);
        let (at, bytes, crc) = (self.at, contents.len() as u64, crc.sum());
        let (size, long) = self.short(bytes);
        let mut extra = Vec::new();
        if long {
            extra.extend([1u16, 16].map(u16::to_le_bytes).concat());
            extra.extend([bytes; 2].map(u64::to_le_bytes).concat());
        }
        // A field that nobody reads fills up to the alignment. It takes four bytes at the least.
        let start = at + 30 + name.len() as u64 + extra.len() as u64 + 4;
        let fill = (start.next_multiple_of(ALIGNMENT) - start) as usize;
        extra.extend(b"FB");
        extra.extend((fill as u16).to_le_bytes());
        extra.resize(extra.len() + fill, b'Z');

        let mut head = b"PK\x03\x04".to_vec();
        head.extend([VERSIONS[usize::from(long)], 0, 0, 0, DATE].map(u16::to_le_bytes).concat());
        head.extend(crc.to_le_bytes());
        head.extend([size; 2].concat());
        head.extend([name.len() as u16, extra.len() as u16].map(u16::to_le_bytes).concat());
        head.extend(name.as_bytes());
        head.extend(extra);
        self.put(&head)?;
        self.put(contents)?;
        self.entries.push(Entry { name: name.to_owned(), crc, bytes, at });
        Ok(())
    }

    /// Appends the list of files.
    pub(super) fn finish(mut self) -> Result<()> {
        let start = self.at;
        let entries = std::mem::take(&mut self.entries);
        let files = entries.len();
        for Entry { name, crc, bytes, at } in entries {
            let (size, long_size) = self.short(bytes);
            let (place, long_place) = self.short(at);
            let mut extra = Vec::new();
            if long_size {
                extra.extend([bytes; 2].map(u64::to_le_bytes).concat());
            }
            if long_place {
                extra.extend(at.to_le_bytes());
            }
            if !extra.is_empty() {
                extra.splice(0..0, [1u16, extra.len() as u16].map(u16::to_le_bytes).concat());
            }
            let version = VERSIONS[usize::from(!extra.is_empty())];
            let mut head = b"PK\x01\x02".to_vec();
            head.extend([version, version, 0, 0, 0, DATE].map(u16::to_le_bytes).concat());
            head.extend(crc.to_le_bytes());
            head.extend([size; 2].concat());
            head.extend([name.len() as u16, extra.len() as u16, 0, 0, 0].map(u16::to_le_bytes).concat());
            head.extend([0; 4]);
            head.extend(place);
            head.extend(name.as_bytes());
            head.extend(extra);
            self.put(&head)?;
        }
        let end = self.at;
        let (size, place) = (self.short(end - start), self.short(start));
        let many = files >= self.many;
        if many || size.1 || place.1 {
            let mut long = b"PK\x06\x06".to_vec();
            long.extend(44u64.to_le_bytes());
            long.extend([VERSIONS[1]; 2].map(u16::to_le_bytes).concat());
            long.extend([0; 8]);
            long.extend([files as u64, files as u64, end - start, start].map(u64::to_le_bytes).concat());
            long.extend(b"PK\x06\x07\0\0\0\0");
            long.extend(end.to_le_bytes());
            long.extend(1u32.to_le_bytes());
            self.put(&long)?;
        }
        let count = (if many { u16::MAX } else { files as u16 }).to_le_bytes();
        let mut last = b"PK\x05\x06\0\0\0\0".to_vec();
        last.extend([count; 2].concat());
        last.extend([size.0, place.0].concat());
        last.extend([0; 2]);
        self.put(&last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rawzip::ZipArchive;

    /// A name, the place of the contents, the contents.
    type File = (String, u64, Vec<u8>);

    /// An archive of three files, and its files with the places of their contents, as another library reads them.
    fn written(long: u64, many: usize) -> (Vec<u8>, Vec<File>) {
        let mut bytes = Vec::new();
        let mut zip = Zip::new(|part: &[u8]| {
            bytes.extend(part);
            Ok(())
        });
        (zip.long, zip.many) = (long, many);
        for (name, contents) in [("a/first", &b"abc"[..]), ("a/empty", b""), ("a/last", &[7; 200])] {
            zip.file(name, contents).expect("memory can be written");
        }
        zip.finish().expect("memory can be written");
        let archive = ZipArchive::from_slice(&bytes).expect("it is an archive");
        assert_eq!(archive.entries_hint(), 3);
        let mut files = Vec::new();
        let mut ways = Vec::new();
        for entry in archive.entries() {
            let entry = entry.expect("its entry is whole");
            let name = String::from_utf8(entry.file_path().as_ref().to_vec()).expect("names are ASCII");
            ways.push((name, entry.wayfinder()));
        }
        for (name, way) in ways {
            let entry = archive.get_entry(way).expect("its file is there");
            let (from, to) = entry.compressed_data_range();
            let data = bytes[from as usize..to as usize].to_vec();
            let mut read = Vec::new();
            std::io::copy(&mut entry.verifying_reader(entry.data()), &mut read).expect("its sum is right");
            assert_eq!(read, data);
            files.push((name, from, data));
        }
        (bytes, files)
    }

    #[test]
    fn archives_have_aligned_files_in_short_and_long_fields() {
        let (short, expected) = written(u32::MAX.into(), u16::MAX.into());
        let names: Vec<&str> = expected.iter().map(|file| file.0.as_str()).collect();
        assert_eq!(names, ["a/first", "a/empty", "a/last"]);
        assert_eq!(expected[0].2, b"abc");
        assert_eq!(expected[2].2, [7; 200]);
        assert!(!short.windows(4).any(|four| four == b"PK\x06\x06"));
        // Longer fields of each kind: sizes, places, the number of files.
        for (long, many) in [(0, 3), (100, 9), (u32::MAX.into(), 3)] {
            let (bytes, files) = written(long, many);
            assert!(bytes.windows(4).any(|four| four == b"PK\x06\x06"));
            let contents = |files: &[File]| -> Vec<_> {
                files.iter().map(|(name, _, data)| (name.clone(), data.clone())).collect()
            };
            assert_eq!(contents(&files), contents(&expected));
            assert!(files.iter().all(|(_, at, _)| at % ALIGNMENT == 0), "{files:?}");
        }
        assert!(expected.iter().all(|(_, at, _)| at % ALIGNMENT == 0), "{expected:?}");
    }

    #[test]
    fn the_count_of_files_is_long_where_the_short_field_ends() {
        for (count, long) in [(65_534, false), (65_535, true), (65_600, true)] {
            let mut bytes = Vec::new();
            let mut zip = Zip::new(|part: &[u8]| {
                bytes.extend(part);
                Ok(())
            });
            (0..count).for_each(|i| zip.file(&i.to_string(), b"").expect("memory can be written"));
            zip.finish().expect("memory can be written");
            assert_eq!(bytes[bytes.len() - 98..].starts_with(b"PK\x06\x06"), long, "{count}");
            let archive = ZipArchive::from_slice(&bytes).expect("it is an archive");
            assert_eq!(archive.entries_hint(), count);
            let last = archive.entries().last().expect("there are files").expect("its entry is whole");
            assert_eq!(last.file_path().as_ref(), (count - 1).to_string().as_bytes());
        }
    }
}
