"""Lists of a million rows beside what the machine can do at all: `python -m bench.lists [ROWS]`.

Floors, measured in the same run: the standard csv module reading the file, and the sqlite3 shell
importing it into a table with a primary key. Memory is the process's peak.
"""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

OPTIN = str(Path(sys.executable).with_name("optin"))
_MIB = 1024


def write_list(path: Path, rows: int) -> None:
    """Opt-ins with dates and a source; the same each time."""
    chance = random.Random(rows)
    with path.open("w", encoding="utf-8") as out:
        out.write("phone,status,date,source,name\n")
        for n in range(rows):
            day = chance.randrange(1, 29)
            out.write(f"+467{n:08},opt-in,2025-03-{day:02}T09:30:00Z,form {n % 9},Name {n}\n")


def run(folder: Path, *words: str, out: Path | None = None) -> tuple[float, float]:
    """(seconds, peak MB) of a command that must succeed."""
    begun = time.monotonic()
    with (out or Path(os.devnull)).open("wb") as target:
        process = subprocess.Popen([OPTIN, *words], cwd=folder, stdout=target)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{words} ended with {process.returncode}")
    return time.monotonic() - begun, used.ru_maxrss / _MIB


def timed(what: Callable[[], object]) -> float:
    """Seconds."""
    begun = time.monotonic()
    what()
    return time.monotonic() - begun


def read_csv(path: Path) -> None:
    """The floor of reading."""
    with path.open(newline="", encoding="utf-8") as source:
        for _ in csv.reader(source):
            pass


def sqlite_import(path: Path, folder: Path) -> None:
    """The floor of writing."""
    script = (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;\n"
        "CREATE TABLE t (phone TEXT PRIMARY KEY, status, date, source, name) WITHOUT ROWID;\n"
        f".import --csv --skip 1 {path} t\n"
    )
    subprocess.run(
        ["sqlite3", str(folder / "floor.db")],
        input=script.encode(),
        check=True,
        capture_output=True,
    )


def main() -> None:
    """Prints rates in rows a second, ratios to the floors, and memory."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "list.csv"
        write_list(path, rows)
        subprocess.run([OPTIN, "bot", "add", "b"], cwd=folder, check=True, capture_output=True)
        reading = timed(lambda: read_csv(path))
        report: dict[str, object] = {"rows": rows, "csv module": round(rows / reading)}
        floor = None
        if shutil.which("sqlite3"):
            floor = timed(lambda: sqlite_import(path, folder))
            report["sqlite3 .import"] = round(rows / floor)
        steps = {
            "dry run": ("import", "--bot", "b", "list.csv", "--dry-run"),
            "import": ("import", "--bot", "b", "list.csv"),
            "import again": ("import", "--bot", "b", "list.csv"),
            "filter": ("filter", "--bot", "b", "list.csv"),
            "export contacts": ("export", "--bot", "b"),
            "export events": ("export", "--bot", "b", "--what", "events"),
        }
        for step, words in steps.items():
            seconds, memory = run(folder, *words, out=folder / "out")
            told: dict[str, float] = {"rows/s": round(rows / seconds), "peak MB": round(memory)}
            told["times slower than csv"] = round(seconds / reading, 1)
            if floor:
                told["times slower than .import"] = round(seconds / floor, 1)
            report[step] = told
        report["load"] = os.getloadavg()[0]
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
