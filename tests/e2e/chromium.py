"""Find a Chromium for the browser tests, or install one; without one, say in a sentence what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    "The browser tests need a headless Chromium and found none. Install Debian's package `chromium`, "
    "or name a Chromium or Chrome in QA_CHROMIUM."
)


def find() -> str | None:
    """Return the path of a Chromium, or None."""
    named = os.environ.get("QA_CHROMIUM")
    if named:
        return named if Path(named).exists() else None
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def install() -> None:
    """Install Debian's Chromium where this user may; anything else is left to the sentence."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "chromium", "fonts-noto-core"],
    ):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if subprocess.run(command, check=False, **quiet).returncode != 0:  # type: ignore[call-overload]
            return


def main() -> None:
    """Make sure that a Chromium is there."""
    if find() is None:
        install()
    if find() is None:
        sys.exit(MISSING)


if __name__ == "__main__":
    main()
