//! Pictures in files as a data set, read when they are needed (feature `images`). `folder` and `table` list files,
//! `decode` and `resize` make one of them a picture of the wanted size; `grid` and `augmented` draw batches of them. Whole
//! data sets in memory are elsewhere.

#[cfg(not(target_arch = "wasm32"))]
mod augmented;
mod decode;
mod folder;
mod grid;
mod picture;
mod resize;
mod table;

#[cfg(not(target_arch = "wasm32"))]
pub use augmented::save_augmented;
pub use grid::Grid;
pub use picture::{Fit, Picture};

use super::dataset::{Dataset, Field, Item};

use super::files::check_names;
use crate::error::{Error, Result};
use crate::tensor::DType;
use std::path::{Path, PathBuf};

/// The extensions of files that are taken for pictures.
const EXTENSIONS: [&str; 4] = ["jpeg", "jpg", "png", "webp"];

/// Pictures in files, with their classes: PNG, JPEG and WebP. Each is decoded and brought to one size when a batch needs
/// it, so that the data set may be larger than memory.
///
/// ```no_run
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::data::{Dataset, ImageFiles, Loader, Order, Picture, split};
///
/// // pictures/cat/1.jpg, pictures/dog/2.png, ...
/// let data = ImageFiles::folder("pictures", Picture::rgb(224, 224))?;
/// println!("{} pictures of {}", data.len(), data.class_names().join(", "));
/// let (train, validation) = split(data, 0.2, 42)?;
///
/// let loader = Loader::new(32).workers(2);
/// let order = Order::shuffled(train.len(), 42, 0)?;
/// loader.run(&train, &order, 0..loader.batches(order.len()), |batch| {
///     assert_eq!(batch.u8("image")?.len(), 32 * 3 * 224 * 224);
///     Ok(())
/// })
/// # }
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct ImageFiles {
    files: Vec<(PathBuf, u32)>,
    classes: usize,
    class_names: Vec<String>,
    picture: Picture,
    fields: [Field; 2],
}

impl ImageFiles {
    /// Pictures of a folder that has a folder for each class. Classes are numbered in the order of their names' bytes,
    /// as torchvision's `ImageFolder` does, and named by them. Folders within a class are searched too. Files with other
    /// extensions than png, jpg, jpeg and webp are left out, and so is what has a name that starts with a dot.
    ///
    /// # Errors
    /// A folder that can't be listed, without folders of classes, or a class without pictures; a picture of a size that
    /// makes no sense.
    pub fn folder(path: impl AsRef<Path>, picture: Picture) -> Result<ImageFiles> {
        let (files, names) = folder::list(path.as_ref())?;
        ImageFiles::new(files, names, picture)
    }

    /// Pictures that a CSV file lists. The first two columns are a picture's path, relative to the file's folder, and
    /// its class; further columns count nowhere. Fields may be quoted. A first line whose path has no picture's extension
    /// is a heading. If all classes are whole numbers, they are the labels; otherwise they are names, numbered in the
    /// order of their bytes.
    ///
    /// # Errors
    /// A file that can't be read, without pictures, or with a line that lacks a path or a class; a picture of a size
    /// that makes no sense. Whether the pictures exist shows when they are read.
    pub fn csv(path: impl AsRef<Path>, picture: Picture) -> Result<ImageFiles> {
        let (files, names) = table::read(path.as_ref())?;
        ImageFiles::new(files, names, picture)
    }

    /// Pictures with their labels. `class_names` may be empty: then there are as many classes as the largest label needs.
    ///
    /// # Errors
    /// No files, or a label without a name; a picture of a size that makes no sense.
    pub fn new(files: Vec<(PathBuf, u32)>, class_names: Vec<String>, picture: Picture) -> Result<ImageFiles> {
        picture.check()?;
        let error = |setting, message| Err(Error::Setting { setting, message });
        let Some(largest) = files.iter().map(|(_, label)| *label).max() else {
            return error("files", "found none, expected at least one picture".into());
        };
        let needed = largest as usize + 1;
        if !class_names.is_empty() && class_names.len() < needed {
            let message = format!("found {} names, but a label of {largest}", class_names.len());
            return error("class_names", message);
        }
        let fields =
            [Field::new("image", picture.shape(), DType::U8), Field::new("label", [0; 0], DType::I32)];
        Ok(ImageFiles { files, classes: needed.max(class_names.len()), class_names, picture, fields })
    }

    /// Numbers the classes as another data set does: each label becomes its name's place in `names`. Classes that this
    /// data set lacks get a number too. Use it for a test set that lies in a folder or file of its own.
    ///
    /// # Errors
    /// Classes without names, or with one that is not among `names`.
    pub fn with_classes(mut self, names: &[String]) -> Result<ImageFiles> {
        let error = |message: String| Error::Setting { setting: "class_names", message };
        if self.class_names.is_empty() {
            check_names(names, self.classes)?;
        }
        let place = |name: &String| {
            let place = names.iter().position(|other| other == name);
            place.ok_or_else(|| error(format!("there is a class \"{name}\", expected {}", names.join(", "))))
        };
        let places = self.class_names.iter().map(place).collect::<Result<Vec<usize>>>()?;
        for (_, label) in &mut self.files {
            if let Some(&place) = places.get(*label as usize) {
                *label = place as u32;
            }
        }
        self.classes = names.len();
        self.class_names = names.to_vec();
        Ok(self)
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The file of picture `index`; `None` past the last.
    pub fn path(&self, index: usize) -> Option<&Path> {
        Some(&self.files.get(index)?.0)
    }

    /// How the pictures are read.
    pub fn picture(&self) -> &Picture {
        &self.picture
    }
}

/// `image`, bytes of \[channels, rows, columns], and `label`.
impl Dataset for ImageFiles {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn read(&self, index: usize, item: &mut Item<'_>) -> Result<()> {
        let Some((path, label)) = self.files.get(index) else {
            let message = format!("item {index} of {}", self.files.len());
            return Err(Error::Setting { setting: "index", message });
        };
        self.picture.read_into(path, item.u8("image")?)?;
        item.i32("label")?[0] = *label as i32;
        Ok(())
    }

    fn label(&self, index: usize) -> Option<usize> {
        Some(self.files.get(index)?.1 as usize)
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }
}

/// Whether a file's extension is a picture's.
fn is_picture(path: &Path) -> bool {
    let Some(extension) = path.extension().and_then(|extension| extension.to_str()) else { return false };
    EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// Names in the order of their bytes, each once, and for each of `of` the number of its name.
fn numbered(of: &[String]) -> (Vec<String>, Vec<u32>) {
    let mut names = of.to_vec();
    names.sort_unstable();
    names.dedup();
    let numbers = of.iter().map(|name| names.partition_point(|other| other < name) as u32).collect();
    (names, numbers)
}
