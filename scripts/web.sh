#!/bin/sh
# Builds the page of examples/web into target/web, and serves it on http://localhost:8000. With --build it only builds.
# With --quick it builds into target/web-quick, in a fraction of the time and not for size.
set -eu
cd "$(dirname "$0")/.."
out=target/web
tools=target/tools
quick=
serve=yes
for option; do
    case $option in
    --build) serve= ;;
    --quick) quick=yes out=target/web-quick ;;
    *)
        echo "usage: web.sh [--build] [--quick]" >&2
        exit 1
        ;;
    esac
done

rustup target list --installed | grep -q '^wasm32-unknown-unknown$' || rustup target add wasm32-unknown-unknown
# A visitor downloads the program, so the standard library is built for size with it, and without the places in the
# source of panics. Cargo calls that unstable.
build="cargo build --release --locked --target wasm32-unknown-unknown --target-dir target --manifest-path examples/web/Cargo.toml"
if [ -n "$quick" ]; then
    CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=256 \
        $build
elif [ -d "$(rustc --print sysroot)/lib/rustlib/src/rust/library" ] || rustup --quiet component add rust-src; then
    RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="-Zlocation-detail=none -Zunstable-options -Cpanic=immediate-abort" \
        $build -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size
else
    echo "NOT BUILT FOR SIZE: rustup could not add the standard library's source"
    $build
fi
mkdir -p "$out/data"
scripts/web-bindgen.sh --without-names target/wasm32-unknown-unknown/release/wgrad_web.wasm "$out"
program=$out/wgrad_web_bg.wasm
if [ -z "$quick" ]; then
    if command -v npm >/dev/null && ! [ -d "$tools/node_modules/@gfx/zopfli" ]; then
        npm install --silent --no-audit --no-fund --prefix "$tools" binaryen @gfx/zopfli || true
    fi
    PATH="$PWD/$tools/node_modules/.bin:$PATH"
    if command -v wasm-opt >/dev/null && command -v node >/dev/null; then
        features="--enable-bulk-memory --enable-multivalue --enable-mutable-globals --enable-nontrapping-float-to-int
            --enable-reference-types --enable-sign-ext"
        # Low memory is the far end of the stack. Inlining makes less code, but not less that is compressed.
        wasm-opt --low-memory-unused -Os --flatten --rereloop -Oz -Oz --always-inline-max-function-size 0 \
            --flexible-inline-max-function-size 0 --one-caller-inline-max-function-size 0 $features \
            "$program" -o "$out/smaller.wasm"
        node scripts/web-order.mjs "$out/smaller.wasm" "$out/named.wasm"
        wasm-opt --optimize-level 2 --shrink-level 2 --reorder-functions-by-name --strip-debug --strip-producers \
            $features "$out/named.wasm" -o "$program"
        rm "$out/smaller.wasm" "$out/named.wasm"
    else
        echo "NOT OPTIMISED: wasm-opt or node is not there, nor npm to install it"
    fi
fi
# The page unpacks it: not every server compresses what it sends. Zopfli's files are a twentieth smaller than gzip's.
if [ -z "$quick" ] && [ -d "$tools/node_modules/@gfx/zopfli" ]; then
    (cd "$tools" && node -e 'const [from, to] = process.argv.slice(1), fs = require("fs");
        require("@gfx/zopfli").gzip(fs.readFileSync(from), {}, (error, packed) => {
            if (error) throw error;
            fs.writeFileSync(to, packed);
        });' "$OLDPWD/$program" "$OLDPWD/$program.gz")
else
    gzip -k -f "$program"
fi
cp examples/web/page/* "$out/"
cp examples/data/mnist/*.gz "$out/data/"
echo "$out: $(wc -c <"$program.gz") bytes of WebAssembly, compressed"
rm "$program"
if [ -n "$serve" ]; then
    echo "http://localhost:8000"
    exec python3 -m http.server --bind 127.0.0.1 --directory "$out" 8000
fi
