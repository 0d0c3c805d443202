"""`optin check` and `optin template`: what may be sent to whom (R7, H9)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import optin, succeeded

NUMBER = "+46701740605"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("check")
    succeeded(made, "bot", "add", "shop")
    succeeded(made, "template", "set", "--bot", "shop", "sale", "en-us", "marketing")
    succeeded(made, "template", "set", "--bot", "shop", "receipt", "en", "utility", "--json")
    return made


def test_each_number_gets_its_row_in_order(folder: Path) -> None:
    """A row for each number as it was given, with the reason; what is no number is `invalid`."""
    rows = succeeded(folder, "check", "--bot", "shop", NUMBER, "12", NUMBER, "--json").json
    assert [row["identity"] for row in rows["results"]] == [NUMBER, "12", NUMBER]
    assert [row["reason"] for row in rows["results"]] == ["no_opt_in", "invalid", "no_opt_in"]
    assert not any(row["allowed"] for row in rows["results"])


def test_bytes_that_are_no_text_do_no_harm(folder: Path) -> None:
    """An argument that is no UTF-8 is a row like any other, as JSON and as a table."""
    asked = ("check", "--bot", "shop", "\udcff\udcfe", NUMBER)
    rows = succeeded(folder, *asked, "--json").json["results"]
    assert [row["reason"] for row in rows] == ["invalid", "no_opt_in"]
    assert len(succeeded(folder, *asked).out.splitlines()) == 3


def test_people_get_a_table(folder: Path) -> None:
    """Without --json the answer is a table."""
    out = succeeded(folder, "check", "--bot", "shop", "--category", "marketing", NUMBER).out
    assert out.splitlines()[0].split() == ["NUMBER", "ALLOWED", "WHY", "UNTIL"]
    assert out.splitlines()[1].split() == [NUMBER, "no", "no_opt_in", "-"]


def test_a_past_moment_can_be_asked_about(folder: Path) -> None:
    """--at takes a time with its offset; a time without, or one ahead, is wrong usage."""
    at = "2026-04-11T09:30:00+02:00"
    rows = succeeded(folder, "check", "--bot", "shop", "--at", at, NUMBER, "--json").json
    assert rows["results"][0]["reason"] == "no_opt_in"
    for wrong in ("2026-04-11T09:30:00", "yesterday", "2999-01-01T00:00:00Z"):
        assert optin(folder, "check", "--bot", "shop", "--at", wrong, NUMBER).code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "--bot", "shop"],
        ["check", NUMBER],
        ["check", "--bot", "shop", "--category", "news", NUMBER],
        ["check", "--bot", "shop", "--template", "sale", NUMBER],
        ["check", "--bot", "shop", "--template", "sale/en", "--category", "utility", NUMBER],
        ["template", "set", "--bot", "shop", "sale", "en"],
        ["template", "set", "--bot", "shop", "sale", "english", "marketing"],
        ["template", "set", "--bot", "shop", "sale", "en", "news"],
    ],
)
def test_wrong_usage(folder: Path, arguments: list[str]) -> None:
    """Exit code 2 and one line on stderr."""
    done = optin(folder, *arguments)
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert done.out == ""


def test_templates_are_listed(folder: Path) -> None:
    """The records come by name, in the spelling that messages use."""
    found = succeeded(folder, "template", "list", "--bot", "shop", "--json").json["templates"]
    assert [(t["name"], t["language"], t["category"]) for t in found] == [
        ("receipt", "en", "utility"),
        ("sale", "en_US", "marketing"),
    ]
    assert "sale" in succeeded(folder, "template", "list", "--bot", "shop").out
