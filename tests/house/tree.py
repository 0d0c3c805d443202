"""The files of this repository, as the house tests read them."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "optin"


def kept_files() -> list[Path]:
    """Every file that git keeps, or would keep once added (so a slip shows before the commit)."""
    # A checkout may belong to another user than the one who runs the tests.
    git = ["git", "-c", f"safe.directory={ROOT}"]
    which = ["--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(
        [*git, "ls-files", "-z", *which], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    names = (name for name in listed.split("\0") if name)
    return sorted(path for name in names if (path := ROOT / name).is_file())


def source_files() -> list[Path]:
    """The program's own Python files."""
    return sorted(SOURCE.rglob("*.py"))
