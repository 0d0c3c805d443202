"""docs/operating.md: its commands are run beside a live service; what it says of files holds."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from optin.web.server import server_config
from optin.web.waiting import MOST
from optin.worker import GRACE
from tests.acceptance.program import Program
from tests.docs.pages import blocks, code, pages, rows, section, text_of
from tests.docs.shell import at_hand, environment, run
from tests.house.tree import SOURCE
from tests.web.echo import app

PAGE = text_of("docs/operating.md")

#: Every command of the README and the pages that starts the service.
SERVES = [
    block.text.strip()
    for page in pages()
    for block in blocks(page.read_text("utf-8"))
    if block.mark == "serve"
]


def test_the_commands_work_beside_a_live_service(tmp_path: Path) -> None:
    """Backup, key, migration and health: each command is run as it stands there."""
    if not at_hand("curl", "openssl"):
        return
    with Program(tmp_path) as program:
        assert run(blocks(PAGE), tmp_path, program.url) == 5
        files = {path.name for path in tmp_path.iterdir()}
    assert {code(name) for name, _ in rows(section(PAGE, "## Files"))} - {"optin.toml"} <= files
    assert (tmp_path / "optin.db.key").stat().st_mode & 0o777 == 0o600


def test_a_backup_restores(tmp_path: Path) -> None:
    """The copy that the page's command makes, put in the database's place, has the consents."""
    command = next(b.text for b in blocks(PAGE) if b.mark == "run" and ".backup(" in b.text)
    with Program(tmp_path) as program:
        program.add_bot("shop", **{"meta.app_secret": "secret"})
        said = ("sandbox", "say", "--bot", "shop", "--url", program.url, "--from", "+46701740605")
        assert program.command(*said, "STOP").returncode == 0
        subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment(), check=True)
    for name in ("optin.db", "optin.db-wal", "optin.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "backup.db").rename(tmp_path / "optin.db")
    with Program(tmp_path) as program:
        (row,) = program.result("check", "--bot", "shop", "+46701740605")["results"]
    assert row["reason"] == "opted_out"


@pytest.mark.parametrize("command", SERVES)
def test_the_service_starts_as_written(command: str, tmp_path: Path) -> None:
    """Each `optin serve` of the pages starts with its options, port apart, and ends with 0."""
    optin, serve, *options = shlex.split(command)
    assert (optin, serve) == ("optin", "serve")
    if "--port" in options:  # a later option would win, but the Program's own comes first
        del options[options.index("--port") : options.index("--port") + 2]
    with Program(tmp_path, *options) as program:
        assert program.stop() == 0


def test_the_numbers_are_those_of_the_program() -> None:
    """How long stopping may take and how many calls may wait are what the code says."""
    answering = server_config(app, host="127.0.0.1", port=0).timeout_graceful_shutdown
    assert f"calls under way, for at most {answering} seconds" in PAGE
    assert f"hand-overs under way, for at most {GRACE:.0f} seconds" in PAGE
    assert f"more than {MOST:,} calls" in PAGE


def test_the_log_says_what_the_page_looks_for() -> None:
    """Each text of the table is in a log line of the program's source."""
    source = "".join(path.read_text("utf-8") for path in SOURCE.rglob("*.py"))
    texts = [code(row[0]) for row in rows(section(PAGE, "## The log"))]
    assert texts
    assert [text for text in texts if text not in source] == []
