# Sourced by the other scripts, from the repository's root. Makes sure that Chromium and Node.js are there, and sets
# `browser` to the path of Chromium. Installs only what is missing, and says so.

. scripts/packages.sh

find_browser() {
    command -v chromium || command -v chromium-browser || command -v google-chrome
}
if ! find_browser >/dev/null; then
    say "no Chromium found: installing it (chromium)"
    install_packages chromium
fi
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    say "no Node.js found: installing it (nodejs, npm)"
    install_packages nodejs npm
fi
browser=$(find_browser)
