"""The README and the pages of docs/, and the fenced blocks in them.

An HTML comment on the line before a fence says what the tests do with the block:
`<!-- run -->` runs it in the page's one shell, `<!-- output -->` is what the block before it
prints, `<!-- client: NAME -->` is a program for that client. Other blocks are only shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.house.tree import ROOT

_FENCED = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S
)
_ROW = re.compile(r"^\|(.+)\|$", re.M)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. `mark`: what the comment before it says, "" without one."""

    mark: str
    language: str
    text: str


def pages() -> list[Path]:
    """The README and every page of docs/ but the decisions, which are no instructions."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def text_of(page: str) -> str:
    """The page, named from the root of the repository."""
    return (ROOT / page).read_text("utf-8")


def blocks(text: str) -> list[Block]:
    """The fenced blocks, in order."""
    found = _FENCED.finditer(text)
    return [Block(m["mark"] or "", m["language"], m["text"]) for m in found]


def section(text: str, heading: str) -> str:
    """What stands between the heading and the next of its own or a higher level."""
    level = len(heading) - len(heading.lstrip("#"))
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, f"there is no heading {heading!r}"
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.M)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of a text's tables, without their heads and rules."""
    lines = [[cell.strip() for cell in m[1].split("|")] for m in _ROW.finditer(text)]
    rules = [n for n, cells in enumerate(lines) if all(set(c) <= {"-", ":"} for c in cells)]
    apart = {n for rule in rules for n in (rule - 1, rule)}
    return [cells for n, cells in enumerate(lines) if n not in apart]


def code(cell: str) -> str:
    """What a cell, or the first part of it, has in backticks."""
    found = re.search(r"`([^`]*)`", cell)
    assert found, cell
    return found[1]
