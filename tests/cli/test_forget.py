"""`optin forget`: erase a contact (R15)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import optin, succeeded

NUMBER = "+46701740605"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("forget")
    succeeded(made, "bot", "add", "shop")
    return made


def test_a_contact_is_forgotten(folder: Path) -> None:
    """The command says what it did, and the contact is opted out from then on."""
    done = succeeded(folder, "forget", "--bot", "shop", "--yes", "--compact", NUMBER, "--json").json
    assert (done["identities"], done["entries"], done["records"]) == (1, 0, 0)
    rows = succeeded(folder, "check", "--bot", "shop", NUMBER, "--json").json["results"]
    assert rows[0]["reason"] == "opted_out"


def test_it_asks_first(folder: Path) -> None:
    """Without --yes and without an answer nothing happens."""
    other = "+46701740606"
    assert optin(folder, "forget", "--bot", "shop", other).code == 1
    rows = succeeded(folder, "check", "--bot", "shop", other, "--json").json["results"]
    assert rows[0]["reason"] == "no_opt_in"


def test_an_unknown_bot_and_a_wrong_number_are_told(folder: Path) -> None:
    """Clear errors: a number that is none is wrong usage, a bot that is none a failure."""
    assert optin(folder, "forget", "--bot", "shop", "--yes", "12").code == 2
    assert optin(folder, "forget", "--bot", "nobody", "--yes", NUMBER).code == 1


def test_a_contact_of_a_removed_bot_is_forgotten(tmp_path: Path) -> None:
    """R15: its tokens are dead, so this command is the way to leave its ledger."""
    succeeded(tmp_path, "bot", "add", "gone")
    succeeded(tmp_path, "bot", "remove", "gone", "--yes")
    done = succeeded(tmp_path, "forget", "--bot", "gone", "--yes", NUMBER, "--json").json
    assert done["identities"] == 1
