#!/bin/sh
# Prints a Python of version 3.11 or later that can make virtual environments, or says what to install.
for name in "${PYTHON:-}" python3.13 python3.12 python3.11 python3 python; do
  [ -n "$name" ] || continue
  path=$(command -v "$name") || continue
  "$path" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
  echo "$path"
  exit 0
done
echo "Unspool needs Python 3.11 or later with venv. On Debian: apt-get install python3 python3-venv" >&2
exit 1
