#!/bin/sh
# Checks that Node.js 20 or later is here, which the tests need (the demo does not).
if ! node -e 'process.exit(+process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null; then
  echo "The tests need Node.js 20 or later with npm: see nodejs.org, or your system's packages." >&2
  exit 1
fi
