"""The shape of the house: short files, telling names, floors, tests that say what they prove."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from tests.house.tree import ROOT, SOURCE, kept_files, source_files

MOST_LINES = 300
# Names that say nothing about what is inside, so that anything ends up there.
EMPTY_NAMES = {"base", "common", "core", "helper", "helpers", "manager", "util", "utils"}


def test_no_source_file_is_an_attic() -> None:
    """No file of the program has more than 300 lines."""
    lengths = {str(p.relative_to(ROOT)): len(p.read_bytes().splitlines()) for p in source_files()}
    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_every_name_says_what_is_inside() -> None:
    """No module or package is called utils, helpers, common, core, manager or base."""
    named = {
        part
        for path in source_files()
        for part in path.relative_to(SOURCE).with_suffix("").parts
        if part.strip("_") in EMPTY_NAMES
    }
    assert named == set()


def test_the_floors_hold() -> None:
    """Imports go down only, use cases know ports only, the domain is pure (decision 0001)."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_test_says_what_it_proves() -> None:
    """Each test function has a docstring."""
    files = [p for p in kept_files() if p.name.startswith("test_") and p.suffix == ".py"]
    assert Path(__file__).resolve() in files
    silent = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in files
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and ast.get_docstring(node) is None
    ]
    assert silent == []


def test_the_domain_reads_no_clock() -> None:
    """No domain module asks datetime for now or today: the time is an argument."""
    asked = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((SOURCE / "domain").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"now", "utcnow", "today"}
    ]
    assert asked == []
