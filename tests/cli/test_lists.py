"""`optin import`, `filter` and `export`, as they are typed (SPEC 8)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.program import OPTIN, Done, clean_environment, optin, succeeded

ANNA, BO = "+46732001122", "+46732001133"
LIST = f"phone;status;name\n{ANNA};opt-in;Ä\n{BO};opt-out;B\n12;opt-in;C\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    succeeded(tmp_path, "bot", "add", "shop")
    (tmp_path / "list.csv").write_text(LIST, "utf-8")
    return tmp_path


def test_an_import(folder: Path) -> None:
    """It says what became of the rows and how to take it back; rejected ones are written."""
    done = succeeded(folder, "import", "--bot", "shop", "list.csv", "--rejected", "no.csv")
    lines = done.out.splitlines()
    assert lines[0].endswith(": done, 3 rows.")
    assert [line.split(maxsplit=1) for line in lines[1:3]] == [
        ["2", "changed what is known"],
        ["1", "rejected"],
    ]
    assert (folder / "no.csv").read_text().splitlines()[1].startswith("3,4,invalid_identity,")
    checked = succeeded(folder, "check", "--bot", "shop", ANNA, BO, "--json").json["results"]
    assert [row["allowed"] for row in checked] == [True, False]
    undo = lines[-1].removeprefix("To take it back: optin ").split()
    assert "opt-ins of the import taken back" in succeeded(folder, *undo).out
    checked = succeeded(folder, "check", "--bot", "shop", ANNA, BO, "--json").json["results"]
    assert [row["allowed"] for row in checked] == [False, False]


def test_a_dry_run(folder: Path) -> None:
    """It shows what would be, and writes nothing."""
    words = ("import", "--bot", "shop", "list.csv", "--dry-run", "--rejected", "no.csv")
    done = succeeded(folder, *words, "--json")
    assert done.json["counts"] == {"new": 2, "invalid": 1}
    assert len((folder / "no.csv").read_text().splitlines()) == 2
    assert "Nothing was written." in succeeded(folder, *words).out
    assert succeeded(folder, "export", "--bot", "shop").out.splitlines()[1:] == []


def test_standard_input(folder: Path) -> None:
    """`-` is standard input, with every option that a list may need."""
    data = f"who|when\n{ANNA}|03/04/2026\n"
    words = ("import", "--bot", "shop", "-", "--action", "opt_in", "--map", "who=identity")
    more = ("--map", "when=occurred_at", "--date-order", "dmy", "--time-zone", "Europe/Stockholm")
    done = succeeded(folder, *words, *more, "--evidence", "channel=shop", "--json", stdin=data)
    assert done.json["counts"] == {"recorded": 1}
    events = succeeded(folder, "export", "--bot", "shop", "--what", "events", "--format", "jsonl")
    assert (events.json["occurred_at"], events.json["evidence"]) == (
        "2026-04-02T22:00:00Z",
        {"channel": "shop"},
    )


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("list.csv", "--bot", "nobody"), 1, "no bot"),
        (("absent.csv", "--bot", "shop"), 2, "can not be read"),
        (("list.csv", "--bot", "shop", "--map", "phone"), 2, "COLUMN=FIELD"),
        (("list.csv", "--bot", "shop", "--time-zone", "Mars"), 2, "time zone"),
        (("list.csv", "--bot", "shop", "--rejected", "no/where.csv"), 2, "can not be written"),
        (("optin.db", "--bot", "shop"), 2, "SQLite database"),
        (("01J", "--bot", "shop", "--undo"), 1, "no such import"),
    ],
)
def test_what_goes_wrong(folder: Path, words: tuple[str, ...], code: int, says: str) -> None:
    """One sentence, the right exit code, and nothing recorded."""
    done = optin(folder, "import", *words)
    assert (done.code, says in done.err) == (code, True), done
    assert succeeded(folder, "export", "--bot", "shop").out.splitlines()[1:] == []


def filtered(folder: Path, data: bytes, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [OPTIN, "filter", "--bot", "shop", *words],
        cwd=folder,
        env=clean_environment(),
        input=data,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_filter(folder: Path) -> None:
    """The allowed rows come out byte for byte, counts beside them, the others with a reason."""
    succeeded(folder, "import", "--bot", "shop", "list.csv")
    done = filtered(folder, b"", "list.csv", "--rejected", "no.csv")
    lines = LIST.encode().splitlines(keepends=True)
    assert (done.returncode, done.stdout) == (0, lines[0] + lines[1])
    assert (folder / "no.csv").read_text("utf-8").splitlines() == [
        "phone;status;name;reason",
        f"{BO};opt-out;B;opted_out",
        "12;opt-in;C;invalid_identity",
    ]
    assert done.stderr.decode().splitlines()[0] == "1 of 3 rows may be messaged now (utility)."
    told = json.loads(filtered(folder, b"", "list.csv", "--json").stderr)
    assert told["refused"] == {"opted_out": 1, "invalid_identity": 1}


def test_filter_as_a_pipe(folder: Path) -> None:
    """From standard input to standard output, in UTF-16 and for a category."""
    succeeded(folder, "import", "--bot", "shop", "list.csv")
    data = LIST.encode("utf-16")
    done = filtered(folder, data, "-", "--category", "marketing")
    assert done.stdout == "".join(LIST.splitlines(keepends=True)[:2]).encode("utf-16")
    assert (
        filtered(folder, data, "-", "--category", "service").stdout.decode("utf-16").count("\n")
        == 1
    )


def test_filter_of_no_list(folder: Path) -> None:
    """It writes nothing and says why."""
    done = filtered(folder, b"\x1f\x8b\x08\x00", "-")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"gzip" in done.stderr


def test_an_export_to_a_file(folder: Path) -> None:
    """`-o` writes there; a bot that is not there makes no file."""
    succeeded(folder, "import", "--bot", "shop", "list.csv")
    done: Done = succeeded(folder, "export", "--bot", "shop", "-o", "all.csv")
    assert done.out == ""
    assert len((folder / "all.csv").read_text().splitlines()) == 3
    assert optin(folder, "export", "--bot", "nobody", "-o", "none.csv").code == 1
    assert not (folder / "none.csv").exists()
