#!/bin/sh
# Tests in headless Chromium with its software WebGPU: the page of examples/web (tests/web/page.mjs), and the case tables of
# the operators (tests/web/cases.mjs). "page" and "cases" run only one of them; a word in the names of the page's tests, or
# families of cases, may follow, to run only these, or all but -FAMILY.
#
# "quick" runs some of the page's tests on a page that is built quickly, not for size. "f16" runs the cases in
# f16 and trains in mixed precision, on lavapipe in the browser (tests/web/lavapipe.c); where the browser can't have it, it
# says so and ends with 3.
set -eu
cd "$(dirname "$0")/.."
part=${1:-all}
[ $# -eq 0 ] || shift
case $part in page | cases | quick | f16 | all) ;; *)
    echo "usage: test-web.sh [page [WORD] | cases [FAMILY...] | quick | f16 [FAMILY...]]" >&2
    exit 1
    ;;
esac
. scripts/ensure-browser.sh

case $part in page | quick | all)
    page=target/web
    if [ "$part" = quick ]; then
        page=target/web-quick
        set -- quick
        scripts/web.sh --build --quick
    else
        scripts/web.sh --build
    fi
    . scripts/ensure-adapter.sh
    cargo run --release --features "${WGRAD_FEATURES:-}" --example mnist -- --no-progress --max-steps 150 \
        --save target/native.safetensors --logits target/native.csv >/dev/null
    node "$tools/page.mjs" "$browser" "$page" target/native "$@"
    ;;
esac
case $part in cases | f16 | all)
    out=target/web-cases
    cargo build --release --locked --target wasm32-unknown-unknown --target-dir target --manifest-path tests/web/cases/Cargo.toml
    scripts/web-bindgen.sh target/wasm32-unknown-unknown/release/wgrad_web_cases.wasm "$out"
    cp tests/web/cases/page/* "$out/"
    if [ "$part" = f16 ]; then
        export WGRAD_LAVAPIPE="$PWD/$tools/lavapipe.so"
        if ! ls /usr/lib/*/libvulkan_lvp.so >/dev/null 2>&1 && ! (install_packages mesa-vulkan-drivers) ||
            ! cc -shared -fPIC -O1 -fvisibility=hidden -o "$WGRAD_LAVAPIPE" tests/web/lavapipe.c -ldl; then
            say "NOT TESTED in f16: lavapipe or a C compiler is not there"
            exit 3
        fi
    fi
    node "$tools/cases.mjs" "$browser" "$out" "$@"
    ;;
esac
