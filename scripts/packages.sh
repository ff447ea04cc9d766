# Sourced by the other scripts: says something to the user, and installs Debian's
# packages.

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

# An MPI, and what the crate `mpi` needs to read its header.
install_mpi() {
    if ! command -v mpirun >/dev/null || ! command -v mpicc >/dev/null; then
        say "no MPI found: installing Open MPI (openmpi-bin, libopenmpi-dev)"
        install_packages openmpi-bin libopenmpi-dev
    fi
    if ! find /usr/lib -name 'libclang.so*' -o -name 'libclang-[0-9]*.so*' 2>/dev/null | grep -q .; then
        say "no libclang found: installing it (libclang-dev)"
        install_packages libclang-dev
    fi
}
