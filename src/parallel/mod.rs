//! Sums over processes, in an order that does not depend on how many there are.
//!
//! `tree`: the order of a sum over micro-batches, and the rounds in which ranks exchange parts of it. `sum`: those rounds,
//! run. `communicator`: what a rank asks of the others, and ranks that are threads of one process. `mpi`: ranks that
//! `mpirun` starts (feature `mpi`). `agree`: whether all ranks are about to do the same. `cost`: how long a sum takes.
//! Gradients and training are not here: see [`DataParallel`](crate::session::DataParallel).
//!
//! A batch is cut into micro-batches. Each rank has as many of them, side by side, and sums their gradients; then the
//! ranks' sums are summed. Floating-point sums depend on their order, so the order is fixed by the number of
//! micro-batches alone: a range of micro-batches is halved as long as its length is even, and what is left of an odd
//! length is added up one after the other. If the number of ranks is a power of two that divides the number of
//! micro-batches, each rank's share is a subtree, and one rank computes the same bits as many.
//!
//! ```
//! use wgrad::parallel::{self, Communicator, Threads};
//!
//! // Four ranks, with one number each.
//! let sums = Threads::run(4, |mut rank| {
//!     let mut sum = [rank.rank() as f32];
//!     parallel::sum(&mut rank, &mut sum)?;
//!     Ok(sum[0])
//! })?;
//! assert_eq!(sums, [6.0; 4]);
//! # Ok::<(), wgrad::Error>(())
//! ```

mod agree;
mod communicator;
mod cost;
#[cfg(feature = "mpi")]
mod mpi;
mod sum;
#[cfg(test)]
mod tests;
mod tree;

pub use agree::agree;
pub use communicator::{Communicator, Threads, gather};
pub use cost::Cost;
#[cfg(feature = "mpi")]
pub use mpi::Mpi;
pub use sum::{Sum, add, sum};
pub use tree::{Join, Joins, Round, rounds, shares};

/// Whether the environment says that a launcher of MPI started this process and others: Open MPI's or MPICH's `mpirun`, or
/// Slurm's `srun --mpi=pmix`. A program built without the feature `mpi` can tell its user so.
pub fn is_launched() -> bool {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<usize>().ok());
    let is_of_slurm = std::env::var_os("PMIX_RANK").is_some();
    let sizes =
        [number("OMPI_COMM_WORLD_SIZE"), number("PMI_SIZE"), number("SLURM_NTASKS").filter(|_| is_of_slurm)];
    sizes.into_iter().flatten().any(|processes| processes > 1)
}
