#!/bin/sh
# Builds the page of examples/web into target/web, and serves it on http://localhost:8000. With --build it only builds.
set -eu
cd "$(dirname "$0")/.."
out=target/web
tools=target/tools
wasm=target/wasm32-unknown-unknown/release/wgrad_web.wasm

rustup target list --installed | grep -q '^wasm32-unknown-unknown$' || rustup target add wasm32-unknown-unknown
# The program has to be of the library's version. It works for a second only, so it is not optimised.
version=$(sed -n '/^name = "wasm-bindgen"$/{n;s/^version = "\(.*\)"$/\1/p;}' examples/web/Cargo.lock)
if ! "$tools/bin/wasm-bindgen" --version 2>/dev/null | grep -q " $version\$"; then
    cargo install --quiet --debug wasm-bindgen-cli --version "$version" --root "$tools"
fi
# A visitor downloads the program, so the standard library is built for size with it, and without the places in the
# source of panics. Cargo calls that unstable.
build="cargo build --release --locked --target wasm32-unknown-unknown --target-dir target --manifest-path examples/web/Cargo.toml"
if [ -d "$(rustc --print sysroot)/lib/rustlib/src/rust/library" ] || rustup --quiet component add rust-src; then
    RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="-Zlocation-detail=none -Zunstable-options -Cpanic=immediate-abort" \
        $build -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size
else
    echo "NOT BUILT FOR SIZE: rustup could not add the standard library's source"
    $build
fi
mkdir -p "$out/data"
"$tools/bin/wasm-bindgen" --target web --no-typescript --remove-name-section --out-dir "$out" "$wasm"
if command -v npm >/dev/null && ! [ -d "$tools/node_modules/@gfx/zopfli" ]; then
    npm install --silent --no-audit --no-fund --prefix "$tools" binaryen @gfx/zopfli || true
fi
PATH="$PWD/$tools/node_modules/.bin:$PATH"
if command -v wasm-opt >/dev/null; then
    wasm-opt -Os --flatten --rereloop -Oz -Oz --enable-bulk-memory --enable-multivalue --enable-mutable-globals \
        --enable-nontrapping-float-to-int --enable-reference-types --enable-sign-ext \
        "$out/wgrad_web_bg.wasm" -o "$out/smaller.wasm"
    mv "$out/smaller.wasm" "$out/wgrad_web_bg.wasm"
else
    echo "NOT OPTIMISED: neither wasm-opt nor npm is there"
fi
# The page unpacks it: not every server compresses what it sends. Zopfli's files are a twentieth smaller than gzip's.
if [ -d "$tools/node_modules/@gfx/zopfli" ]; then
    (cd "$tools" && node -e 'const [from, to] = process.argv.slice(1), fs = require("fs");
        require("@gfx/zopfli").gzip(fs.readFileSync(from), {}, (error, packed) => {
            if (error) throw error;
            fs.writeFileSync(to, packed);
        });' "$OLDPWD/$out/wgrad_web_bg.wasm" "$OLDPWD/$out/wgrad_web_bg.wasm.gz")
else
    gzip -9 -k -f "$out/wgrad_web_bg.wasm"
fi
cp examples/web/page/* "$out/"
cp examples/data/mnist/*.gz "$out/data/"
echo "target/web: $(wc -c <"$out/wgrad_web_bg.wasm.gz") bytes of WebAssembly, compressed"
rm "$out/wgrad_web_bg.wasm"
if [ "${1:-}" != --build ]; then
    echo "http://localhost:8000"
    exec python3 -m http.server --bind 127.0.0.1 --directory "$out" 8000
fi
