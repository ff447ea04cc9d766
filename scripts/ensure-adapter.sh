# Sourced by the other scripts, from the repository's root. Makes sure that there is Rust, a linker and an
# adapter. Installs only what is missing, and says so; with a GPU's driver in place it changes nothing.

say() {
    printf '%s\n' "$*" >&2
}

# Installs Debian packages, as root or through sudo.
install_packages() {
    if ! command -v apt-get >/dev/null; then
        say "error: can't install $* without apt-get; install what corresponds to it on this system"
        exit 1
    fi
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            say "error: installing $* needs root; run this as root, or install sudo"
            exit 1
        fi
        as_root=sudo
    fi
    # Show the output only if it fails.
    log=$(mktemp)
    if ! { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$@"; } \
        >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        rm -f "$log"
        say "error: installing $* failed"
        exit 1
    fi
    rm -f "$log"
}

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
cargo build --release --example adapters || exit 1
if ! cargo run --quiet --release --example adapters >/dev/null 2>&1; then
    say "no usable adapter found: installing Mesa's software Vulkan driver (mesa-vulkan-drivers)"
    install_packages libvulkan1 mesa-vulkan-drivers
    # If there is still no adapter, this error is what the user has to know.
    cargo run --quiet --release --example adapters >/dev/null || exit 1
fi
