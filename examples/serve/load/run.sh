#!/bin/sh
# Puts the server under load by wrk, with damaged pictures among the good, and looks for what leaks.
# usage: examples/serve/load/run.sh [SECONDS] [CLIENTS] [options of the server]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
seconds=${1:-600}
clients=${2:-8}
shift $(($# < 2 ? $# : 2))
command -v wrk >/dev/null || { echo "wrk is missing (Debian, Ubuntu: apt-get install wrk)" >&2; exit 1; }
work=$(mktemp -d)
trap 'kill $server 2>/dev/null || true; rm -rf "$work"' EXIT
server=

cd "$here/../../.."
cargo build --release -p wgrad-serve --bins --examples
bin=${CARGO_TARGET_DIR:-target}/release
"$bin/examples/pictures" "$work/pictures"
"$bin/wgrad-serve" --train-digits "$work/digits.safetensors"
"$bin/wgrad-serve" --model "$work/digits.safetensors" --listen 127.0.0.1:0 "$@" >"$work/log" &
server=$!
until grep -q 'http://' "$work/log"; do
    kill -0 $server || exit 1
    sleep 0.2
done
address=$(sed -n 's|.*http://\([0-9.:]*\)/.*|\1|p' "$work/log")

# Resident memory in KiB, open files, threads.
held() {
    echo "$1: $(awk '/VmRSS/ { print $2 }' /proc/$server/status) KiB, $(ls /proc/$server/fd | wc -l) files, $(ls /proc/$server/task | wc -l) threads"
}
load() {
    wrk --threads "$clients" --connections "$clients" --duration "$1s" --timeout 60s --script "$here/load.lua" "http://$address" -- "$work/pictures"
}
# What is allocated once is allocated first.
load 10 >/dev/null
held "after 10 s"
load "$seconds"
sleep 1
held "after $seconds s more"
kill $server
wait $server
cat "$work/log"
