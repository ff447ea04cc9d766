# Sourced by the other scripts, from the repository's root. Makes sure that there is Rust, a linker and an
# adapter. Installs only what is missing, and says so; with a GPU's driver in place it changes nothing. WGRAD_FEATURES
# names features of the library for all that scripts build: with others, cargo would compile it again.

. scripts/packages.sh

if ! command -v cargo >/dev/null && [ -f "$HOME/.cargo/env" ]; then
    . "$HOME/.cargo/env"
fi
if ! command -v cargo >/dev/null; then
    say "error: cargo is not on the PATH; install Rust from https://rustup.rs"
    exit 1
fi
if ! command -v cc >/dev/null; then
    say "no linker found: installing gcc, which Rust links with"
    install_packages gcc libc6-dev
fi
# Mesa's drivers complain if it is not set.
if [ -z "${XDG_RUNTIME_DIR:-}" ]; then
    XDG_RUNTIME_DIR=${TMPDIR:-/tmp}
    export XDG_RUNTIME_DIR
fi

say "looking for an adapter (the first time this builds the library)"
cargo build --release --features "${WGRAD_FEATURES:-}" --example adapters || exit 1
if ! cargo run --quiet --release --features "${WGRAD_FEATURES:-}" --example adapters >/dev/null 2>&1; then
    say "no usable adapter found: installing Mesa's software Vulkan driver (mesa-vulkan-drivers)"
    install_packages libvulkan1 mesa-vulkan-drivers
    # If there is still no adapter, this error is what the user has to know.
    cargo run --quiet --release --features "${WGRAD_FEATURES:-}" --example adapters >/dev/null || exit 1
fi
