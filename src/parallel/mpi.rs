//! Ranks that `mpirun` starts, by the engine that clusters have: Open MPI, MPICH and others.

use super::Communicator;
use crate::error::{Error, Result};
use mpi::point_to_point::send_receive_into;
use mpi::topology::SimpleCommunicator;
use mpi::traits::Communicator as _;
use std::fmt;

/// This process's rank among those that `mpirun` started; the only one if it was started without.
///
/// ```no_run
/// use wgrad::parallel::{self, Communicator, Mpi};
///
/// let mut ranks = Mpi::start()?;
/// let mut sum = vec![ranks.rank() as f32];
/// parallel::sum(&mut ranks, &mut sum)?;
/// println!("{} ranks: {sum:?}", ranks.ranks());
/// # Ok::<(), wgrad::Error>(())
/// ```
pub struct Mpi {
    world: SimpleCommunicator,
    /// MPI ends when it is dropped, after the communicator.
    _universe: mpi::environment::Universe,
}

impl fmt::Debug for Mpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mpi").field("rank", &self.rank()).field("ranks", &self.ranks()).finish()
    }
}

impl Mpi {
    /// Starts MPI, which a process does once. The thread that does is the one that may use it.
    ///
    /// # Errors
    /// MPI that was started before; one that does not allow other threads beside.
    pub fn start() -> Result<Mpi> {
        let (universe, allowed) = mpi::initialize_with_threading(mpi::Threading::Funneled)
            .ok_or_else(|| Error::Parallel("MPI was started before; a process starts it once".into()))?;
        if allowed < mpi::Threading::Funneled {
            let message = format!("MPI allows {allowed:?} threads, expected Funneled; use another MPI");
            return Err(Error::Parallel(message));
        }
        Ok(Mpi { world: universe.world(), _universe: universe })
    }
}

impl Communicator for Mpi {
    fn rank(&self) -> usize {
        self.world.rank().unsigned_abs() as usize
    }

    fn ranks(&self) -> usize {
        self.world.size().unsigned_abs() as usize
    }

    fn exchange(&mut self, partner: usize, send: &[f32], receive: &mut [f32]) -> Result<()> {
        let (rank, ranks) = (self.rank(), self.ranks());
        if partner == rank || partner >= ranks {
            return Err(Error::Parallel(format!("rank {rank} of {ranks} has no partner {partner}")));
        }
        let expected = receive.len();
        // A count of MPI has 31 bits.
        let other = self.world.process_at_rank(partner as i32);
        let most = 1 << 28;
        let (mut sent, mut received) = (0, 0);
        while sent < send.len() || received < expected {
            let (s, r) = (most.min(send.len() - sent), most.min(expected - received));
            let status = send_receive_into(
                &send[sent..sent + s],
                &other,
                &mut receive[received..received + r],
                &other,
            );
            let came = status.count(<f32 as mpi::datatype::Equivalence>::equivalent_datatype());
            if came as usize != r {
                return Err(Error::Parallel(format!(
                    "rank {partner} sent {came} elements, and rank {rank} expected {r}; both must train the same graph"
                )));
            }
            (sent, received) = (sent + s, received + r);
        }
        Ok(())
    }
}
