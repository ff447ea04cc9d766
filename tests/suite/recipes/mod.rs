//! Training recipes around the optimizer's rule: groups, freezing, accumulation, averages; schedules; initial
//! weights; whitening and evaluation by views.

mod first_weights;
mod parameters;
mod schedules;
mod views;
