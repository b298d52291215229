#!/bin/sh
# Makes sure that Chromium is here, for the browser tests. They prefer its build without windows, which is faster.
command -v chromium >/dev/null && exit 0
install="apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium chromium-headless-shell fonts-dejavu-core"
echo "Installing Chromium for the browser tests"
if [ "$(id -u)" = 0 ]; then
  sh -c "$install" >/dev/null && exit 0
elif sudo -n true 2>/dev/null; then
  sudo sh -c "$install" >/dev/null && exit 0
fi
echo "The browser tests need Chromium. Install it: sudo sh -c '$install'" >&2
exit 1
