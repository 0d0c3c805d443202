"""docs/lists.md: its commands are run, and it names every field, preset and reason there is."""

from __future__ import annotations

import re
from pathlib import Path

from optin.domain.lists.headings import Field
from optin.domain.lists.presets import PRESETS
from tests.docs.pages import blocks, code, rows, section, text_of
from tests.docs.shell import run
from tests.house.tree import SOURCE

PAGE = text_of("docs/lists.md")


def named(cell: str) -> set[str]:
    return set(re.findall(r"`([a-z_]+)`", cell))


def test_the_commands_work(tmp_path: Path) -> None:
    """Every command of the page is run in order and prints what stands there."""
    assert run(blocks(PAGE), tmp_path) == 5


def test_the_fields_are_those_there_are() -> None:
    """The table of columns names each field; `operation` only presets know."""
    told = {name for row in rows(section(PAGE, "### Columns")) for name in named(row[0])}
    assert told == {field.value for field in Field} - {"operation"}


def test_the_presets_are_those_there_are() -> None:
    """The table of presets names each."""
    table = rows(section(PAGE, "### Lists of other providers"))
    assert [code(row[0]) for row in table] == list(PRESETS)


def test_the_reasons_are_those_there_are() -> None:
    """The table of reasons names each code that a row can be rejected with."""
    told = {name for row in rows(section(PAGE, "### Rejected rows")) for name in named(row[0])}
    folder = SOURCE / "domain" / "lists"
    source = "".join(path.read_text("utf-8") for path in sorted(folder.glob("*.py")))
    raised = set(re.findall(r'RowFault\(\s*"([a-z_]+)"', source))
    assert told == raised | {"future_dated"}
