#!/bin/sh
# Runs the tests as on a machine that has never run them, and counts the kernels that the driver compiles: Mesa's drivers
# keep each in a file, in a folder that is empty here. Options are cargo test's.
set -eu
cd "$(dirname "$0")/.."
. scripts/ensure-adapter.sh
cargo test --release --no-run "$@"
caches=$(mktemp -d)
trap 'rm -rf "$caches"' EXIT
export MESA_SHADER_CACHE_DIR="$caches" MESA_DISK_CACHE_MULTI_FILE=true
status=0
start=$(date +%s)
cargo test --release --no-fail-fast "$@" || status=$?
end=$(date +%s)
kernels=$(find "$caches" -type f | wc -l)
say "$((end - start)) s, $kernels kernels compiled"
exit "$status"
