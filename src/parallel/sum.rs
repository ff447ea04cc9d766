//! Sums over ranks: the rounds of a rank, run over a communicator.

use super::Communicator;
use super::tree::{Round, rounds};
use crate::error::{Error, Result};

/// Replaces `data` on every rank by its sum over the ranks, element by element, in the order of the tree: the sum of each
/// pair of neighbours, then of each pair of pairs, and so on. All ranks get the same bits. Numbers below f32's least
/// normal one count as zeros ([`add`]).
///
/// Each rank sends and receives `2 (1 - 1 / ranks)` times the data: halves of halves are summed, each by one rank, and
/// then handed around (recursive halving and doubling; Thakur, Rabenseifner and Gropp, "Optimization of Collective
/// Communication Operations in MPICH", 2005).
///
/// # Errors
/// A number of ranks that is no power of two; data of another length on another rank; those of the communicator.
pub fn sum(communicator: &mut dyn Communicator, data: &mut [f32]) -> Result<()> {
    let sum = Sum::new(communicator.rank(), communicator.ranks(), data.len())?;
    let mut received = vec![0.0; sum.received()];
    sum.run(communicator, data, &mut received)
}

/// A [`sum`](fn@sum) over so many elements that is computed again and again: its rounds are made once, and running it
/// allocates nothing.
///
/// ```
/// use wgrad::parallel::Sum;
///
/// let sum = Sum::new(3, 8, 1024)?; // the last but four of eight ranks
/// assert_eq!(sum.received(), 512);
/// assert_eq!(sum.sent_bytes(), 4 * 2 * (512 + 256 + 128));
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sum {
    rounds: Vec<Round>,
    elements: usize,
}

impl Sum {
    /// The sum over `elements` elements as one rank runs it.
    ///
    /// # Errors
    /// A number of ranks that is no power of two; a rank that there is not.
    pub fn new(rank: usize, ranks: usize, elements: usize) -> Result<Sum> {
        Ok(Sum { rounds: rounds(rank, ranks, elements)?, elements })
    }

    /// Elements of memory that [`Sum::run`] needs for what is received.
    pub fn received(&self) -> usize {
        self.rounds.iter().filter(|round| round.adds).map(|round| round.receive.len()).max().unwrap_or(0)
    }

    /// Bytes that this rank sends in one run.
    pub fn sent_bytes(&self) -> u64 {
        self.rounds.iter().map(|round| 4 * round.send.len() as u64).sum()
    }

    /// Replaces `data` by its sum over the ranks. `received` is memory for [`Sum::received`] elements.
    ///
    /// # Errors
    /// Memory of another length; data of another length on another rank; those of the communicator.
    pub fn run(
        &self,
        communicator: &mut dyn Communicator,
        data: &mut [f32],
        received: &mut [f32],
    ) -> Result<()> {
        if data.len() != self.elements || received.len() < self.received() {
            return Err(Error::Parallel(format!(
                "{} elements and memory for {} that are received, expected {} and {}",
                data.len(),
                received.len(),
                self.elements,
                self.received()
            )));
        }
        for round in &self.rounds {
            if round.adds {
                let into = &mut received[..round.receive.len()];
                communicator.exchange(round.partner, &data[round.send.clone()], into)?;
                for (sum, part) in data[round.receive.clone()].iter_mut().zip(into) {
                    *sum = add(*sum, *part);
                }
            } else {
                let [send, receive] = parts(data, round);
                communicator.exchange(round.partner, send, receive)?;
            }
        }
        Ok(())
    }
}

/// The sum of two numbers as all sums over micro-batches are made, on the host and on a device: numbers below f32's
/// least normal one are zeros, before and after. Many devices take them for zeros, and the sum must not depend on where
/// it is made.
pub fn add(a: f32, b: f32) -> f32 {
    normal_or_zero(normal_or_zero(a) + normal_or_zero(b))
}

fn normal_or_zero(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(if bits & 0x7f80_0000 == 0 { bits & 0x8000_0000 } else { bits })
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
