"""What no file of the repository may contain: registry addresses, one machine's own paths."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.tree import ROOT, kept_files

# The brackets keep each pattern from finding itself here.
REGISTRIES = [
    r"pypi[.]org",
    r"pythonhosted[.]org",
    r"registry[.]npmjs",
    r"registry[.]yarnpkg",
    r"repo[.]maven",
    r"repo1[.]maven",
    r"proxy[.]golang",
    r"--(extra-)?index[-]url\b",
    r"--find[-]links\b",
]
MACHINES = [
    r"(?<![\w.$}])[/](work|home|root|Users)[/]",
    r"(?<!\w)[.]library\b",
]
UNWANTED = re.compile("|".join(REGISTRIES + MACHINES))


def unwanted_in(text: str) -> list[str]:
    """Return the lines of `text` that name a registry's address or one machine's own path."""
    return [line for line in text.splitlines() if UNWANTED.search(line)]


@pytest.mark.parametrize(
    "line",
    [
        "https://{}.org/simple".format("pypi"),
        "//files.{}.org/packages".format("pythonhosted"),
        '"resolved": "https://registry.{}.org/axios"'.format("npmjs"),
        "--{}-url=https://example.org".format("index"),
        "see /{}/shared".format("work"),
        'open("/{}/somebody/optin.db")'.format("home"),
        "a/.{}/b".format("library"),
    ],
)
def test_an_unwanted_line_is_found(line: str) -> None:
    """The search finds what it is there to find."""
    assert unwanted_in(f"before\n{line}\nafter") == [line]


@pytest.mark.parametrize(
    "line",
    ["pip install optin", "src/home/flow.py", "https://example.org/home/page", "a library/b"],
)
def test_a_harmless_line_is_not(line: str) -> None:
    """The search leaves ordinary paths and words alone."""
    assert unwanted_in(line) == []


def test_no_file_names_a_registry_or_a_machine() -> None:
    """No kept file says where packages come from, nor a path of the machine it was written on."""
    files = kept_files()
    assert ROOT / "pyproject.toml" in files
    found = {
        str(path.relative_to(ROOT)): lines
        for path in files
        if (lines := unwanted_in(text_of(path)))
    }
    assert found == {}


def text_of(path: Path) -> str:
    """Return the file as text; bytes that are no UTF-8 do not hide the rest of it."""
    return path.read_text(encoding="utf-8", errors="replace")
