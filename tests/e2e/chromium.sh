#!/usr/bin/env bash
# Prints the path of a Chromium for the browser tests; first installs one where the system can give one.
set -euo pipefail

find_chromium() {
  local candidate path
  for candidate in "${RNNVIZ_CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable \
    "/Applications/Chromium.app/Contents/MacOS/Chromium" \
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
    path="$(command -v "$candidate")" || continue
    if "$path" --version >/dev/null 2>&1; then # Ubuntu has a chromium-browser that only asks for a snap
      echo "$path"
      return
    fi
  done
  return 1
}

install_chromium() {
  local sudo=""
  if [[ "$(uname)" == Darwin ]]; then
    command -v brew >/dev/null && brew install --cask google-chrome
  elif command -v apt-get >/dev/null; then
    [[ "$(id -u)" == 0 ]] || sudo="sudo -n"
    $sudo apt-get update -q &&
      $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \
        chromium fonts-liberation
  else
    return 1
  fi
}

find_chromium && exit
echo "No Chromium found: installing one for the browser tests." >&2
install_chromium </dev/null >&2 || true
find_chromium && exit
echo "The browser tests need Chromium and it could not be installed here: run 'sudo apt install chromium'" \
  "(Debian) or 'brew install --cask google-chrome' (macOS), or set RNNVIZ_CHROMIUM to a Chrome's path." >&2
exit 1
