//! What [`Weights::load_with`] takes from a file, and under which names.

use std::fmt;
use std::sync::Arc;

/// Prefixes that programs put in front of PyTorch's names: data-parallel training, `torch.compile`, and modules that
/// hold the network in a field `model`.
const WRAPPERS: [&str; 3] = ["module.", "_orig_mod.", "model."];

/// A condition on a name.
type Condition = Arc<dyn Fn(&str) -> bool + Send + Sync>;
/// A new name for a name.
type Renaming = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// Options of [`Weights::load_with`](crate::Weights::load_with). By default every tensor has to be there, under the
/// name that it has here, and no other.
///
/// A tensor's name in the file becomes its name here in this order: prefixes are stripped, then each renaming is
/// applied, in the order in which they were added. Filters see the result.
///
/// ```no_run
/// # fn main() -> wgrad::Result<()> {
/// # use wgrad::weights::LoadOptions;
/// # fn load(weights: &wgrad::Weights) -> wgrad::Result<()> {
/// let options = LoadOptions::new()
///     .strip_wrappers() // "module.encoder.0.weight" is "encoder.0.weight"
///     .rename_prefix("encoder.", "body.") // and then "body.0.weight"
///     .filter(|name| !name.starts_with("fc.")); // the head keeps its initial values
/// println!("{}", weights.load_with("pretrained.safetensors", &options)?);
/// # Ok(())
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
#[must_use = "options do nothing until they are given to Weights::load_with"]
pub struct LoadOptions {
    prefixes: Vec<String>,
    renamings: Vec<Renaming>,
    filters: Vec<Condition>,
    pub(super) partial: bool,
    pub(super) averages: bool,
}

impl LoadOptions {
    /// Options of a strict load.
    pub fn new() -> Self {
        LoadOptions::default()
    }

    /// Removes a prefix from the names in the file, such as `backbone.`. With several prefixes it removes them in any
    /// order and as often as they follow each other. Names that the network has stay as they are.
    pub fn strip_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefixes.push(prefix.into());
        self
    }

    /// Removes `module.`, `_orig_mod.` and `model.`, which data-parallel training, `torch.compile` and wrapping modules
    /// put in front of PyTorch's names, as [`LoadOptions::strip_prefix`] does.
    pub fn strip_wrappers(mut self) -> Self {
        self.prefixes.extend(WRAPPERS.map(str::to_owned));
        self
    }

    /// Loads the tensor `from` of the file as `to`.
    pub fn rename(self, from: impl Into<String>, to: impl Into<String>) -> Self {
        let (from, to) = (from.into(), to.into());
        self.rename_with(move |name| if name == from { to.clone() } else { name.to_owned() })
    }

    /// Replaces a prefix of the names in the file.
    pub fn rename_prefix(self, from: impl Into<String>, to: impl Into<String>) -> Self {
        let (from, to) = (from.into(), to.into());
        self.rename_with(move |name| match name.strip_prefix(&from) {
            Some(rest) => format!("{to}{rest}"),
            None => name.to_owned(),
        })
    }

    /// Gives every tensor of the file the name that `renamed` makes of its name.
    pub fn rename_with(mut self, renamed: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        self.renamings.push(Arc::new(renamed));
        self
    }

    /// Loads only tensors for whose name here `condition` holds. The others keep their contents, and it does not matter
    /// whether the file has them, or of which shape. If there are several filters, all have to hold.
    pub fn filter(mut self, condition: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.filters.push(Arc::new(condition));
        self
    }

    /// Loads what the file and the network both have, as PyTorch's `strict=False`. Tensors that the file lacks keep
    /// their contents, and those that the network lacks are left over; the report lists both. A tensor of another shape
    /// is an error all the same, and so is a file that has none of the tensors.
    pub fn partial(mut self) -> Self {
        self.partial = true;
        self
    }

    /// Takes the averages of parameters that a checkpoint holds
    /// ([`Optimizer::average`](crate::optim::Optimizer::average)) in place of the parameters, to evaluate or to start
    /// another training with them. A file without averages is an error.
    pub fn averages(mut self) -> Self {
        self.averages = true;
        self
    }

    /// The name here of a file's tensor. `known` says which names the network has.
    pub(super) fn renamed(&self, name: &str, known: impl Fn(&str) -> bool) -> String {
        let mut rest = name;
        while !known(rest) {
            let nonempty = self.prefixes.iter().filter(|prefix| !prefix.is_empty());
            let Some(stripped) = nonempty.filter_map(|prefix| rest.strip_prefix(prefix.as_str())).next()
            else {
                break;
            };
            rest = stripped;
        }
        self.renamings.iter().fold(rest.to_owned(), |name, renamed| renamed(&name))
    }

    /// Whether all filters hold.
    pub(super) fn keeps(&self, name: &str) -> bool {
        self.filters.iter().all(|condition| condition(name))
    }
}

/// The wrappers in front of a name, if the network has the rest.
pub(super) fn wrappers_of(name: &str, known: impl Fn(&str) -> bool) -> Option<&str> {
    let rest = LoadOptions::new().strip_wrappers().renamed(name, &known);
    (rest.len() < name.len() && known(&rest)).then(|| &name[..name.len() - rest.len()])
}

impl fmt::Debug for LoadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadOptions")
            .field("prefixes", &self.prefixes)
            .field("renamings", &self.renamings.len())
            .field("filters", &self.filters.len())
            .field("partial", &self.partial)
            .field("averages", &self.averages)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_come_off_in_any_order_and_known_names_stay() {
        let known = |name: &str| ["fc.weight", "model.0.weight"].contains(&name);
        let options = LoadOptions::new().strip_wrappers().strip_prefix("net.");
        for (name, expected) in [
            ("fc.weight", "fc.weight"),
            ("module.fc.weight", "fc.weight"),
            ("module._orig_mod.module.fc.weight", "fc.weight"),
            ("_orig_mod.net.model.fc.weight", "fc.weight"),
            ("model.0.weight", "model.0.weight"),
            ("module.model.0.weight", "model.0.weight"),
            ("module.other", "other"),
            ("modules.fc.weight", "modules.fc.weight"),
        ] {
            assert_eq!(options.renamed(name, known), expected);
        }
        assert_eq!(wrappers_of("module._orig_mod.fc.weight", known), Some("module._orig_mod."));
        assert_eq!(wrappers_of("module.other", known), None);
        assert_eq!(LoadOptions::new().strip_prefix("").renamed("a", known), "a");
    }

    #[test]
    fn renamings_follow_in_order() {
        let options = LoadOptions::new()
            .strip_prefix("module.")
            .rename_prefix("encoder.", "body.")
            .rename("body.0.weight", "stem.weight")
            .rename_with(|name| name.replace("gamma", "weight"))
            .filter(|name| !name.starts_with("head."))
            .filter(|name| name.ends_with("weight"));
        for (name, expected) in [
            ("module.encoder.0.weight", "stem.weight"),
            ("encoder.1.gamma", "body.1.weight"),
            ("other.encoder.2", "other.encoder.2"),
        ] {
            assert_eq!(options.renamed(name, |_| false), expected);
        }
        assert!(options.keeps("stem.weight") && !options.keeps("head.weight") && !options.keeps("stem.bias"));
    }
}
