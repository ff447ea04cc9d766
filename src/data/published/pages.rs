//! Where published data sets are downloaded: one table, from which errors about missing files take their advice.

use crate::data::files::fault;
use crate::error::{Error, Result};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The data sets that one reader reads.
pub(super) struct Published {
    /// The name of each data set, and the page that has its files.
    pages: &'static [(&'static str, &'static str)],
    /// What to download there, and what to do with it.
    download: &'static str,
}

pub(super) const MNIST: Published = Published {
    pages: &[
        ("MNIST", "https://github.com/cvdfoundation/mnist"),
        ("Fashion-MNIST", "https://github.com/zalandoresearch/fashion-mnist"),
        ("KMNIST", "https://github.com/rois-codh/kmnist"),
        ("QMNIST", "https://github.com/facebookresearch/qmnist"),
    ],
    download: "the four files and keep their names",
};

pub(super) const EMNIST: Published = Published {
    pages: &[("EMNIST", "https://www.nist.gov/itl/products-and-services/emnist-dataset")],
    download: "gzip.zip, unpack it, and name the directory gzip in it",
};

pub(super) const CIFAR: Published = Published {
    pages: &[("CIFAR-10 and CIFAR-100", "https://www.cs.toronto.edu/~kriz/cifar.html")],
    download: "the binary version, and name the archive or the directory that it unpacks to",
};

impl Published {
    /// An error that ends with the advice to download the files.
    pub(super) fn missing(&self, path: &Path, message: &str) -> Error {
        let pages: Vec<String> = self.pages.iter().map(|(set, page)| format!("{set} from {page}")).collect();
        fault(path, format!("{message}; download {}: {}", self.download, pages.join(", ")))
    }

    /// The file in `directory` that has one of these names, plain or with `.gz`.
    pub(super) fn find(&self, directory: &Path, names: &[&str]) -> Result<PathBuf> {
        let paths =
            names.iter().flat_map(|name| [directory.join(name), directory.join(format!("{name}.gz"))]);
        let mut folder = None;
        for path in paths {
            match std::fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => folder = folder.or(Some(path)),
                Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                // Opening it reports any other problem.
                _ => return Ok(path),
            }
        }
        if let Some(folder) = folder {
            return Err(fault(
                &folder,
                "is a directory, expected a file; move the file in it up beside the others",
            ));
        }
        let wanted = format!("{}, plain or with .gz", names.join(" or "));
        if directory.is_dir() {
            let path = directory.join(format!("{}.gz", names[0]));
            return Err(self.missing(&path, &format!("does not exist; expected {wanted}, in this directory")));
        }
        let found = if directory.exists() { "is not a directory" } else { "does not exist" };
        Err(self.missing(directory, &format!("{found}; expected a directory that holds {wanted}")))
    }
}
