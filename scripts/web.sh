#!/bin/sh
# Builds the page of examples/web into target/web, and serves it on http://localhost:8000. With --build it only builds.
set -eu
cd "$(dirname "$0")/.."
out=target/web
tools=target/tools
wasm=target/wasm32-unknown-unknown/release/wgrad_web.wasm

rustup target list --installed | grep -q '^wasm32-unknown-unknown$' || rustup target add wasm32-unknown-unknown
# The program has to be of the library's version.
version=$(sed -n '/^name = "wasm-bindgen"$/{n;s/^version = "\(.*\)"$/\1/p;}' examples/web/Cargo.lock)
if ! "$tools/bin/wasm-bindgen" --version 2>/dev/null | grep -q " $version\$"; then
    cargo install --quiet wasm-bindgen-cli --version "$version" --root "$tools"
fi
cargo build --release --locked --target wasm32-unknown-unknown --target-dir target --manifest-path examples/web/Cargo.toml
mkdir -p "$out/data"
"$tools/bin/wasm-bindgen" --target web --no-typescript --remove-name-section --out-dir "$out" "$wasm"
if ! PATH="$tools/node_modules/.bin:$PATH" command -v wasm-opt >/dev/null && command -v npm >/dev/null; then
    npm install --silent --no-audit --no-fund --prefix "$tools" binaryen || true
fi
if PATH="$tools/node_modules/.bin:$PATH" command -v wasm-opt >/dev/null; then
    PATH="$tools/node_modules/.bin:$PATH" wasm-opt -Oz --enable-bulk-memory --enable-multivalue --enable-mutable-globals \
        --enable-nontrapping-float-to-int --enable-reference-types --enable-sign-ext \
        "$out/wgrad_web_bg.wasm" -o "$out/smaller.wasm"
    mv "$out/smaller.wasm" "$out/wgrad_web_bg.wasm"
else
    echo "NOT OPTIMISED: neither wasm-opt nor npm is there"
fi
cp examples/web/page/* "$out/"
cp examples/data/mnist/*.gz "$out/data/"
echo "target/web: $(gzip -9 -c "$out/wgrad_web_bg.wasm" | wc -c) bytes of WebAssembly, compressed"
if [ "${1:-}" != --build ]; then
    echo "http://localhost:8000"
    exec python3 -m http.server --bind 127.0.0.1 --directory "$out" 8000
fi
