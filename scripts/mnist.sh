#!/bin/sh
# Trains the MNIST network, on a GPU where there is one, else on a software adapter that is installed
# if need be. Options are the trainer's: scripts/mnist.sh --help
set -eu
# File names among the options are meant from where the caller stands.
here=$(pwd)
cd "$(dirname "$0")/.."
. scripts/ensure-adapter.sh
manifest=$(pwd)/Cargo.toml
cd "$here"
exec cargo run --release --manifest-path "$manifest" --example mnist -- "$@"
