#!/bin/sh
# Unpacks a newer RADV from Debian's backports into a folder, installing nothing, and prints the
# path to hand to --driver. Debian's own release has one that is too old to know RDNA3.
#   newer-driver.sh [SUITE]      bookworm-backports by default
set -eu
suite=${1:-bookworm-backports}
folder=${XDG_CACHE_HOME:-$HOME/.cache}/wgrad-isa/$suite
driver=$folder/root/usr/lib/$(uname -m)-linux-gnu/libvulkan_radeon.so
if [ ! -e "$driver" ]; then
    mkdir -p "$folder/lists/partial" "$folder/packages"
    # The mirror is the one that this system's own apt takes packages from.
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    mirror=$(apt-get indextargets --format '$(SITE)' "Created-By: Packages" "Release: $codename" | head -n 1)
    if [ -z "$mirror" ]; then
        echo "newer-driver.sh: apt has no mirror for $codename; add one to /etc/apt" >&2
        exit 1
    fi
    echo "deb $mirror $suite main" >"$folder/source"
    set -- -o "Dir::Etc::sourcelist=$folder/source" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::Lists=$folder/lists"
    apt-get "$@" -qq update >&2
    (cd "$folder/packages" && apt-get "$@" -qq download mesa-vulkan-drivers libdrm2 libdrm-amdgpu1 >&2)
    for package in "$folder"/packages/*.deb; do
        dpkg -x "$package" "$folder/root"
    done
fi
echo "$driver"
