//! Sums over processes, in an order that does not depend on how many there are.
//!
//! `tree`: the order of a sum over micro-batches, and the rounds in which ranks exchange parts of it. `communicator`:
//! what a rank asks of the others, and ranks that are threads of one process. `mpi`: ranks that `mpirun` starts (feature
//! `mpi`). `cost`: how long a sum takes. Gradients and training are not here.
//!
//! A batch is cut into micro-batches. Each rank has as many of them, side by side, and sums their gradients; then the
//! ranks' sums are summed. Floating-point sums depend on their order, so the order is fixed by the number of
//! micro-batches alone: a range of micro-batches is halved as long as its length is even, and what is left of an odd
//! length is added up one after the other. If the number of ranks is a power of two that divides the number of
//! micro-batches, each rank's share is a subtree, and one rank computes the same bits as many.
//!
//! ```
//! use wgrad::parallel::{self, Threads};
//!
//! // Four ranks, with one number each.
//! let sums: Vec<f32> = std::thread::scope(|scope| {
//!     let ranks = Threads::new(4)?.into_iter().enumerate();
//!     let threads: Vec<_> = ranks
//!         .map(|(number, mut rank)| {
//!             scope.spawn(move || {
//!                 let mut sum = vec![number as f32];
//!                 parallel::sum(&mut rank, &mut sum).map(|()| sum[0])
//!             })
//!         })
//!         .collect();
//!     threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect::<wgrad::Result<_>>()
//! })?;
//! assert_eq!(sums, [6.0; 4]);
//! # Ok::<(), wgrad::Error>(())
//! ```

mod communicator;
mod cost;
#[cfg(feature = "mpi")]
mod mpi;
#[cfg(test)]
mod tests;
mod tree;

pub use communicator::{Communicator, Threads};
pub use cost::Cost;
#[cfg(feature = "mpi")]
pub use mpi::Mpi;
pub use tree::{Join, Joins, Round, rounds, shares};

use crate::error::Result;

/// Replaces `data` on every rank by its sum over the ranks, element by element, in the order of the tree: the sum of each
/// pair of neighbours, then of each pair of pairs, and so on. All ranks get the same bits.
///
/// Each rank sends and receives `2 (1 - 1 / ranks)` times the data: halves of halves are summed, each by one rank, and
/// then handed around (recursive halving and doubling; Thakur, Rabenseifner and Gropp, "Optimization of Collective
/// Communication Operations in MPICH", 2005).
///
/// # Errors
/// A number of ranks that is no power of two; data of another length on another rank; those of the communicator.
pub fn sum(communicator: &mut dyn Communicator, data: &mut [f32]) -> Result<()> {
    let mut received = vec![0.0; data.len().div_ceil(2)];
    sum_with(communicator, data, &mut received)
}

/// [`sum`] with memory for what is received, of half the data's length at least, which [`sum`] allocates each time.
///
/// # Errors
/// As [`sum`]; memory that is too short.
pub fn sum_with(communicator: &mut dyn Communicator, data: &mut [f32], received: &mut [f32]) -> Result<()> {
    let needed = data.len().div_ceil(2);
    if received.len() < needed {
        return Err(crate::error::Error::Parallel(format!(
            "{} elements of memory for what is received, expected {needed}",
            received.len()
        )));
    }
    for round in rounds(communicator.rank(), communicator.ranks(), data.len())? {
        if round.adds {
            let into = &mut received[..round.receive.len()];
            communicator.exchange(round.partner, &data[round.send], into)?;
            for (sum, part) in data[round.receive].iter_mut().zip(into) {
                *sum += *part;
            }
        } else {
            let [send, receive] = parts(data, &round);
            communicator.exchange(round.partner, send, receive)?;
        }
    }
    Ok(())
}

/// The two parts of a round, which do not overlap.
fn parts<'d>(data: &'d mut [f32], round: &Round) -> [&'d mut [f32]; 2] {
    let (send, receive) = (round.send.clone(), round.receive.clone());
    if send.end <= receive.start {
        let (low, high) = data.split_at_mut(receive.start);
        [&mut low[send], &mut high[..receive.len()]]
    } else {
        let (low, high) = data.split_at_mut(send.start);
        [&mut high[..send.len()], &mut low[receive]]
    }
}
