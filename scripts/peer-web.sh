#!/bin/sh
# Trains the network of examples/web beside tfjs, in the same headless Chromium, and prints a table
# (benches/peers/web/compare.mjs). An argument is the number of turns.
set -eu
cd "$(dirname "$0")/.."
tfjs=4.22.0
esbuild=0.28.2
scripts/web.sh --build
. scripts/ensure-browser.sh
installed() {
    grep -qs "\"version\": \"$2\"" "$tools/node_modules/$1/package.json"
}
if ! { installed @tensorflow/tfjs $tfjs && installed esbuild $esbuild; }; then
    npm install --silent --no-audit --no-fund --prefix "$tools" "@tensorflow/tfjs@$tfjs" \
        "@tensorflow/tfjs-backend-webgpu@$tfjs" "esbuild@$esbuild"
fi
out=target/peer-web
rm -rf "$out"
for bundle in whole chosen; do
    mkdir -p "$out/$bundle"
    cp benches/peers/web/index.html "$out/$bundle/"
    NODE_PATH="$tools/node_modules" "$tools/node_modules/.bin/esbuild" "benches/peers/web/$bundle.js" --bundle --minify \
        --format=esm --log-level=warning --legal-comments=none --outfile="$out/$bundle/worker.js"
done
mkdir "$out/published"
cp "$tools/node_modules/@tensorflow/tfjs/dist/tf.min.js" \
    "$tools/node_modules/@tensorflow/tfjs-backend-webgpu/dist/tf-backend-webgpu.min.js" "$out/published/"
cp benches/peers/web/compare.mjs "$tools/peer-web.mjs"
exec node "$tools/peer-web.mjs" "$browser" target/web "$out/whole" "$out/chosen" "$out/published" "$@"
