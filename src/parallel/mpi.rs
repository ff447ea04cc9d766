//! Ranks that `mpirun` starts, by the engine that clusters have: Open MPI, MPICH and others.

use super::Communicator;
use crate::error::{Error, Result};
use mpi::request::{self, Request};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, Destination as _, Equivalence, Source as _};
use std::fmt;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// The most elements of a message. A count of MPI has 31 bits.
const MOST: usize = 1 << 28;
/// How long a rank asks for a message without a pause, and how long it then rests between questions. Ranks that share
/// processors with their software adapters must not keep one busy.
const SPIN: Duration = Duration::from_micros(200);
const REST: Duration = Duration::from_micros(50);

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
    limit: Duration,
    local_rank: usize,
    /// MPI ends when it is dropped. [`Mpi::run`] keeps it.
    universe: Option<mpi::environment::Universe>,
}

impl fmt::Debug for Mpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mpi")
            .field("rank", &self.rank())
            .field("ranks", &self.ranks())
            .field("local_rank", &self.local_rank)
            .field("limit", &self.limit)
            .finish()
    }
}

impl Mpi {
    /// Starts MPI, which a process does once.
    ///
    /// # Errors
    /// MPI that was started before; one that does not allow other threads beside.
    pub fn start() -> Result<Mpi> {
        let (universe, allowed) = mpi::initialize_with_threading(mpi::Threading::Serialized)
            .ok_or_else(|| Error::Parallel("MPI was started before; a process starts it once".into()))?;
        if allowed < mpi::Threading::Serialized {
            let message = format!("MPI allows {allowed:?} threads, expected Serialized; use another MPI");
            return Err(Error::Parallel(message));
        }
        let world = SimpleCommunicator::world();
        let local_rank = world.split_shared(world.rank()).rank().unsigned_abs() as usize;
        Ok(Mpi { limit: Duration::from_secs(300), local_rank, universe: Some(universe) })
    }

    /// Starts MPI, and runs a program with this process's rank. If the program fails, all ranks are ended, and this one says
    /// the error on standard error: others might wait for it otherwise, and MPI's end, in which all ranks wait for all, for
    /// them.
    ///
    /// ```no_run
    /// use wgrad::parallel::{self, Communicator, Mpi};
    ///
    /// let sum = Mpi::run(|mut ranks| {
    ///     let mut sum = [ranks.rank() as f32];
    ///     parallel::sum(&mut ranks, &mut sum)?;
    ///     wgrad::Result::Ok(sum[0])
    /// })?;
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Mpi::start`]; those of the program where there is one rank.
    pub fn run<T, E: fmt::Display + From<Error>>(program: impl FnOnce(Mpi) -> Result<T, E>) -> Result<T, E> {
        let mut ranks = Mpi::start()?;
        let universe = ranks.universe.take();
        let done = program(ranks);
        if let Err(error) = &done {
            end_all(error);
        }
        drop(universe);
        done
    }

    /// Sets how long a rank waits for another; 5 minutes otherwise.
    ///
    /// MPI can't take back a message that is under way. So a rank that waited as long says which one it waits for, on
    /// standard error, and ends all ranks by `MPI_Abort`.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Waits for both messages of an exchange. Returns the elements received.
    fn wait<'a>(
        &self,
        partner: usize,
        send: Request<'a, [f32], &request::LocalScope<'a>>,
        receive: Request<'a, [f32], &request::LocalScope<'a>>,
    ) -> usize {
        let start = Instant::now();
        let (mut send, mut receive, mut received) = (Some(send), Some(receive), 0);
        while send.is_some() || receive.is_some() {
            send = send.and_then(|request| request.test().err());
            receive = receive.and_then(|request| match request.test() {
                Ok(status) => {
                    received = status.count(f32::equivalent_datatype()).unsigned_abs() as usize;
                    None
                }
                Err(request) => Some(request),
            });
            let waited = start.elapsed();
            if waited > self.limit {
                say(&format!(
                    "error: parallel: rank {partner} did not answer rank {} within {:?}; see whether it stalls, or set a longer limit with Mpi::limit",
                    self.rank(),
                    self.limit
                ));
                SimpleCommunicator::world().abort(1);
            }
            if waited > SPIN {
                std::thread::sleep(REST);
            }
        }
        received
    }
}

impl Communicator for Mpi {
    fn rank(&self) -> usize {
        SimpleCommunicator::world().rank().unsigned_abs() as usize
    }

    fn ranks(&self) -> usize {
        SimpleCommunicator::world().size().unsigned_abs() as usize
    }

    fn local_rank(&self) -> usize {
        self.local_rank
    }

    fn exchange(&mut self, partner: usize, send: &[f32], receive: &mut [f32]) -> Result<()> {
        let (rank, ranks) = (self.rank(), self.ranks());
        if partner == rank || partner >= ranks {
            return Err(Error::Parallel(format!("rank {rank} of {ranks} has no partner {partner}")));
        }
        let expected = receive.len();
        let world = SimpleCommunicator::world();
        let other = world.process_at_rank(partner as i32);
        let (mut sent, mut received) = (0, 0);
        while sent < send.len() || received < expected {
            let (s, r) = (MOST.min(send.len() - sent), MOST.min(expected - received));
            let (out, into) = (&send[sent..sent + s], &mut receive[received..received + r]);
            let came = request::scope(|scope| {
                let into = other.immediate_receive_into(scope, into);
                let out = other.immediate_send(scope, out);
                self.wait(partner, out, into)
            });
            if came != r {
                return Err(Error::Parallel(format!(
                    "rank {partner} sent {came} elements, and rank {rank} expected {r}; both must train the same graph"
                )));
            }
            (sent, received) = (sent + s, received + r);
        }
        Ok(())
    }

    /// Says the error, with the rank, on standard error, and ends all ranks by `MPI_Abort`: one that left by itself would
    /// wait for the others, and they for it.
    fn give_up(&mut self, error: &Error) {
        end_all(error);
    }
}

/// Says an error, and ends all ranks if there are others.
fn end_all(error: &dyn fmt::Display) {
    let world = SimpleCommunicator::world();
    if world.size() > 1 {
        // Where all ranks have an error, it is mostly the same: rank 0 says it.
        if world.rank() > 0 {
            std::thread::sleep(Duration::from_millis(300));
        }
        say(&format!("error: rank {} of {}: {error}", world.rank(), world.size()));
        world.abort(1);
    }
}

/// Writes a line to standard error at once: another rank may end this one in the middle.
fn say(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

impl Drop for Mpi {
    fn drop(&mut self) {
        // MPI's end waits for all ranks.
        if std::thread::panicking() && self.ranks() > 1 {
            SimpleCommunicator::world().abort(1);
        }
    }
}
