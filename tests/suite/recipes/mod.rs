//! What a recipe of training has beside the optimizer's rule: groups, freezing, accumulation, averages;
//! schedules; first weights.

mod first_weights;
mod parameters;
mod schedules;
