#!/bin/sh
# Runs all tests on a GPU, or on a software adapter, which it installs if there is no adapter.
# Options are cargo test's.
set -eu
cd "$(dirname "$0")/.."
. scripts/ensure-adapter.sh
# Show all failures: one may explain another.
exec cargo test --release --features "${WGRAD_FEATURES:-}" --no-fail-fast "$@"
