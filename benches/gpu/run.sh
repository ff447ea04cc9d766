#!/bin/sh
# Checks and measures wgrad on this machine's adapter and leaves report.md and report.json. Needs neither Rust nor a
# network. scripts/check-gpu.sh makes the folder that this file stands in.
set -u
here=$(cd "$(dirname "$0")" && pwd)

usage() {
    cat <<'END'
usage: run.sh [--out DIR] [--seconds N] [--only PART,PART...]
  --out      folder for the report, new or empty; default: ./wgrad-report-DATE-TIME
  --seconds  the most time for everything; default: 420
  --only     only these parts, for instance adapter,training
END
}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

out=wgrad-report-$(date -u +%Y%m%d-%H%M%S)
seconds=420
only=
while [ $# -gt 0 ]; do
    case $1 in
    --help) usage && exit ;;
    --out | --seconds | --only)
        [ $# -ge 2 ] || fail "$1 needs a value"
        case $1 in
        --out) out=$2 ;;
        --seconds) seconds=$2 ;;
        --only)
            only=$2
            [ -n "$(printf '%s' "$only" | tr -d ', ')" ] || fail "--only \"$only\" names no part"
            ;;
        esac
        shift 2
        ;;
    *)
        usage >&2
        fail "unknown option $1"
        ;;
    esac
done
case $seconds in '' | *[!0-9]* | 0*) fail "--seconds \"$seconds\" is no whole number above 0" ;; esac
for command in timeout gzip tar; do
    command -v "$command" >/dev/null || fail "the command \"$command\" is missing"
done
# The parts in their order. Each program of tests is a part. Those of mixed precision come after all of f32, so that
# nothing which happens there can change these.
all="adapter compile"
cooperative=
for program in "$here"/bin/test-*.gz; do
    part=$(basename "$program" .gz)
    case $part in
    test-cooperative) cooperative=$part ;;
    *) all="$all $part" ;;
    esac
done
all="$all operators verify throughput torch-throughput training torch-training $cooperative"
all="$all mixed-verify mixed-throughput mixed-training profiles"
if [ -n "$only" ]; then
    chosen=$(printf '%s' "$only" | tr ',' ' ')
    for part in $chosen; do
        case " $all " in *" $part "*) ;; *) fail "\"$part\" is no part; there are $all" ;; esac
    done
    all=$chosen
fi

mkdir -p "$out" || fail "$out can't be made"
out=$(cd "$out" && pwd)
[ -z "$(ls -A "$out")" ] || fail "$out is not empty; name a new folder with --out"
parts=$out/parts
mkdir "$parts" || fail "$parts can't be made"

