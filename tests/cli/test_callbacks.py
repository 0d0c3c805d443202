"""`optin callbacks`: look at what was owed, and replay it (SPEC 4)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from optin.ports.store import Callback
from optin.settings import Settings, load_settings
from optin.wiring.opening import opened_store
from tests.cli.program import optin, succeeded
from tests.stores.works import Do

URL = "https://shop.example/hook"
AT = 1_700_000_000_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two bots."""
    made = tmp_path_factory.mktemp("callbacks")
    for bot_id in ("shop", "empty"):
        succeeded(made, "bot", "add", bot_id)
    asyncio.run(fill(made))
    return made


@pytest.fixture(autouse=True)
def stages_of_old(folder: Path) -> None:
    """A done callback, a dead and a waiting one: C1, C2, C3."""
    asyncio.run(put_stages(folder))


C1, C2, C3 = (Callback("shop", f"C{n}", URL, b'{"secret":1}', AT, AT) for n in (1, 2, 3))


def database(folder: Path) -> Settings:
    return load_settings({"database": f"sqlite:{folder / 'optin.db'}"}, {})


async def fill(folder: Path) -> None:
    def owe(tx: Any) -> None:
        for each in (C1, C2, C3):
            tx.put_callback(each)

    async with opened_store(database(folder)) as store:
        await store.commit(Do(owe, bot_id="shop"))


async def put_stages(folder: Path) -> None:
    done, dead = replace(C1, outcome="HTTP 200"), replace(C2, attempts=16, outcome="HTTP 500")
    async with opened_store(database(folder)) as store:
        await store.put_callbacks([done], [C3], [dead])


async def read_stages(folder: Path) -> list[str]:
    async with opened_store(database(folder)) as store:
        return [each.stage.value for each in await store.callbacks("shop", "", 10)]


def listed(folder: Path, *options: str) -> Any:
    return succeeded(folder, "callbacks", "list", "--bot", "shop", "--json", *options).json


def stages(folder: Path) -> list[str]:
    return asyncio.run(read_stages(folder))


def test_the_list_as_json(folder: Path) -> None:
    """Each with its outcome and no body; pages follow each other by `next`."""
    [dead] = listed(folder, "--stage", "dead")["callbacks"]
    assert (dead["id"], dead["attempts"], dead["outcome"], dead["url"]) == (
        ("C2", 16, "HTTP 500", URL)
    )
    assert "body" not in dead
    page = listed(folder, "--limit", "2")
    assert ([each["id"] for each in page["callbacks"]], page["next"]) == (["C1", "C2"], "C2")
    assert [each["id"] for each in listed(folder, "--after", "C2")["callbacks"]] == ["C3"]


def test_the_list_for_people(folder: Path) -> None:
    """A table that tells where to go on; and a sentence when there is nothing."""
    out = succeeded(folder, "callbacks", "list", "--bot", "shop", "--limit", "2").out
    assert out.splitlines()[0].split() == [
        *("ID", "CREATED", "KIND", "STAGE", "TRIES", "RECEIVER", "OUTCOME")
    ]
    assert out.splitlines()[-1] == "There are more: --after C2"
    assert "secret" not in out
    assert "no such callbacks" in succeeded(folder, "callbacks", "list", "--bot", "empty").out


def test_replay_by_id(folder: Path) -> None:
    """Those named are owed again, and no others."""
    done = succeeded(folder, "callbacks", "replay", "--bot", "shop", "C2", "--json")
    assert done.json == {"replayed": 1}
    assert stages(folder) == ["done", "waiting", "waiting"]


def test_replay_from_a_cursor(folder: Path) -> None:
    """All behind the cursor; an empty one is before the first."""
    out = succeeded(folder, "callbacks", "replay", "--bot", "shop", "--from", "C1").out
    assert out.startswith("2 callbacks")
    assert stages(folder) == ["done", "waiting", "waiting"]
    assert "3" in succeeded(folder, "callbacks", "replay", "--bot", "shop", "--from", "").out
    assert stages(folder) == ["waiting"] * 3


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["replay", "--bot", "shop"], 2),
        (["replay", "--bot", "shop", "--from", "C1", "C2"], 2),
        (["replay", "--bot", "shop", "C9"], 1),
        (["replay", "--bot", "nobody", "C1"], 1),
        (["list", "--bot", "nobody"], 1),
        (["list", "--bot", "shop", "--limit", "0"], 2),
        (["list", "--bot", "shop", "--stage", "gone"], 2),
        (["list"], 2),
    ],
)
def test_exit_codes(folder: Path, arguments: list[str], code: int) -> None:
    """SPEC 8: 1 for what is not there, 2 for wrong usage; a sentence, never a traceback."""
    done = optin(folder, "callbacks", *arguments)
    assert done.code == code, done
    assert done.err.startswith("optin: ")
    assert "Traceback" not in done.err
    assert stages(folder) == ["done", "dead", "waiting"]
