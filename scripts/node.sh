#!/bin/sh
# Sees to it that Node.js 20 or later is on the PATH, of which .venv/bin is a part: if it is not, it comes from PyPI.
if node -e 'process.exit(+process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null && npm --version >/dev/null 2>&1; then
  exit 0
fi
echo "Installing Node.js into .venv (the page is built with it)"
UV_LINK_MODE=copy .venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements-node.lock
