#!/bin/sh
# Makes what a page loads of a program that cargo built (examples/web/bindgen): web-bindgen.sh [--without-names] FILE FOLDER
set -eu
cd "$(dirname "$0")/.."
exec cargo run --quiet --locked --target-dir target --manifest-path examples/web/Cargo.toml -p wgrad-web-bindgen -- "$@"
