#!/bin/sh
# Runs a program on a newer lavapipe than the system's, one that has cooperative matrices. Installs nothing: Debian's
# packages are unpacked into a cache folder (65 MB to fetch), and the program runs with their C library and drivers.
#   newer-lavapipe.sh PROGRAM [ARGUMENT...]
set -eu
suite=trixie
folder=${XDG_CACHE_HOME:-$HOME/.cache}/wgrad-lavapipe/$suite
libraries=usr/lib/$(uname -m)-linux-gnu
if [ ! -e "$folder/complete" ]; then
    rm -rf "$folder"
    mkdir -p "$folder/lists/partial" "$folder/archives/partial" "$folder/root"
    # Nothing counts as installed, so that everything down to the C library is fetched.
    : >"$folder/status"
    # The mirror is the one that this system's own apt takes packages from.
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    mirror=$(apt-get indextargets --format '$(SITE)' "Created-By: Packages" "Release: $codename" | head -n 1)
    if [ -z "$mirror" ]; then
        echo "newer-lavapipe.sh: apt has no mirror for $codename; add one to /etc/apt" >&2
        exit 3
    fi
    keys="[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    printf 'deb %s %s %s main\n' "$keys" "$mirror" "$suite" "$keys" "$mirror" "$suite-backports" >"$folder/source"
    apart() {
        apt-get -qq -o "Dir::Etc::sourcelist=$folder/source" -o Dir::Etc::sourceparts=/dev/null \
            -o "Dir::State::Lists=$folder/lists" -o "Dir::State::status=$folder/status" -o "Dir::Cache=$folder" \
            -o "Dir::Cache::archives=$folder/archives" -o APT::Sandbox::User=root "$@" >&2
    }
    if ! apart update || ! apart -y --no-install-recommends --download-only -t "$suite-backports" install \
        mesa-vulkan-drivers libvulkan1; then
        echo "newer-lavapipe.sh: Debian's $suite-backports can't be reached at $mirror" >&2
        exit 3
    fi
    for package in "$folder"/archives/*.deb; do
        dpkg -x "$package" "$folder/root"
    done
    rm -r "$folder/archives" "$folder/lists"
    cat >"$folder/lavapipe.json" <<JSON
{ "file_format_version": "1.0.1", "ICD": { "api_version": "1.4.0", "library_path": "$folder/root/$libraries/libvulkan_lvp.so" } }
JSON
    touch "$folder/complete"
fi
loader=$(find "$folder/root/usr" -name 'ld-linux-*' | head -n 1)
export VK_DRIVER_FILES="$folder/lavapipe.json" VK_ICD_FILENAMES="$folder/lavapipe.json"
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}"
exec "$loader" --library-path "$folder/root/$libraries" "$@"
