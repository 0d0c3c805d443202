"""What cannot start says why: one plain sentence, exit code 1, never a traceback (SPEC 8, R12)."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program import Done, clean_environment, optin, succeeded

SERVE = ("serve", "--port", "0")


def check_sentence(done: Done, said: str, code: int = 1) -> None:
    assert done.code == code, done
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert "Traceback" not in done.err
    assert done.out == ""


def test_a_port_in_use(tmp_path: Path) -> None:
    """The port is tried before anything else: no database is made when it is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for command in ("serve", "demo"):
            done = optin(tmp_path, command, "--port", port)
            check_sentence(done, f"can not listen on 127.0.0.1:{port}: address already in use.")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "fe80::zz", "a" * 300])
def test_an_address_that_is_not_here(tmp_path: Path, host: str) -> None:
    """An address of another machine, and none at all, are told apart from a taken port."""
    check_sentence(optin(tmp_path, *SERVE, "--host", host), host)


@pytest.mark.parametrize("command", [SERVE, ("bot", "list"), ("migrate",), ("bot", "add", "x")])
def test_a_file_that_is_no_database(tmp_path: Path, command: tuple[str, ...]) -> None:
    """A file of something else is named and left as it was."""
    content = b"this is no database but a letter to somebody" * 100
    (tmp_path / "optin.db").write_bytes(content)
    check_sentence(optin(tmp_path, *command), "optin.db")
    assert (tmp_path / "optin.db").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["optin.db"]


def test_a_database_of_another_program(tmp_path: Path) -> None:
    """Another program's SQLite database is not taken for ours, nor added to."""
    other = sqlite3.connect(tmp_path / "optin.db")
    other.execute("CREATE TABLE theirs (x)")
    other.commit()
    other.close()
    check_sentence(optin(tmp_path, *SERVE), "database of another program")


@pytest.mark.parametrize("path", ["none/optin.db", "."])
def test_a_place_where_no_database_can_be(tmp_path: Path, path: str) -> None:
    """A folder that does not exist, and one where a file should be."""
    check_sentence(optin(tmp_path, *SERVE, "--database", f"sqlite:{path}"), path)


@pytest.mark.parametrize("command", [SERVE, ("bot", "list"), ("migrate",)])
def test_a_newer_database(tmp_path: Path, command: tuple[str, ...]) -> None:
    """A database of a newer version is left alone, whatever the command."""
    succeeded(tmp_path, "migrate")
    database = sqlite3.connect(tmp_path / "optin.db")
    database.execute("PRAGMA user_version = 999")
    database.close()
    done = optin(tmp_path, *command)
    check_sentence(done, "newer optin")


def test_a_missing_or_another_key(tmp_path: Path) -> None:
    """Without its key file, or with another key, nothing starts; with the right one all goes on."""
    succeeded(tmp_path, "bot", "add", "shop")
    key = (tmp_path / "optin.db.key").read_text()
    (tmp_path / "optin.db.key").unlink()
    check_sentence(optin(tmp_path, *SERVE), "master key of optin.db is missing")
    check_sentence(optin(tmp_path, "bot", "list"), "master key of optin.db is missing")
    other = {"OPTIN_MASTER_KEY": "ab" * 32}
    check_sentence(optin(tmp_path, *SERVE, environment=other), "another master key")
    right = {"OPTIN_MASTER_KEY": key}
    assert optin(tmp_path, "bot", "list", environment=right).code == 0
    assert not (tmp_path / "optin.db.key").exists()


def test_no_database_yet(tmp_path: Path) -> None:
    """A command that reads says that there is none, and makes none."""
    check_sentence(optin(tmp_path, "bot", "list"), "There is no database at optin.db yet")
    assert list(tmp_path.iterdir()) == []


def test_an_unclear_setting(tmp_path: Path) -> None:
    """A misspelt name in optin.toml and a bad variable stop the start; bad usage is exit code 2."""
    check_sentence(optin(tmp_path, "serve", environment={"OPTIN_PORT": "tcp://x"}), "OPTIN_PORT")
    (tmp_path / "optin.toml").write_text('databse = "sqlite:x.db"\n')
    check_sentence(optin(tmp_path, "serve"), "'databse', which does not exist")
    (tmp_path / "optin.toml").unlink()
    check_sentence(optin(tmp_path, "serve", "--port", "99999"), "--port must be", code=2)
    check_sentence(optin(tmp_path, "serve", "--workers", "0"), "--workers must be", code=2)


def test_a_postgresql_server_that_is_not_there(tmp_path: Path) -> None:
    """One sentence, without the password; nothing is made."""
    url = "postgresql://ada:s3cret@127.0.0.1:1/optin"
    for command in (SERVE, ("bot", "list"), ("migrate",)):
        done = optin(tmp_path, *command, "--database", url)
        check_sentence(done, "The PostgreSQL database cannot be opened")
        assert "s3cret" not in done.out + done.err
    assert list(tmp_path.iterdir()) == []


def test_the_version_and_the_help(tmp_path: Path) -> None:
    """`--version` and `--help` succeed; without a command the help is wrong usage."""
    assert succeeded(tmp_path, "--version").out.startswith("optin ")
    listed = succeeded(tmp_path, "--help").out
    for command in ("serve", "bot", "check", "template", "migrate", "demo", "sandbox"):
        assert f"\n  {command} " in listed
        assert command in succeeded(tmp_path, command, "--help").out
    assert optin(tmp_path).code == 2


def test_migrate_tells_what_it_did(tmp_path: Path) -> None:
    """The first `migrate` makes the database, the second finds nothing to do."""
    first = succeeded(tmp_path, "migrate", "--json").json
    assert first["before"] == 0 < first["now"]
    assert succeeded(tmp_path, "migrate", "--json").json["before"] == first["now"]
    assert "up to date" in succeeded(tmp_path, "migrate").out


def test_a_customer_can_only_be_played_on_the_sandbox(tmp_path: Path) -> None:
    """A made-up message to a bot of a real provider would be false proof: it is refused."""
    succeeded(tmp_path, "bot", "add", "shop", "--set", "upstream=meta")
    say = ("sandbox", "say", "--bot", "shop", "--from", "+46701740605", "Hi")
    check_sentence(optin(tmp_path, *say), "is not on the sandbox", code=2)
    succeeded(tmp_path, "bot", "set", "shop", "upstream=sandbox", "meta.app_secret=x")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    check_sentence(optin(tmp_path, *say, "--url", url), "can not be reached")
    check_sentence(optin(tmp_path, *say, "--url", "file:///etc"), "--url takes", code=2)


UNPREPARED = """
import sys
from optin.cli.listening import listen
from optin.cli.serving import serve_until_stopped
from optin.domain.errors import StartupError
from optin.settings import Settings
if __name__ == "__main__":
    settings = Settings(workers=int(sys.argv[1]))
    with listen("127.0.0.1", 0) as sock:
        try:
            serve_until_stopped(settings, sock, lambda: print("ready"))
        except StartupError as error:
            sys.exit(str(error))
"""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_process_that_can_not_start_ends_the_service(tmp_path: Path, workers: str) -> None:
    """What goes wrong in a worker after the checks (here: no database) is said, and not retried."""
    script = tmp_path / "unprepared.py"
    script.write_text(UNPREPARED)
    done = subprocess.run(
        [sys.executable, script, workers],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "There is no database at optin.db yet" in done.stderr
    assert done.stderr.endswith("The service could not start; the lines above say why.\n")
    assert "Traceback" not in done.stderr
