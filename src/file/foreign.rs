//! Recognises unexpected files by their first bytes, and says what to do about them.

use super::printable;

/// Number of first bytes that [`foreign`] looks at.
pub(crate) const START: usize = 512;

/// What a file should have been.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wanted {
    Weights,
    Data,
}

/// Describes a file that starts with these bytes, with advice: `a git-LFS pointer ...; ...`. `None` if the
/// format is unknown.
pub(crate) fn foreign(start: &[u8], wanted: Wanted) -> Option<String> {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let begins = |marks: &[&[u8]]| marks.iter().any(|mark| start.starts_with(mark));
    let tagged = |tags: &[&[u8]]| {
        tags.iter().any(|tag| text.get(..tag.len()).is_some_and(|begun| begun.eq_ignore_ascii_case(tag)))
    };
    let again = "download the file itself again";
    let unpack = "unpack it";
    let convert = match wanted {
        Wanted::Weights => "read it in Python and write its tensors with safetensors.torch.save_file",
        Wanted::Data => "read it in Python and write its arrays in the IDX format",
    };
    let onnx = match wanted {
        Wanted::Weights => "import it with onnx::Model, or give it the ending .onnx",
        Wanted::Data => "name another file",
    };
    let pickle = start.len() > 2 && start[0] == 0x80 && (2..=5).contains(&start[1]);
    let (what, advice) = if begins(&[b"version https://git-lfs"]) {
        (
            "a git-LFS pointer, a few lines of text in the place of the file",
            "run git lfs pull to fetch the file",
        )
    } else if tagged(&[b"<!doctype html", b"<html", b"<head", b"<body"]) {
        ("a web page (HTML), as of a download that failed or needs a login", again)
    } else if tagged(&[b"<?xml", b"<error"]) {
        ("XML, as of a download that was refused", again)
    } else if pickle {
        ("a Python pickle, as pickle.dump writes", convert)
    } else if begins(&[b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"]) {
        ("a zip archive", unpack)
    } else if begins(&[b"\x93NUMPY"]) {
        ("a NumPy array (.npy)", convert)
    } else if begins(&[b"\x89HDF\r\n\x1a\n"]) {
        ("an HDF5 file, as Keras writes", convert)
    } else if is_onnx(start) {
        ("an ONNX file", onnx)
    } else if begins(&[b"GGUF"]) {
        ("a GGUF file", convert)
    } else if begins(&[b"\x1f\x8b"]) {
        ("gzip data", unpack)
    } else if begins(&[b"BZh"]) {
        ("bzip2 data", unpack)
    } else if begins(&[b"\xfd7zXZ\0"]) {
        ("xz data", unpack)
    } else if begins(&[b"\x28\xb5\x2f\xfd"]) {
        ("zstd data", unpack)
    } else if begins(&[b"7z\xbc\xaf\x27\x1c"]) {
        ("a 7z archive", unpack)
    } else if start.get(257..262) == Some(b"ustar") {
        ("a tar archive", unpack)
    } else if begins(&[b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"]) {
        ("a picture (PNG or JPEG)", "name another file")
    } else if wanted == Wanted::Weights && is_idx(start) {
        ("an IDX file, data to train with", "name the file of weights")
    } else if wanted == Wanted::Data && start.get(8) == Some(&b'{') && start[5..8] == [0; 3] {
        ("a safetensors file, weights", "name the file of images or labels")
    } else if tagged(&[b"{", b"["]) {
        ("JSON text", "name another file")
    } else {
        return of_text(start);
    };
    Some(format!("{what}; {advice}"))
}

/// Whether these are the magic number and the first size of an IDX file.
fn is_idx(start: &[u8]) -> bool {
    matches!(start, [0, 0, 0x08..=0x0e, 1..=4, _, _, _, _, ..])
}

/// Whether these may be an ONNX file's version and the head of one of its first fields.
fn is_onnx(start: &[u8]) -> bool {
    matches!(start, [0x08, 1..=32, 0x12 | 0x1a | 0x22 | 0x3a | 0x42, ..])
}

/// Shows the start of a text file: it may be a server's error message.
fn of_text(start: &[u8]) -> Option<String> {
    let line = start.split(|&byte| byte == b'\n' || byte == b'\r').next()?;
    let plain = line.len() >= 4 && line.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    let line = std::str::from_utf8(line).ok().filter(|_| plain)?;
    let line = line.get(..80).unwrap_or(line);
    Some(format!("text that starts \"{}\"; download the file itself again", printable(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_first_bytes() {
        let tar = [&[b'a'; 257][..], b"ustar\0"].concat();
        for (start, what, weights, data) in [
            (
                &b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a"[..],
                "git-LFS pointer",
                "git lfs pull",
                "git lfs pull",
            ),
            (b"\x80\x02}q\0(X", "Python pickle", "save_file", "IDX"),
            (b"PK\x03\x04\0\0", "zip archive", "unpack", "unpack"),
            (b"\n  <!DOCTYPE HTML>", "HTML", "again", "again"),
            (b"\xef\xbb\xbf<html>", "HTML", "again", "again"),
            (b"<?xml version=\"1.0\"?><Error>", "XML", "again", "again"),
            (b"\x93NUMPY\x01\0", "NumPy", "save_file", "IDX"),
            (b"\x08\x0a\x12\x07pytorch", "ONNX", "onnx::Model", "another file"),
            (b"\x1f\x8b\x08", "gzip", "unpack", "unpack"),
            (b"BZh91AY", "bzip2", "unpack", "unpack"),
            (&tar, "tar archive", "unpack", "unpack"),
            (b"404: Not Found", "text that starts \"404: Not Found\"", "again", "again"),
        ] {
            let weights_text = foreign(start, Wanted::Weights).expect(what);
            let data_text = foreign(start, Wanted::Data).expect(what);
            assert!(weights_text.contains(what) && weights_text.contains(weights), "{weights_text}");
            assert!(data_text.contains(what) && data_text.contains(data), "{data_text}");
        }
        let idx = [0, 0, 8, 3, 0, 0, 0, 1];
        assert!(foreign(&idx, Wanted::Weights).is_some_and(|text| text.contains("IDX file")));
        assert_eq!(foreign(&idx, Wanted::Data), None);
        let weights = b"\x40\0\0\0\0\0\0\0{\"fc";
        assert!(foreign(weights, Wanted::Data).is_some_and(|text| text.contains("safetensors")));
        assert_eq!(foreign(weights, Wanted::Weights), None);
        for start in [&b""[..], b"PK", b"abc", b"\0\0\0\0", b"\x80", b"\x1b[2Jabcdef"] {
            assert_eq!(foreign(start, Wanted::Weights), None);
        }
    }
}
