"""`optin demo`, which `make run` starts: what it prints can be copied, and works."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.program import Running, clean_environment, running, succeeded

_COMMAND = re.compile(r"^(curl|/\S+ sandbox) ")


def printed(service: Running) -> tuple[str, list[str]]:
    """The token and the commands of the welcome."""
    lines = service.lines_until("Ctrl+C")
    token = next(line.rsplit(" ", 1)[-1] for line in lines if "Its token" in line)
    return token, [line for line in lines if _COMMAND.match(line)]


def shell(command: str, folder: Path) -> str:
    """What a line that was copied into a shell prints; the folder must not matter."""
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=clean_environment(no_proxy="127.0.0.1"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done
    return done.stdout


def row_of(answer: str) -> dict[str, str]:
    """The one status in an answer to a send."""
    (row,) = json.loads(answer.strip().splitlines()[0])["statuses"]
    assert isinstance(row, dict)
    return row


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the other terminal."""
    return tmp_path_factory.mktemp("elsewhere")


def test_the_printed_commands_work(tmp_path: Path, elsewhere: Path) -> None:
    """Opt in, send, be refused, write, STOP, be refused again: each command as it is printed."""
    with running(tmp_path, "demo") as service:
        _, commands = printed(service)
        opt_in, send, to_a_stranger, write, stop = commands
        assert shell(opt_in, elsewhere).strip() == "HTTP 200"
        sent = row_of(shell(send, elsewhere))
        assert (sent["status"], sent["state"]) == ("success", "queued")
        refused = row_of(shell(to_a_stranger, elsewhere))
        assert (refused["status"], refused["state"]) == ("failure", "no_opt_in")
        assert "wrote to demo: Where is my order?" in shell(write, elsewhere)
        assert arrives(tmp_path, sent["message_id"])
        assert "STOP" in shell(stop, elsewhere)
        again = row_of(shell(send, elsewhere))
        assert (again["state"], again["details"]) == ("no_opt_in", "opted_out")
        assert service.stop() == 0
    assert "Traceback" not in service.log.read_text()


def arrives(folder: Path, message_id: str) -> bool:
    """Whether the simulated WhatsApp reports the message read."""
    with sqlite3.connect(folder / "optin-demo.db") as database:
        for _ in range(100):
            asked = database.execute(
                "SELECT state FROM messages WHERE message_id = ?", (message_id,)
            )
            if asked.fetchone() == ("read",):
                return True
            time.sleep(0.1)
    return False


def test_a_second_run_has_a_token_of_its_own(tmp_path: Path, elsewhere: Path) -> None:
    """The last run's token is dead, the bot and its contacts are still there, once."""
    with running(tmp_path, "demo") as first:
        old_token, _ = printed(first)
    with running(tmp_path, "demo") as second:
        token, commands = printed(second)
        assert token != old_token
        assert shell(commands[0], elsewhere).strip() == "HTTP 200"
        assert shell(commands[0].replace(token, old_token), elsewhere).strip().endswith("HTTP 401")
    with sqlite3.connect(tmp_path / "optin-demo.db") as database:
        samples = database.execute("SELECT count(*) FROM events WHERE actor = 'demo'")
        assert samples.fetchone() == (4,)


def test_the_sample_contacts_differ(tmp_path: Path) -> None:
    """One takes everything, one no marketing, one nothing; opt-ins carry evidence."""
    with running(tmp_path, "demo"):
        pass
    numbers = ["+46701740607", "+46701740608", "+46701740609"]
    asked = ("check", "--bot", "demo", "--database", "sqlite:optin-demo.db", *numbers, "--json")
    marketing = succeeded(tmp_path, *asked, "--template", "spring_sale/en").json["results"]
    utility = succeeded(tmp_path, *asked, "--template", "order_ready/en").json["results"]
    assert [row["reason"] for row in marketing] == [None, "marketing_stopped", "opted_out"]
    assert [row["reason"] for row in utility] == [None, None, "opted_out"]


def test_another_database_can_be_named(tmp_path: Path) -> None:
    """--database wins over optin-demo.db; a deployment's own OPTIN_DATABASE is never touched."""
    named = ("demo", "--database", "sqlite:mine.db")
    with running(tmp_path, *named, OPTIN_DATABASE="sqlite:production.db"):
        assert (tmp_path / "mine.db").exists()
    with running(tmp_path, "demo", OPTIN_DATABASE="sqlite:production.db"):
        assert (tmp_path / "optin-demo.db").exists()
    assert not (tmp_path / "production.db").exists()
