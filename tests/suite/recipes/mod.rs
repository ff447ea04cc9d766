//! Training recipes around the optimizer's rule: groups, freezing, accumulation, averages; schedules; initial
//! weights.

mod first_weights;
mod parameters;
mod schedules;
