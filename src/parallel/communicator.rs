//! What a rank asks of the others, and ranks that are threads of one process.

use crate::error::{Error, Result};
use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// One of several ranks that compute together.
pub trait Communicator: fmt::Debug {
    /// This rank's number, from 0.
    fn rank(&self) -> usize;

    /// The number of ranks.
    fn ranks(&self) -> usize;

    /// Sends to a rank, and receives from it what it sends in the same call. Each has the length that the other expects;
    /// either may be empty.
    ///
    /// # Errors
    /// A rank that there is not, or that is gone; one that sends nothing within the limit on waiting; another length.
    fn exchange(&mut self, partner: usize, send: &[f32], receive: &mut [f32]) -> Result<()>;
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
