"""docs/settings.md is complete and says what the program says."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import click

from optin.cli.serve import serve
from optin.domain.bots import SECRETS, SETTINGS
from optin.domain.packs import PACKS
from optin.settings import Settings, load_settings
from tests.docs.pages import blocks, code, rows, section, text_of
from tests.docs.shell import run
from tests.house.tree import SOURCE

PAGE = text_of("docs/settings.md")
SERVICE = rows(section(PAGE, "## Service settings"))
BOT = rows(section(PAGE, "## Bot settings"))

_NOT_YET = "*No effect yet*"


def default(cell: str) -> str:
    return cell.strip("`")


def test_the_service_settings_are_those_there_are() -> None:
    """Each setting has a row with its default, its variable and its option of `optin serve`."""
    options = {o.opts[0] for o in serve.params if isinstance(o, click.Option)}
    told = {code(name): (default(value), code(variable)) for name, value, variable, *_ in SERVICE}
    assert told == {
        each.name: (str(each.default).lower(), f"OPTIN_{each.name.upper()}")
        for each in dataclasses.fields(Settings)
    }
    assert {code(option) for *_, option, _ in SERVICE if option} == options


def test_the_file_shown_can_be_read(tmp_path: Path) -> None:
    """The example of optin.toml is one that the program takes."""
    (text,) = (block.text for block in blocks(PAGE) if block.mark == "toml")
    file = tmp_path / "optin.toml"
    file.write_text(text)
    settings = load_settings({}, {}, file)
    assert (settings.workers, settings.trusted_proxies) == (2, "127.0.0.1,10.0.0.0/8")


def test_the_bot_settings_are_those_there_are() -> None:
    """Each setting has a row with its default, and says whether it is a secret."""
    told = {code(key): (default(value), secret == "yes") for key, value, secret, _ in BOT}
    assert told == {key: (each.default, key in SECRETS) for key, each in SETTINGS.items()}
    assert [code(key) for key, *_ in BOT] == list(SETTINGS)


def test_what_has_no_effect_yet_has_none() -> None:
    """No part of the program but their table names a setting that the page says does nothing."""
    idle = [code(key) for key, *_, what in BOT if _NOT_YET in what]
    source = "".join(p.read_text() for p in SOURCE.rglob("*.py") if p.name != "bots.py")
    assert [key for key in idle if f'"{key}"' in source] == []


def test_the_languages_are_those_there_are() -> None:
    """The row of `languages` lists the language packs, and no other."""
    (what,) = (what for key, *_, what in BOT if code(key) == "languages")
    listed = what.partition("There are words for:")[2].partition(".")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == set(PACKS)


def test_the_commands_work(tmp_path: Path) -> None:
    """The commands that give and show settings are run as they stand there."""
    run(blocks(PAGE), tmp_path)
    assert (tmp_path / "optin.db").exists()
