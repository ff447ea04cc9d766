//! Whether all ranks are about to do the same.

use super::Communicator;
use super::communicator::meet;
use crate::error::{Error, Result};
use crate::hash::fnv1a;

/// Bytes of an item's text that are told; its hash is of all of it.
const TOLD: usize = 48;
/// Numbers of a record: the hash in parts that f32 holds exactly, the text's length, the text.
const RECORD: usize = 4 + 1 + TOLD;

/// Fails on every rank if an item has another text on some rank than on rank 0, and names the first such item and rank.
/// All ranks call it together, before they start. An item has a name and a text that says what it is: `("seed", "42")`.
///
/// The library's version is compared in any case.
///
/// ```
/// use wgrad::parallel::{Threads, agree};
///
/// let ranks = Threads::new(2)?.into_iter();
/// let errors = std::thread::scope(|scope| {
///     let check = |mut rank: Threads, seed: u64| agree(&mut rank, &[("seed", seed.to_string())]).unwrap_err();
///     let threads: Vec<_> = ranks.zip([42, 43]).map(|(rank, seed)| scope.spawn(move || check(rank, seed))).collect();
///     threads.into_iter().map(|thread| thread.join().expect("it does not panic").to_string()).collect::<Vec<_>>()
/// });
/// assert_eq!(errors[0], errors[1]);
/// assert!(errors[0].contains("rank 1 differs from rank 0 in seed: 43 instead of 42"), "{}", errors[0]);
/// # Ok::<(), wgrad::Error>(())
/// ```
///
/// # Errors
/// A rank with another item, or with others at all; those of the communicator.
pub fn agree(communicator: &mut dyn Communicator, items: &[(&str, String)]) -> Result<()> {
    let version = ("version of wgrad", env!("CARGO_PKG_VERSION").to_owned());
    let items: Vec<(&str, &str)> = std::iter::once((version.0, version.1.as_str()))
        .chain(items.iter().map(|(name, text)| (*name, text.as_str())))
        .collect();
    let names: Vec<&str> = items.iter().map(|(name, _)| *name).collect();
    // What follows has a length that depends on the items, so their names come first.
    let mut records = record(&names.join("\n")).to_vec();
    records.extend(items.iter().flat_map(|(_, text)| record(text)));
    let (rank, ranks) = (communicator.rank(), communicator.ranks());
    let mut verdict = [0.0; 2 + RECORD];
    if rank == 0 {
        let mut found: Option<[f32; 2 + RECORD]> = None;
        for other in 1..ranks {
            let theirs = exchange(communicator, other, &records)?;
            if let Some(item) = differing(&records, &theirs) {
                found.get_or_insert_with(|| {
                    let mut found = [0.0; 2 + RECORD];
                    (found[0], found[1]) = (other as f32, item as f32);
                    found[2..].copy_from_slice(&theirs[item * RECORD..][..RECORD]);
                    found
                });
            }
        }
        verdict = found.unwrap_or(verdict);
        for other in 1..ranks {
            communicator.exchange(other, &verdict, &mut [])?;
        }
    } else {
        let theirs = exchange(communicator, 0, &records)?;
        communicator.exchange(0, &[], &mut verdict)?;
        // The verdict has the other rank's text; an error is told by that of rank 0.
        if theirs.len() == records.len() {
            records = theirs;
        }
    }
    let (other, item) = (verdict[0] as usize, verdict[1] as usize);
    if other == 0 {
        return Ok(());
    }
    let found = text(&verdict[2..]);
    if item == 0 {
        return Err(Error::Parallel(format!(
            "rank {other} compares other things than rank 0, so it is another program or has another version of wgrad; start the same program on all machines"
        )));
    }
    let expected = records.get(item * RECORD..(item + 1) * RECORD).map_or_else(String::new, text);
    Err(Error::Parallel(format!(
        "rank {other} differs from rank 0 in {}: {found} instead of {expected}; start all ranks alike",
        names.get(item - 1).copied().unwrap_or("an item")
    )))
}

/// Exchanges the record of names, and then the others if those are the same.
fn exchange(communicator: &mut dyn Communicator, partner: usize, records: &[f32]) -> Result<Vec<f32>> {
    meet(communicator, partner, "what has to be alike", 0)?;
    let mut theirs = vec![0.0; RECORD];
    communicator.exchange(partner, &records[..RECORD], &mut theirs)?;
    if theirs == records[..RECORD] {
        theirs.resize(records.len(), 0.0);
        communicator.exchange(partner, &records[RECORD..], &mut theirs[RECORD..])?;
    }
    Ok(theirs)
}

/// The first record that differs.
fn differing(records: &[f32], theirs: &[f32]) -> Option<usize> {
    records.chunks(RECORD).zip(theirs.chunks(RECORD)).position(|(ours, theirs)| ours != theirs)
}

/// A text as numbers that a communicator sends.
fn record(text: &str) -> [f32; RECORD] {
    let mut record = [0.0; RECORD];
    let hash = fnv1a(text.as_bytes());
    for (part, number) in record[..4].iter_mut().enumerate() {
        *number = f32::from((hash >> (16 * part)) as u16);
    }
    let told = &text.as_bytes()[..text.len().min(TOLD)];
    record[4] = told.len() as f32;
    for (number, &byte) in record[5..].iter_mut().zip(told) {
        *number = f32::from(byte);
    }
    record
}

/// What a record tells of its text.
fn text(record: &[f32]) -> String {
    let bytes: Vec<u8> = record[5..].iter().take(record[4] as usize).map(|&number| number as u8).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