# The programs, unpacked.
bin=$(mktemp -d) || fail "there is no room for temporary files"
trap 'rm -rf "$bin"' EXIT
for packed in "$here"/bin/*.gz; do
    program=$bin/$(basename "$packed" .gz)
    gzip -dc "$packed" >"$program" || fail "$packed can't be unpacked into $bin"
    chmod +x "$program"
done

# The share of the time that a part may take, in seconds of 420. What a part leaves is for those after it.
share() {
    case $1 in
    adapter) echo 10 ;;
    compile) echo 22 ;;
    test-suite) echo 70 ;;
    test-cooperative) echo 20 ;;
    test-*) echo 10 ;;
    operators) echo 30 ;;
    verify) echo 8 ;;
    throughput) echo 40 ;;
    torch-throughput) echo 32 ;;
    training) echo 36 ;;
    torch-training) echo 38 ;;
    mixed-verify) echo 11 ;;
    mixed-throughput) echo 30 ;;
    mixed-training) echo 28 ;;
    profiles) echo 10 ;;
    esac
}
shares=5 # the report's
for part in $all; do
    shares=$((shares + $(share "$part")))
done

# What programs find here.
root=$here/repository
if ! [ -e "$root" ]; then
    root=$bin/repository
    mkdir "$root"
    gzip -dc "$here/repository.tar.gz" | tar -xf - -C "$root" || fail "$here/repository.tar.gz can't be unpacked into $root"
fi
export WGRAD_ROOT="$root"
# Nothing is kept from run to run: drivers keep compiled kernels for the parts to come in a folder of this run.
mkdir "$bin/kernels"
export WGRAD_CACHE_DIR= __GL_SHADER_DISK_CACHE_PATH="$bin/kernels" MESA_SHADER_CACHE_DIR="$bin/kernels"
# Mesa's drivers complain if it is not set.
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}"
export RUST_BACKTRACE=0

version=$(cat "$here/version" 2>/dev/null || echo unknown)
{
    echo "wgrad $version, run at $(date -u '+%Y-%m-%d %H:%M') UTC, in at most $seconds s."
    echo "$all"
} >"$parts/order"

report() {
    if ! "$bin/check-gpu" report --out "$out"; then
        fail "the report could not be made; what the parts left is in $parts"
    fi
    printf '\nThe report is in %s: report.md and report.json.\n' "$out"
}

stop() {
    trap - INT TERM
    [ ! -s "$bin/running" ] || kill "$(cat "$bin/running")" 2>/dev/null
    report
    exit 130
}
trap stop INT TERM

# Runs a command as a part, under this limit in seconds. Its output goes to a file. A program that hangs within the driver
# may not even die when it is killed: then it is left behind.
run() {
    part=$1 limit=$2
    shift 2
    begin=$(date +%s)
    {
        timeout -k 2 "$limit" "$@" >"$parts/$part.log" 2>&1 </dev/null &
        echo "$!" >"$bin/running"
        wait "$!"
        echo "$?" >"$bin/$part.code"
        mv "$bin/$part.code" "$bin/$part.ended"
    } &
    until [ -e "$bin/$part.ended" ] || [ "$(date +%s)" -gt $((begin + limit + 4)) ]; do
        sleep 0.1
    done
    rm -f "$bin/running"
    code=$(cat "$bin/$part.ended" 2>/dev/null || echo 137)
    echo "$code $(($(date +%s) - begin)) $limit" >"$parts/$part.status"
}

# Says what is missing if there is no adapter.
explain() {
    cat <<'END'
No adapter was found. On Linux, wgrad reaches GPUs through Vulkan. It needs:
1. Vulkan's loader, libvulkan.so.1 (Debian, Ubuntu: the package libvulkan1). Without network, unpack packages that were
   brought along, as root: dpkg -x libvulkan1_*.deb / && ldconfig. NVIDIA's driver may also ask for libegl1, libglvnd0,
   libopengl0, libgl1, libglx0 and libgles2.
2. A driver with Vulkan, and its manifest, a JSON file in /usr/share/vulkan/icd.d or /etc/vulkan/icd.d. If it lies
   elsewhere, name it: export VK_DRIVER_FILES=/path/to/nvidia_icd.json
3. In a container, the GPU's devices and the driver's graphics part (NVIDIA: NVIDIA_DRIVER_CAPABILITIES=all).
END
    loader=$(ldconfig -p 2>/dev/null | sed -n 's/.*libvulkan\.so\.1.*=> //p' | head -n 1)
    echo "Loader found: ${loader:-none}"
    found=$(timeout 5 find /usr /etc /opt -name '*icd*.json' 2>/dev/null | head -n 10 | tr '\n' ' ')
    echo "Manifests found: ${found:-none}"
    echo "VK_DRIVER_FILES: ${VK_DRIVER_FILES:-not set}"
}

started=$(date +%s)
reached=0
failed=
for part in $all; do
    reached=$((reached + $(share "$part")))
    limit=$((reached * seconds / shares - $(date +%s) + started))
    [ "$limit" -ge 1 ] || limit=1
    printf '%s, at most %s s\n' "$part" "$limit"
    case $part in
    test-cooperative)
        # On an adapter without cooperative matrices its tests fail.
        run "$part" "$limit" sh -c '"$0" cooperative --out "$1" && exec "$2"' "$bin/check-gpu" "$out" "$bin/$part"
        ;;
    test-*)
        run "$part" "$limit" "$bin/$part"
        ;;
    torch-*)
        if command -v python3 >/dev/null; then
            run "$part" "$limit" python3 "$here/peers.py" "${part#torch-}" "$out" "$limit"
        else
            echo "there is no python3" >"$parts/$part.log"
            echo "77 0 $limit" >"$parts/$part.status"
            code=77
        fi
        ;;
    compile)
        # The time to compile is what it measures.
        run "$part" "$limit" env __GL_SHADER_DISK_CACHE=0 MESA_SHADER_CACHE_DISABLE=true \
            "$bin/check-gpu" "$part" --out "$out" --seconds "$limit"
        ;;
    *) run "$part" "$limit" "$bin/check-gpu" "$part" --out "$out" --seconds "$limit" ;;
    esac
    case $code in
    0 | 77) ;;
    *) failed="$failed $part" ;;
    esac
    if [ "$code" -eq 3 ]; then
        explain | tee -a "$parts/$part.log" >&2
        break
    fi
done
report
[ -z "$failed" ] || {
    printf 'Parts that failed:%s\n' "$failed"
    exit 1
}
