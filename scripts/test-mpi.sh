#!/bin/sh
# Tests sums over processes that mpirun starts (tests/mpi.rs). Installs Open MPI and libclang where they are missing.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh
install_mpi
cargo clippy --release --locked --features mpi --lib --test mpi -- -D warnings
exec cargo test --release --locked --features mpi --test mpi
