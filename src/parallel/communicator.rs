//! What a rank asks of the others, and ranks that are threads of one process.

use crate::error::{Error, Result};
use crate::hash::fnv1a;
use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// One of several ranks that compute together.
pub trait Communicator: fmt::Debug + Send {
    /// This rank's number, from 0.
    fn rank(&self) -> usize;

    /// The number of ranks.
    fn ranks(&self) -> usize;

    /// This rank's number among those on its machine, from 0, by which it takes a GPU
    /// ([`DeviceOptions::local_rank`](crate::DeviceOptions::local_rank)).
    fn local_rank(&self) -> usize {
        self.rank()
    }

    /// Sends to a rank, and receives from it what it sends in the same call. Each has the length that the other expects;
    /// either may be empty.
    ///
    /// # Errors
    /// A rank that there is not, or that is gone; one that sends nothing within the limit on waiting; another length.
    fn exchange(&mut self, partner: usize, send: &[f32], receive: &mut [f32]) -> Result<()>;

    /// Ends what the ranks compute together, because this one can't go on: others that wait for it get an error, or are
    /// ended. [`Trainer::fit`](crate::train::Trainer::fit) calls it on an error.
    fn give_up(&mut self, _error: &Error) {}
}

impl Communicator for Box<dyn Communicator> {
    fn rank(&self) -> usize {
        (**self).rank()
    }

    fn ranks(&self) -> usize {
        (**self).ranks()
    }

    fn local_rank(&self) -> usize {
        (**self).local_rank()
    }

    fn exchange(&mut self, partner: usize, send: &[f32], receive: &mut [f32]) -> Result<()> {
        (**self).exchange(partner, send, receive)
    }

    fn give_up(&mut self, error: &Error) {
        (**self).give_up(error);
    }
}

/// The lists of all ranks, one behind the other in the order of ranks. Each may have a length of its own. `what` says what
/// they are; it has to be the same on all ranks.
///
/// # Errors
/// A number of ranks that is no power of two; a list longer than 2^24; a rank that does something else; those of the
/// communicator.
pub fn gather(communicator: &mut dyn Communicator, what: &str, own: &[f32]) -> Result<Vec<f32>> {
    let (rank, ranks) = (communicator.rank(), communicator.ranks());
    if !ranks.is_power_of_two() {
        return Err(Error::Parallel(format!("{ranks} ranks, expected a power of two")));
    }
    let mut all = own.to_vec();
    for level in 0..ranks.trailing_zeros() {
        let partner = rank ^ 1 << level;
        if all.len() > 1 << 24 {
            let message = format!("{} numbers of some ranks, expected at most 2^24", all.len());
            return Err(Error::Parallel(message));
        }
        let mut theirs = vec![0.0; meet(communicator, partner, what, all.len())?];
        communicator.exchange(partner, &all, &mut theirs)?;
        if rank < partner {
            all.append(&mut theirs);
        } else {
            theirs.append(&mut all);
            all = theirs;
        }
    }
    Ok(all)
}

/// Makes sure that a partner is about to do the same, and returns what it has the length of.
pub(super) fn meet(
    communicator: &mut dyn Communicator,
    partner: usize,
    what: &str,
    length: usize,
) -> Result<usize> {
    // Parts of a hash that f32 holds exactly.
    let hash = fnv1a(what.as_bytes());
    let own = [f32::from(hash as u16), f32::from((hash >> 16) as u16), length as f32];
    let mut theirs = [0.0; 3];
    communicator.exchange(partner, &own, &mut theirs)?;
    if theirs[..2] != own[..2] {
        return Err(Error::Parallel(format!(
            "rank {} exchanges {what} and rank {partner} something else; all ranks must do the same in the same order",
            communicator.rank()
        )));
    }
    Ok(theirs[2] as usize)
}

/// Ranks that are threads of one process: for one process that drives several devices, and for tests.
#[derive(Debug)]
pub struct Threads {
    rank: usize,
    limit: Duration,
    /// By partner. That to itself is never used.
    ways: Vec<Way>,
}

/// There and back.
type Way = (Sender<Vec<f32>>, Receiver<Vec<f32>>);

impl Threads {
    /// A communicator for each rank, to hand to a thread each.
    ///
    /// # Errors
    /// No rank.
    pub fn new(ranks: usize) -> Result<Vec<Threads>> {
        if ranks == 0 {
            return Err(Error::Parallel("0 ranks, expected at least 1".into()));
        }
        let limit = Duration::from_secs(60);
        let mut all: Vec<Threads> =
            (0..ranks).map(|rank| Threads { rank, limit, ways: Vec::with_capacity(ranks) }).collect();
        for low in 0..ranks {
            for high in low..ranks {
                let ((there, arrived), (back, returned)) = (channel(), channel());
                all[low].ways.push((there, returned));
                if high > low {
                    all[high].ways.push((back, arrived));
                }
            }
        }
        Ok(all)
    }

    /// Sets how long a rank waits for another; 60 seconds otherwise.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs `work` on a thread for each rank, and returns what they return, by rank.
    ///
    /// ```
    /// use wgrad::parallel::{self, Communicator, Threads};
    ///
    /// let sums = Threads::run(4, |mut rank| {
    ///     let mut sum = [rank.rank() as f32];
    ///     parallel::sum(&mut rank, &mut sum)?;
    ///     Ok(sum[0])
    /// })?;
    /// assert_eq!(sums, [6.0; 4]);
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    ///
    /// # Errors
    /// No rank; an error of `work`: the first that is not about another rank, because those follow from it; a thread that
    /// panics.
    pub fn run<T: Send>(ranks: usize, work: impl Fn(Threads) -> Result<T> + Sync) -> Result<Vec<T>> {
        let ranks = Threads::new(ranks)?;
        let work = &work;
        let results: Vec<Result<T>> = std::thread::scope(|scope| {
            let threads: Vec<_> = ranks.into_iter().map(|rank| scope.spawn(move || work(rank))).collect();
            let panicked = || Error::Parallel("the thread of a rank panicked".into());
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(panicked()))).collect()
        });
        let follows = |result: &Result<T>| matches!(result, Err(Error::Parallel(_)));
        let (followed, others): (Vec<_>, Vec<_>) = results.into_iter().partition(follows);
        // Where all went well, none follows, and the order is that of the ranks.
        others.into_iter().chain(followed).collect()
    }
}

impl Communicator for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        self.ways.len()
    }

    fn exchange(&mut self, partner: usize, send: &[f32], receive: &mut [f32]) -> Result<()> {
        let rank = self.rank;
        let Some((there, back)) = self.ways.get(partner).filter(|_| partner != rank) else {
            let ranks = self.ways.len();
            return Err(Error::Parallel(format!("rank {rank} of {ranks} has no partner {partner}")));
        };
        let gone = || Error::Parallel(format!("rank {partner} is gone, which rank {rank} exchanges with"));
        there.send(send.to_vec()).map_err(|_| gone())?;
        let received = back.recv_timeout(self.limit).map_err(|error| match error {
            RecvTimeoutError::Disconnected => gone(),
            RecvTimeoutError::Timeout => Error::Parallel(format!(
                "rank {partner} sent nothing to rank {rank} within {:?}; see whether it stalls",
                self.limit
            )),
        })?;
        if received.len() != receive.len() {
            return Err(Error::Parallel(format!(
                "rank {partner} sent {} elements, and rank {rank} expected {}; both must train the same graph",
                received.len(),
                receive.len()
            )));
        }
        receive.copy_from_slice(&received);
        Ok(())
    }
}
