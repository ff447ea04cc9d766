#!/bin/sh
# Drives the page of examples/web in headless Chromium with its software WebGPU (tests/web/page.mjs).
set -eu
cd "$(dirname "$0")/.."
scripts/web.sh --build
tools=target/tools
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$browser" ]; then
    apt-get install -y --no-install-recommends chromium >/dev/null
    browser=$(command -v chromium)
fi
[ -d "$tools/node_modules/playwright-core" ] || npm install --silent --no-audit --no-fund --prefix "$tools" playwright-core
cp tests/web/page.mjs "$tools/page.mjs"
. scripts/ensure-adapter.sh
accuracy=$(cargo run --release --example mnist -- --no-progress --max-steps 40 --save target/native.safetensors |
    sed -n 's/^done: test accuracy \([0-9.]*\) %.*/\1/p')
exec node "$tools/page.mjs" "$browser" target/web target/native.safetensors "$accuracy"
