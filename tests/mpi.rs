//! Sums over real processes, which `mpirun` starts. Without arguments this program is the test: it starts itself under
//! `mpirun`. With `rank WHAT` it is one of the ranks. `scripts/test-mpi.sh` installs Open MPI where it is missing.

use std::process::{Command, ExitCode, Output};
use std::time::{Duration, Instant};
use wgrad::parallel::{self, Communicator, Join, Joins, Mpi};

const MICRO_BATCHES: usize = 8;
/// No power of two divides it, and it is more than MPI sends at once without a rendezvous.
const ELEMENTS: usize = 100_003;

/// What stands for the gradient of a micro-batch: numbers whose sums round differently in each order.
fn gradient(micro_batch: usize) -> Vec<f32> {
    let number = |i: usize| ((i * 7919 + micro_batch * 104_729) % 10_007) as f32 * 1.7e-3 - 8.1;
    (0..ELEMENTS).map(number).collect()
}

fn sum_of(micro_batches: std::ops::Range<usize>) -> Vec<f32> {
    let (mut kept, mut next) = (Vec::<Vec<f32>>::new(), micro_batches.clone());
    for join in Joins::new(micro_batches.len()) {
        if join == Join::Next {
            kept.extend(next.next().map(gradient));
        } else if let Some(last) = kept.pop()
            && let Some(sum) = kept.last_mut()
        {
            sum.iter_mut().zip(&last).for_each(|(a, b)| *a += b);
        }
    }
    kept.remove(0)
}

fn rank(what: &str) -> wgrad::Result<()> {
    let mut ranks = Mpi::start()?;
    let own = parallel::shares(ranks.rank(), ranks.ranks(), MICRO_BATCHES)?;
    let sum = sum_of(own);
    let (mut data, mut received) = (sum.clone(), vec![0.0; ELEMENTS.div_ceil(2)]);
    parallel::sum_with(&mut ranks, &mut data, &mut received)?;
    let hash = data.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, x| {
        (hash ^ u64::from(x.to_bits())).wrapping_mul(0x0100_0000_01b3)
    });
    println!("rank {} of {}: {hash:016x}", ranks.rank(), ranks.ranks());
    if what == "killed" {
        if ranks.rank() == 1 {
            let _ = Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
        }
        loop {
            parallel::sum_with(&mut ranks, &mut data, &mut received)?;
        }
    }
    Ok(())
}

fn mpirun(ranks: usize, what: &str) -> Output {
    let program = std::env::current_exe().expect("the program has a path");
    Command::new("mpirun")
        .args(["--oversubscribe", "-n", &ranks.to_string()])
        .arg(program)
        .args(["rank", what])
        // In a container tests run as root.
        .envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")])
        .output()
        .expect("mpirun is there: run scripts/test-mpi.sh, which installs it (Debian, Ubuntu: openmpi-bin)")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn any_number_of_processes_gives_the_bits_of_one() {
    let mut hashes = std::collections::BTreeSet::new();
    for ranks in [1, 2, 4, 8] {
        let output = mpirun(ranks, "sum");
        let said = text(&output.stdout);
        assert!(output.status.success(), "{ranks} ranks: {said}{}", text(&output.stderr));
        let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("rank ")).collect();
        assert_eq!(lines.len(), ranks, "{said}");
        hashes.extend(lines.iter().filter_map(|line| line.split_once(": ")).map(|(_, hash)| hash.to_owned()));
    }
    assert_eq!(hashes.len(), 1, "the ranks disagree: {hashes:?}");
}

fn a_killed_process_ends_all_and_is_named() {
    let start = Instant::now();
    let output = mpirun(2, "killed");
    assert!(!output.status.success());
    assert!(start.elapsed() < Duration::from_secs(20), "it took {:?}", start.elapsed());
    let said = text(&output.stderr);
    assert!(said.contains("process rank 1") && said.contains("signal 9"), "{said}");
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, what, ..] = &arguments[..]
        && first == "rank"
    {
        return rank(what).map_or_else(
            |error| {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            },
            |()| ExitCode::SUCCESS,
        );
    }
    let tests: [(&str, fn()); 2] = [
        ("any_number_of_processes_gives_the_bits_of_one", any_number_of_processes_gives_the_bits_of_one),
        ("a_killed_process_ends_all_and_is_named", a_killed_process_ends_all_and_is_named),
    ];
    for (name, test) in tests {
        test();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}
