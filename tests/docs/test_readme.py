"""README.md: what it tells people to copy is run, and what it says is not there is not."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from optin.cli.program import _COMMANDS
from tests.acceptance.program import Program
from tests.cli.program import Running, running
from tests.docs.pages import Block, blocks, code, rows, section, text_of
from tests.docs.shell import WRITTEN_URL, at_hand, run
from tests.house.tree import ROOT, SOURCE

PAGE = text_of("README.md")
NOT_YET = section(PAGE, "## What is not there yet")

#: Words of "What is not there yet", and what source and file names have once it is there.
SIGNS = {
    "PostgreSQL": "asyncpg",
    "hash chain": "domain/chain.py",
    "console": "/console",
    "opt-in page": "/join",
    "preference page": "/preferences",
    "Idempotency-Key": "idempotency-key",
    "statistics": '"/stats"',
}


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path, "demo") as service:
        yield service


def printed(service: Running) -> tuple[str, list[str]]:
    """The token, and the commands that `make run` prints."""
    lines = service.lines_until("Ctrl+C")
    token = next(line.rsplit(" ", 1)[-1] for line in lines if "Its token" in line)
    return token, [line for line in lines if line.startswith(("curl ", "/"))]


def five() -> list[Block]:
    return [block for block in blocks(PAGE) if block.mark.startswith("demo")]


def words(command: str, token: str, url: str) -> list[str]:
    """The command's words, the same whether it was printed or stands in the README."""
    plain = command.replace("\\\n", " ").replace(token, "$TOKEN").replace(url, WRITTEN_URL)
    _, *rest = shlex.split(plain)
    return [re.sub(r"sqlite:.*/", "sqlite:", word) for word in rest]


def test_the_two_commands_come_first() -> None:
    """The first commands are `make run` and `make test`, and the Makefile has both."""
    first = blocks(PAGE)[0].text.splitlines()
    assert [line.partition("#")[0].strip() for line in first] == ["make run", "make test"]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    dry = ["make", "--dry-run", "run", "test"]
    done = subprocess.run(dry, cwd=ROOT, env=kept, capture_output=True, text=True, check=True)
    assert "optin demo" in done.stdout
    assert "pytest" in done.stdout


def test_the_five_commands_answer_what_they_say(demo: Running, tmp_path: Path) -> None:
    """They are those that `make run` prints, word for word, and print what the README shows."""
    if not at_hand("curl", "openssl"):
        return
    token, commands = printed(demo)
    shown = [words(block.text, "$TOKEN", WRITTEN_URL) for block in five()]
    assert shown == [words(command, token, demo.url) for command in commands]
    page = blocks(PAGE)
    assert run(page, tmp_path, demo.url, mark="demo", TOKEN=token) == 5
    again = next(block for block in page if block.mark == "demo: send")
    refused = '{"type":"whatsapp","statuses":[{"message_id":"01M83TZJ27E1P9W1PGRER8DCQY",' + (
        '"recipient":"+46701740605","status":"failure","state":"no_opt_in","details":"opted_out"}]}'
    )
    expected = Block("output", "text", f"{refused}\nHTTP 201\n")
    assert run([again, expected], tmp_path, demo.url, mark="demo", TOKEN=token) == 1
    assert '`"state":"no_opt_in","details":"opted_out"`' in PAGE


def test_the_other_commands_work(tmp_path: Path) -> None:
    """Checks, Meta's set-up and the roll-out are run as they stand there, on a live service."""
    if not at_hand("curl", "openssl"):
        return
    for name in ("access-token", "app-secret"):
        (tmp_path / name).write_text("from-the-dashboard\n")
    with Program(tmp_path) as program:
        assert run(blocks(PAGE), tmp_path, program.url) == 3
        settings = program.result("bot", "show", "acme")["settings"]
    assert settings["upstream"] == "meta"
    assert settings["meta.access_token"] == "set"


def test_commands_that_are_not_there_yet_are_not() -> None:
    """No command that the README misses exists."""
    missed = set(re.findall(r"`optin (\w+)", NOT_YET))
    assert missed & set(_COMMANDS) == set()


def test_parts_that_are_not_there_yet_are_not() -> None:
    """What the README says is missing leaves no trace in the source."""
    files = [path for path in SOURCE.rglob("*") if path.suffix in (".py", ".sql")]
    source = "".join(path.as_posix() + path.read_text("utf-8") for path in files)
    assert [word for word, sign in SIGNS.items() if word in NOT_YET and sign in source] == []


def test_the_endpoints_have_their_examples() -> None:
    """Each Sinch-compatible endpoint of the README has its heading in docs/api.md."""
    api = text_of("docs/api.md")
    for request, _ in rows(section(PAGE, "## What it does")):
        path = code(request.rpartition(",")[2]).split()[1]
        for method in re.findall(r"\b[A-Z]+\b", request):
            assert f"### `{method} /whatsapp/v1/{{bot-id}}/{path}`" in api
