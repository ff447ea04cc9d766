# Sourced by the other scripts, from the repository's root. Makes sure that Chromium, Node.js and playwright-core are there,
# and installs only what is missing. Sets `tools` to the folder of what npm fetches, and `browser` to Chromium; tests/web lies
# in that folder too, because Node looks for packages beside the program that asks for them.

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
tools=target/tools
if ! [ -d "$tools/node_modules/playwright-core" ] &&
    ! npm install --silent --no-audit --no-fund --prefix "$tools" playwright-core; then
    say "error: npm could not install playwright-core, which drives the browser"
    exit 1
fi
cp tests/web/*.mjs "$tools/"
