"""Takes addresses out of package-lock.json: what npm needs is names, versions and hashes."""

import json
from pathlib import Path

path = Path("package-lock.json")
lock = json.loads(path.read_text())
for package in lock["packages"].values():
    package.pop("funding", None)
    if not package.get("link"):  # a workspace is found by its folder
        package.pop("resolved", None)
path.write_text(json.dumps(lock, indent=2) + "\n")
