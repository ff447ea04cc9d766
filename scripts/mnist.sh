#!/bin/sh
# Trains the MNIST network on a GPU, or on a software adapter, which it installs if there is no adapter.
# Options are the trainer's: scripts/mnist.sh --help
set -eu
# File names among the options are relative to the caller's folder.
here=$(pwd)
cd "$(dirname "$0")/.."
. scripts/ensure-adapter.sh
manifest=$(pwd)/Cargo.toml
cd "$here"
exec cargo run --release --features "${WGRAD_FEATURES:-}" --manifest-path "$manifest" --example mnist -- "$@"
