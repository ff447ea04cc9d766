//! The option `--mixed`: the floats that a step is planned with.

use wgrad::PlanOptions;
use wgrad::plan::Precision;

/// Which floats a step keeps.
#[derive(clap::Args, Clone, Copy)]
pub(crate) struct Wanted {
    /// Keep activations in f16, by cooperative matrices where the adapter has them; training scales the loss
    #[arg(long)]
    pub(crate) mixed: bool,
}

impl Wanted {
    pub(crate) fn options(self) -> PlanOptions {
        PlanOptions::default().precision(if self.mixed { Precision::Mixed } else { Precision::F32 })
    }

    /// What is added to the name of what a step does.
    pub(crate) fn words(self) -> &'static str {
        if self.mixed { " in mixed precision" } else { "" }
    }

    /// Its name in JSON.
    pub(crate) fn name(self) -> &'static str {
        if self.mixed { "mixed" } else { "f32" }
    }
}
