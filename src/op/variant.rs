//! Kernel variants, and which of them an operator prefers on each kind of adapter.
//!
//! An operator says which of its variants can compute a shape ([`Operator::variants`](super::Operator::variants)) and
//! which it prefers ([`Operator::preference`](super::Operator::preference)). The plan takes the first preferred one
//! that can compute the shape.

use super::AdapterKind;
use std::fmt;

/// A kernel variant of an operator. Operators keep theirs as constants, so a misspelt one does not compile.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Variant {
    name: &'static str,
    adapters: Adapters,
    floats: Floats,
}

/// The adapters that gain by a variant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Adapters {
    Any,
    Gpus,
    SwiftShader,
}

/// The precision of plans that a variant suits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Floats {
    Any,
    Single,
    Half,
}

impl Variant {
    /// The only variant of an operator that names none.
    pub const DEFAULT: Variant = Variant::new("default");

    /// A variant of this name.
    pub const fn new(name: &'static str) -> Variant {
        Variant { name, adapters: Adapters::Any, floats: Floats::Any }
    }

    /// A variant that only GPUs gain by. It computes the same anywhere, but the tuner leaves it out on software
    /// adapters.
    pub const fn for_gpus(name: &'static str) -> Variant {
        Variant { name, adapters: Adapters::Gpus, floats: Floats::Any }
    }

    /// A variant that only [`AdapterKind::SwiftShader`] gains by. It computes the same anywhere, but the tuner leaves it out
    /// on other adapters.
    pub const fn for_swiftshader(name: &'static str) -> Variant {
        Variant { name, adapters: Adapters::SwiftShader, floats: Floats::Any }
    }

    /// This variant, which keeps intermediate results in f32: plans of mixed precision take it only if it is asked for or
    /// measured to be faster.
    pub const fn in_f32(self) -> Variant {
        Variant { floats: Floats::Single, ..self }
    }

    /// This variant, which rounds the node's first two inputs to f16: only plans of mixed precision have it.
    pub const fn in_f16(self) -> Variant {
        Variant { floats: Floats::Half, ..self }
    }

    /// The name that [`PlanOptions::variant`](crate::PlanOptions::variant) takes.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Whether only GPUs gain by it.
    pub const fn is_for_gpus(self) -> bool {
        matches!(self.adapters, Adapters::Gpus)
    }

    /// Whether the tuner measures it on adapters of this kind.
    ///
    /// ```
    /// use wgrad::op::AdapterKind::{Discrete, Software, SwiftShader};
    /// use wgrad::op::Variant;
    ///
    /// let kinds = [Discrete, Software, SwiftShader];
    /// assert_eq!(kinds.map(|kind| Variant::new("any").suits(kind)), [true, true, true]);
    /// assert_eq!(kinds.map(|kind| Variant::for_gpus("large").suits(kind)), [true, false, false]);
    /// assert_eq!(kinds.map(|kind| Variant::for_swiftshader("rows").suits(kind)), [false, false, true]);
    /// ```
    pub const fn suits(self, kind: AdapterKind) -> bool {
        match self.adapters {
            Adapters::Any => true,
            Adapters::Gpus => !kind.is_software(),
            Adapters::SwiftShader => matches!(kind, AdapterKind::SwiftShader),
        }
    }

    /// Whether it keeps intermediate results in f32.
    pub const fn is_in_f32(self) -> bool {
        matches!(self.floats, Floats::Single)
    }

    /// Whether it rounds the node's first two inputs to f16.
    pub const fn is_in_f16(self) -> bool {
        matches!(self.floats, Floats::Half)
    }
}

impl AsRef<str> for Variant {
    fn as_ref(&self) -> &str {
        self.name
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Preferred variants by kind of adapter, the best first, for a class of shapes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Preference {
    class: &'static str,
    by_kind: [&'static [Variant]; 5],
    in_f16: &'static [Variant],
}

impl Preference {
    /// No preference: an operator with one variant.
    pub const NONE: Preference = Preference::all(&[]);

    /// One preference for all adapters.
    pub const fn all(variants: &'static [Variant]) -> Preference {
        Preference { class: "", by_kind: [variants; 5], in_f16: &[] }
    }

    /// One preference for all GPUs, and one for software adapters.
    pub const fn gpus(gpus: &'static [Variant], software: &'static [Variant]) -> Preference {
        Preference::all(gpus).on_software(software)
    }

    /// Replaces the preference for adapters that run kernels on the processor.
    #[must_use]
    pub const fn on_software(self, variants: &'static [Variant]) -> Preference {
        self.on(AdapterKind::Software, variants).on(AdapterKind::SwiftShader, variants)
    }

    /// Replaces the preference for one kind of adapter.
    #[must_use]
    pub const fn on(mut self, kind: AdapterKind, variants: &'static [Variant]) -> Preference {
        self.by_kind[kind as usize] = variants;
        self
    }

    /// States what GPUs prefer to all that if the plan's precision offers it.
    #[must_use]
    pub const fn in_f16(mut self, variants: &'static [Variant]) -> Preference {
        self.in_f16 = variants;
        self
    }

    /// Names the class of shapes for which this holds; the plan prints the name.
    #[must_use]
    pub const fn for_class(mut self, class: &'static str) -> Preference {
        self.class = class;
        self
    }

    /// Name of the class of shapes; empty if there is only one.
    pub const fn class(&self) -> &'static str {
        self.class
    }

    /// The preferred variants on this kind of adapter, the best first.
    pub const fn variants(&self, kind: AdapterKind) -> &'static [Variant] {
        self.by_kind[kind as usize]
    }

    /// The first preferred variant that is `offered`, and the reason.
    pub(crate) fn choose(&self, kind: AdapterKind, offered: &[Variant]) -> (Variant, String) {
        if let [only] = offered {
            return (*only, "the only one".into());
        }
        if let Some(variant) = self.in_f16.iter().find(|variant| offered.contains(variant))
            && !kind.is_software()
        {
            return (*variant, "first choice in mixed precision".into());
        }
        let preferred = self.variants(kind);
        if preferred.is_empty() {
            return (offered[0], "no preference is stated".into());
        }
        let shapes =
            if self.class.is_empty() { String::new() } else { format!(" for {} shapes", self.class) };
        match preferred.iter().position(|variant| offered.contains(variant)) {
            Some(0) => (preferred[0], format!("first choice{shapes} on {kind} adapters")),
            Some(rank) => {
                (preferred[rank], format!("first choice that computes this{shapes} on {kind} adapters"))
            }
            None => (offered[0], "no preferred one computes this shape".into()),
        }
    }
}
