"""`optin copy` as operators call it: killed, run again, and served afterwards (SPEC 8, R13)."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.cli.program import OPTIN, clean_environment, optin, running, succeeded
from tests.stores.postgres.server import server

BOT = ("--bot", "shop")
STOPPED = "+46700000001"


@pytest.fixture
def target() -> str:
    """The address of a PostgreSQL database with nothing in it."""
    made: list[str] = []

    async def make() -> None:
        manager = server().fresh()
        made.append(await manager.__aenter__())

    asyncio.run(make())
    return made[0]


def filled(folder: Path, contacts: int) -> str:
    """A file with so many contacts of one bot, one of them opted out; the bot's token."""
    token = str(succeeded(folder, "bot", "add", "shop", "--json").json["token"])
    numbers = "\n".join(f"+467{n:08}" for n in range(contacts))
    (folder / "list.csv").write_text(f"phone\n{numbers}\n")
    succeeded(folder, "import", *BOT, "list.csv", "--action", "opt_in")
    (folder / "stops.csv").write_text(f"phone\n{STOPPED}\n")
    succeeded(folder, "import", *BOT, "stops.csv", "--action", "opt_out")
    return token


def copy(target: str) -> tuple[str, ...]:
    return ("copy", "--from", "sqlite:optin.db", "--to", target)


def killed_after(folder: Path, command: tuple[str, ...], seconds: float) -> bool:
    """Starts the command and kills it then; whether it had not ended by itself."""
    process = subprocess.Popen(
        [OPTIN, *command],
        cwd=folder,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return bool(process.wait(seconds))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True


def call(url: str, token: str, numbers: list[str]) -> int:
    body = json.dumps({"numbers": numbers}).encode()
    request = Request(
        f"{url}/whatsapp/v1/shop/provision/optout",
        body,
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urlopen(request, timeout=20) as answer:
        return int(answer.status)


def reasons(folder: Path, target: str, *numbers: str) -> list[Any]:
    done = optin(
        folder,
        *("check", *BOT, "--json", "--database", target, *numbers),
        environment={"OPTIN_KEY_FILE": "optin.db.key"},
    )
    assert done.code == 0, done
    return [(row["allowed"], row["reason"]) for row in done.json["results"]]


def moved(folder: Path, target: str, contacts: int, kills: int) -> tuple[Any, int]:
    """Fills a file, and copies it with so many kills, at instants spread over a whole copy, later
    and later; what the last run said, and how many runs were killed before they ended."""
    token = filled(folder, contacts)
    chance = random.Random(7)
    begun = time.monotonic()
    killed_after(folder, copy(f"sqlite:{folder / 'rehearsal.db'}"), 600)
    whole = time.monotonic() - begun
    succeeded(folder, "copy", "--from", "sqlite:optin.db", "--release")
    killed = 0
    for instant in sorted(chance.uniform(0.05, 0.8) * whole for _ in range(kills)):
        if not killed_after(folder, copy(target), instant):
            break  # what was copied before is not copied again: it came to its end
        killed += 1
    done = succeeded(folder, *copy(target), "--json").json
    with running(folder, "serve", "--database", target, OPTIN_KEY_FILE="optin.db.key") as service:
        assert call(service.url, token, ["+46700000002"]) == 200
    return done, killed


def checked(folder: Path, target: str) -> None:
    """The copy is in force: decisions, the STOP that came after it, chains that went on."""
    assert reasons(folder, target, STOPPED, "+46700000002", "+46700000003") == [
        (False, "opted_out"),
        (False, "opted_out"),
        (True, None),
    ]
    done = optin(
        folder,
        *("verify", "--database", target, "--json"),
        environment={"OPTIN_KEY_FILE": "optin.db.key"},
    )
    assert done.json["sound"], done
    assert [head["writer"] for head in done.json["bots"][0]["heads"]] == [0]


def test_a_service_moves_to_postgresql(tmp_path: Path, target: str) -> None:
    """R6, R13: the copy is killed several times; then the service answers from the new database
    with the same token, and a stop that it takes is in force and goes on in the old chain."""
    moved(tmp_path, target, 1_000, 2)
    checked(tmp_path, target)
    back = optin(tmp_path, "copy", "--from", target, "--to", "sqlite:back.db", "--json",
                 "--key-file", "optin.db.key")  # fmt: skip
    assert back.json["verified"] == {"bots": 1, "entries": 1_002, "identities": 1_000, "heads": 1}
    assert reasons(tmp_path, "sqlite:back.db", "+46700000002") == [(False, "opted_out")]


def test_the_old_database_is_not_served_again(tmp_path: Path) -> None:
    """R13: after a copy `serve` does not start on the source and says where to go; the same
    command once more does nothing; `--release` gives the source back."""
    filled(tmp_path, 200)
    command = ("copy", "--from", "sqlite:optin.db", "--to", "sqlite:new.db")
    done = succeeded(tmp_path, *command)
    assert "Both sides are sound and the same: 1 bots, 201 entries, 200 identities" in done.out
    served = optin(tmp_path, "serve", "--port", "0")
    assert (served.code, "being copied, or was, to" in served.err) == (1, True), served
    assert "was complete before" in succeeded(tmp_path, *command).out
    succeeded(tmp_path, "copy", "--from", "sqlite:optin.db", "--release")
    succeeded(tmp_path, "check", *BOT, STOPPED)


def test_a_running_service_is_refused(tmp_path: Path) -> None:
    """R13: what a service acknowledged during the copy would be lost: exit code 1, and it goes
    on as before."""
    token = filled(tmp_path, 10)
    with running(tmp_path, "serve") as service:
        done = optin(tmp_path, "copy", "--from", "sqlite:optin.db", "--to", "sqlite:new.db")
        assert (done.code, "in use: stop the service" in done.err) == (1, True), done
        assert call(service.url, token, ["+46700000005"]) == 200


def test_how_it_is_called(tmp_path: Path) -> None:
    """Exit code 2 for what cannot be meant, 1 for a source that is not there; nothing is made."""
    for options in (
        (),
        ("--to", "sqlite:b.db", "--release"),
        ("--to", "sqlite:a.db"),
        ("--to", "x"),
    ):
        assert optin(tmp_path, "copy", "--from", "sqlite:a.db", *options).code == 2
    done = optin(tmp_path, "copy", "--from", "sqlite:a.db", "--to", "sqlite:b.db", "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "startup_error")
    assert not list(tmp_path.iterdir())


@pytest.mark.long
def test_a_large_database_moves_through_twenty_kills(tmp_path: Path, target: str) -> None:
    """R13: 100,000 contacts and twenty kills: every row arrives once, and all is sound."""
    done, killed = moved(tmp_path, target, 100_000, 20)
    print(killed, done)
    assert killed > 15
    assert (done["already"], done.get("tables", {}).get("identities", 100_000)) in {
        (False, 100_000),
        (True, 100_000),
    }
    checked(tmp_path, target)
