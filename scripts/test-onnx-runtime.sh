#!/bin/sh
# Tests exported ONNX files (tests/onnx_runtime) by the ONNX project's checker and ONNX Runtime, in a Python environment
# that it makes. Arguments go to the test program. Exits with 3 where the packages can't be installed.
set -eu
cd "$(dirname "$0")/.."
. scripts/ensure-adapter.sh
if [ -z "${WGRAD_ONNX_PYTHON:-}" ]; then
    environment=${CARGO_TARGET_DIR:-target}/onnx-runtime
    if ! "$environment/bin/python" -c 'import onnx, onnxruntime' 2>/dev/null; then
        say "making a Python environment with onnx and onnxruntime in $environment"
        if ! python3 -m venv --help >/dev/null 2>&1 || ! python3 -c 'import ensurepip' 2>/dev/null; then
            install_packages python3-venv
        fi
        rm -rf "$environment"
        if ! { python3 -m venv "$environment" &&
            "$environment/bin/pip" --quiet --disable-pip-version-check install onnx==1.23.2 onnxruntime==1.32.0; }; then
            say "error: pip could not install onnx and onnxruntime"
            exit 3
        fi
    fi
    WGRAD_ONNX_PYTHON=$(cd "$(dirname "$environment")" && pwd)/$(basename "$environment")/bin/python
    export WGRAD_ONNX_PYTHON
fi
cargo test --release --locked --test onnx_runtime -- "$@"
