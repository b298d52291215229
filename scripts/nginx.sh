#!/bin/sh
# Makes sure that nginx is here, for the tests that go through a proxy.
PATH="$PATH:/usr/sbin"
command -v nginx >/dev/null && exit 0
install="apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx-light"
echo "Installing nginx for the proxy tests"
if [ "$(id -u)" = 0 ]; then
  sh -c "$install" >/dev/null 2>&1 && exit 0
elif sudo -n true 2>/dev/null; then
  sudo sh -c "$install" >/dev/null 2>&1 && exit 0
fi
echo "The proxy tests need nginx. Install it: sudo sh -c '$install'" >&2
exit 1
