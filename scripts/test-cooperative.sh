#!/bin/sh
# Tests products by cooperative matrices (tests/cooperative) on a newer lavapipe, which it fetches. Arguments go to the
# test program: parts of tests' names, or options such as --nocapture.
set -eu
cd "$(dirname "$0")/.."
cargo test --release --locked --features "${WGRAD_FEATURES:-}" --test cooperative --no-run
program=$(cargo test --release --locked --features "${WGRAD_FEATURES:-}" --test cooperative --no-run --message-format json |
    sed -n 's/.*"name":"cooperative".*"executable":"\([^"]*\)".*/\1/p')
exec scripts/newer-lavapipe.sh "$program" "$@"
