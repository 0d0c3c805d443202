"""Large lists with the real program: stale copies, kills, memory, and live opt-outs meanwhile."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.program import OPTIN, Program, wait_until
from tests.cli.program import clean_environment

#: Peak memory of a command, MB.
MOST_MEMORY = 200
OPT_INS = "phone,status,date,name\n"


def write_list(path: Path, rows: int) -> None:
    """Opt-ins of 2025, some broken rows among them."""
    with path.open("w", encoding="utf-8") as out:
        out.write(OPT_INS)
        for n in range(rows):
            bad = n % 1_000 == 999
            out.write(f"{'x' if bad else f'+467{n:08}'},opt-in,2025-03-01T09:30:00Z,Name {n}\n")


#: Runs a command and writes down its peak memory. A process of its own does, since a child begins
#: with its parent's peak, and that of these tests is large.
_MEASURED = """import os, sys
child = os.spawnv(os.P_NOWAIT, sys.argv[2], sys.argv[2:])
_, status, used = os.wait4(child, 0)
with open(sys.argv[1], "w") as out:
    out.write(str(used.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))"""


def run(folder: Path, *words: str, out: Path | None = None) -> tuple[str, int]:
    """What a command that must succeed printed to standard error, and its peak memory in MB."""
    peak = folder / "peak"
    with (out or Path(os.devnull)).open("wb") as target:
        done = subprocess.run(
            [sys.executable, "-c", _MEASURED, peak, OPTIN, *words],
            cwd=folder,
            env=clean_environment(),
            stdout=target,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return done.stderr, int(peak.read_text()) // 1024


def campaign(folder: Path, rows: int, gone: int) -> None:
    """A list, opt-outs, the same list again; then who may be messaged."""
    program = Program(folder)
    program.add_bot("b1")
    write_list(folder / "list.csv", rows)
    chosen = random.Random(rows).sample([n for n in range(rows) if n % 1_000 != 999], gone)
    outs = "".join(f"+467{n:08}\n" for n in chosen)
    (folder / "gone.csv").write_text("phone\n" + outs)
    import_ = ("import", "--bot", "b1", "list.csv", "--json")
    memory = [run(folder, *import_, out=folder / "first.json")[1]]
    run(folder, "import", "--bot", "b1", "gone.csv", "--action", "opt_out")
    memory.append(run(folder, *import_, out=folder / "again.json")[1])
    told, used = run(folder, "filter", "--bot", "b1", "list.csv", "--json", out=folder / "out.csv")
    memory.append(used)
    first, again = (
        json.loads((folder / name).read_text())["counts"] for name in ("first.json", "again.json")
    )
    broken = rows // 1_000
    assert first == {"recorded": rows - broken, "rejected": broken}
    assert again == {"ignored": rows - broken, "outweighed": gone, "rejected": broken}
    counts = json.loads(told)
    assert counts["allowed"] == rows - broken - gone
    assert counts["refused"] == {"opted_out": gone, "invalid_identity": broken}
    allowed = (folder / "out.csv").read_text().splitlines()[1:]
    assert len(allowed) == counts["allowed"]
    assert not {line.partition(",")[0] for line in allowed} & set(outs.split())
    print(f"{rows} rows, {gone} opted out, none revived; peak memory {memory} MB")
    assert max(memory) < MOST_MEMORY


def test_a_stale_copy_revives_nobody(tmp_path: Path) -> None:
    """R3: 20,000 rows, 2,000 opt-outs, the same rows again: all of them stay out."""
    campaign(tmp_path, 20_000, 2_000)


@pytest.mark.long
def test_a_stale_copy_of_a_million_revives_nobody(tmp_path: Path) -> None:
    """R3: the same with a million rows and 100,000 opt-outs, in less than 200 MB."""
    campaign(tmp_path, 1_000_000, 100_000)


def killed_imports(folder: Path, rows: int, kills: int) -> None:
    """Kills `optin import` again and again; the same command goes on with it each time."""
    chance = random.Random(kills)
    program = Program(folder)
    for bot_id in ("b1", "b2"):
        program.add_bot(bot_id)
    write_list(folder / "list.csv", rows)
    killed = 0
    for _ in range(kills):
        process = subprocess.Popen(
            [OPTIN, "import", "--bot", "b1", "list.csv"],
            cwd=folder,
            env=clean_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        done = progress(folder)
        until = done + chance.uniform(0, 0.6) * (rows - done) / (kills - killed)
        while progress(folder) <= until and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
    run(folder, "import", "--bot", "b1", "list.csv")
    run(folder, "import", "--bot", "b2", "list.csv")
    for what in ("contacts", "events"):
        for bot_id in ("b1", "b2"):
            run(folder, "export", "--bot", bot_id, "--what", what, out=folder / f"{bot_id}-{what}")
    ours, theirs = (
        [(folder / f"{bot_id}-contacts").read_text(), _rows(folder / f"{bot_id}-events")]
        for bot_id in ("b1", "b2")
    )
    assert ours[0] == theirs[0]
    assert set(ours[1]) == set(theirs[1])
    assert killed == kills
    print(f"{rows} rows, {killed} kills, the end is the same")


def progress(folder: Path) -> int:
    """How many rows of the last import of b1 are done."""
    reading = sqlite3.connect(f"file:{folder / 'optin.db'}?mode=ro", uri=True)
    try:
        found = reading.execute(
            """SELECT json_extract(details, '$.rows') FROM imports
             WHERE bot_id = 'b1' AND state = 'running' ORDER BY import_id"""
        ).fetchone()
    finally:
        reading.close()
    return int(found[0]) if found else 0


def _rows(path: Path) -> list[tuple[str, ...]]:
    """Who, what and when of each event."""
    return [tuple(line.split(",")[:3]) for line in path.read_text().splitlines()]


def test_a_killed_import_goes_on(tmp_path: Path) -> None:
    """R13: killed with `kill -9` at random points and started again, it ends as if never killed."""
    killed_imports(tmp_path, 8_000, 2)


@pytest.mark.long
def test_an_import_killed_many_times_goes_on(tmp_path: Path) -> None:
    """R13: the same, 200,000 rows and twenty kills."""
    killed_imports(tmp_path, 200_000, 20)


class Api:
    """Calls of the native API."""

    def __init__(self, program: Program, token: str) -> None:
        self._program = program
        self._token = token

    def call(self, method: str, path: str, body: bytes | None = None) -> Any:
        """The answer's JSON."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "text/csv"}
        url = f"{self._program.url}/v1/bots/b1/{path}"
        request = urllib.request.Request(url, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def rows(self, job: str) -> int:
        """How far an import is."""
        return int(self.call("GET", f"imports/{job}")["rows"])


def test_a_service_that_is_killed(tmp_path: Path) -> None:
    """R13: a list that was answered with `202` is taken in to its end, whatever happens."""
    rows = 6_000
    write_list(tmp_path / "list.csv", rows)
    program = Program(tmp_path, "--workers", "2")
    api = Api(program, program.add_bot("b1"))
    with program:
        job = api.call("POST", "imports", (tmp_path / "list.csv").read_bytes())["id"]
        wait_until(lambda: api.rows(job) > 0)
        program.kill()
        program.start()
        assert 0 < api.rows(job) <= rows
        wait_until(lambda: api.call("GET", f"imports/{job}")["state"] == "done", 60)
        counts = api.call("GET", f"imports/{job}")["counts"]
    assert counts == {"recorded": rows - 6, "rejected": 6}


def test_a_live_opt_out_does_not_wait(tmp_path: Path) -> None:
    """R6: while a list is taken in, an opt-out is acknowledged before more than a few commits of
    the list have gone by."""
    rows = 30_000
    write_list(tmp_path / "list.csv", rows)
    program = Program(tmp_path)
    api = Api(program, program.add_bot("b1"))
    with program:
        job = api.call("POST", "imports", (tmp_path / "list.csv").read_bytes())["id"]
        wait_until(lambda: api.rows(job) > 0)
        passed, took = [], []
        for n in range(5):
            before, begun = api.rows(job), time.monotonic()
            body = json.dumps({"items": [{"identity": f"+467{n:08}", "action": "opt_out"}]})
            api.call("POST", "consents", body.encode())
            took.append(time.monotonic() - begun)
            passed.append(api.rows(job) - before)
        assert api.rows(job) < rows, "the list was done before the opt-outs: take a longer one"
        checked = api.call("POST", "check", json.dumps({"identities": ["+46700000000"]}).encode())
    print(f"rows that went by during an opt-out: {passed}; seconds: {[round(t, 3) for t in took]}")
    assert max(passed) <= 4_000
    assert not checked["results"][0]["allowed"]
