#!/bin/sh
# Tests sums over processes that mpirun starts (tests/mpi.rs). Installs Open MPI and libclang where they are missing.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh
install_mpi
exec cargo test --release --locked --features mpi --test mpi
