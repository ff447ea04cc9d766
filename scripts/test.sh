#!/bin/sh
# Runs the whole test suite, on a GPU where there is one, else on a software adapter that is
# installed if need be. Options are cargo test's.
set -eu
cd "$(dirname "$0")/.."
. scripts/ensure-adapter.sh
# All failures at once: one may explain another.
exec cargo test --release --no-fail-fast "$@"
