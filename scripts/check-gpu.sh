#!/bin/sh
# Checks and measures wgrad on a GPU, and leaves report.md and report.json (docs/gpu.md).
#   scripts/check-gpu.sh [--out DIR] [--seconds N] [--only PART,PART...]    on this machine
#   scripts/check-gpu.sh --bundle DIR    makes a folder for a machine without Rust or network: DIR/run.sh does it there
set -eu
# Folders among the options are relative to the caller's folder.
here=$(pwd)
cd "$(dirname "$0")/.."

# Megabytes that a bundle may take.
most=60

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Puts a program into the bundle: stripped, and packed to a third of that.
glibc=
pack() {
    strip -o "$folder/bin/$2" "$1"
    if command -v objdump >/dev/null; then
        needs=$(objdump -T "$folder/bin/$2" | sed -n 's/.*(GLIBC_\([0-9.]*\)).*/\1/p')
        glibc=$(printf '%s\n%s\n' "$glibc" "$needs" | sort -V | tail -n 1)
    fi
    gzip -f "$folder/bin/$2"
}

usage() {
    sed -n '2,4s/^# *//p' scripts/check-gpu.sh
}

# Before anything is built, which takes minutes.
for option in "$@"; do
    case $option in
    --help | -h) usage && exit ;;
    --out | --seconds | --only | --bundle) ;;
    -*) usage >&2 && fail "unknown option $option" ;;
    esac
done

bundle=
if [ "${1:-}" = --bundle ]; then
    [ $# -eq 2 ] || fail "usage: scripts/check-gpu.sh --bundle DIR"
    case $2 in /*) bundle=$2 ;; *) bundle=$here/$2 ;; esac
    if [ -e "$bundle" ] && [ -n "$(ls -A "$bundle")" ]; then
        fail "$bundle is not empty; name a new folder"
    fi
    if ! command -v cargo >/dev/null && [ -f "$HOME/.cargo/env" ]; then
        . "$HOME/.cargo/env"
    fi
else
    . scripts/ensure-adapter.sh
fi
command -v strip >/dev/null || fail "the command \"strip\" is missing (Debian, Ubuntu: apt-get install binutils)"

# Features of the library, by which the checks build everything.
features=${WGRAD_FEATURES:+--features=wgrad/$WGRAD_FEATURES}
target=${CARGO_TARGET_DIR:-target}
folder=${bundle:-$target/check-gpu}
[ -n "$bundle" ] || rm -rf "$folder"
mkdir -p "$folder/bin"

printf 'building (the first time, this takes minutes)\n' >&2
# The program, and the tests that need a GPU or, like those of files, run anywhere. The tests of the examples need the examples'
# programs. With the program's own test cargo takes the features by which all tests are built.
programs=$(cargo test --release --locked --no-run --message-format=json $features -p wgrad -p wgrad-gpu \
    --test suite --test cache --test faults --test files --test cooperative --test runner |
    sed -n 's/.*"kind":\["\(bin\|test\)"\].*"executable":"\([^"]*\)".*/\2/p')
for program in $programs; do
    name=$(basename "$program")
    case $name in
    check-gpu) pack "$program" check-gpu ;;
    runner-* | wgrad) ;;
    *) pack "$program" "test-${name%-*}" ;;
    esac
done
cp benches/gpu/run.sh benches/gpu/peers.py "$folder/"
chmod +x "$folder/run.sh"
commit=$(git describe --always --dirty 2>/dev/null || echo unknown)
echo "$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1) ($commit)" >"$folder/version"

if [ -z "$bundle" ]; then
    ln -s "$(pwd)" "$folder/repository"
    runner=$(pwd)/$folder/run.sh
    case $folder in /*) runner=$folder/run.sh ;; esac
    cd "$here"
    exec "$runner" "$@"
fi
# What tests read.
tar -cf - src shaders tests docs examples/data | gzip >"$folder/repository.tar.gz"
(cd "$folder" && du -sk -- bin/* repository.tar.gz run.sh peers.py) | awk '{ printf "%7.1f MB  %s\n", $1 / 1000 * 1.024, $2 }'
kilobytes=$(du -sk "$folder" | cut -f 1)
printf '%s MB in all, of at most %s\n' "$((kilobytes * 1024 / 1000000))" "$most"
[ "$((kilobytes * 1024))" -lt "$((most * 1000000))" ] || fail "the bundle is too large"
printf 'It needs %s Linux with glibc %s or newer. Run %s/run.sh there.\n' "$(uname -m)" "${glibc:-as here}" "$(basename "$folder")"
