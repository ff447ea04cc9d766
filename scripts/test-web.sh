#!/bin/sh
# Drives the page of examples/web in headless Chromium with its software WebGPU (tests/web/page.mjs).
set -eu
cd "$(dirname "$0")/.."
. scripts/ensure-browser.sh
scripts/web.sh --build
. scripts/ensure-adapter.sh
cargo run --release --example mnist -- --no-progress --max-steps 40 --save target/native.safetensors \
    --logits target/native.csv >/dev/null
exec node "$tools/page.mjs" "$browser" target/web target/native
