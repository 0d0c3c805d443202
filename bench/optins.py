"""Opt-ins a second at 64 connections, beside an app that only parses: `make bench`.

Both sides run in turn in one go, so that their ratio holds on a machine whose speed drifts. The
load comes from wrk (Debian: `apt-get install wrk`) on the same machine.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
OPTIN = str(Path(sys.executable).with_name("optin"))
ROUNDS, SECONDS, CONNECTIONS = 5, 5, 64


def rates(url: str, token: str) -> dict[str, float]:
    """Requests a second and latencies in ms, from one run of wrk."""
    command = ["wrk", f"-c{CONNECTIONS}", "-t1", f"-d{SECONDS}s", "--latency"]
    command += ["-s", str(HERE / "optins.lua"), "-H", f"Authorization: Bearer {token}"]
    command += ["-H", "Content-Type: application/json", url]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out:
        raise SystemExit(out)
    found = {"req/s": float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])}  # type: ignore[index]
    for share in ("50%", "99%"):
        number, unit = re.search(rf"{share}\s+([\d.]+)(us|ms|s)", out).groups()  # type: ignore[union-attr]
        found[share] = float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
    return found


@contextmanager
def plain() -> Iterator[str]:
    """The app that only parses, on uvicorn with uvloop and httptools, one process."""
    command = [sys.executable, "-m", "uvicorn", "bench.plain:app", "--port", "8391"]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    process = subprocess.Popen([*command, "--log-level", "error"], cwd=HERE.parent)
    try:
        yield "http://127.0.0.1:8391/"
    finally:
        process.terminate()
        process.wait()


class Service:
    """`optin serve` on a new SQLite file with one bot."""

    def __init__(self, folder: Path) -> None:
        made = [OPTIN, "bot", "add", "bench", "--json"]
        out = subprocess.run(made, cwd=folder, capture_output=True, text=True, check=True).stdout
        self.token = str(json.loads(out)["token"])
        begun = time.monotonic()
        self.process = subprocess.Popen(
            [OPTIN, "serve", "--port", "8390"], cwd=folder, stdout=subprocess.DEVNULL
        )
        while not self._answers():
            time.sleep(0.005)
        self.start_up = time.monotonic() - begun
        self.url = "http://127.0.0.1:8390/whatsapp/v1/bench/provision/optin"

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen("http://127.0.0.1:8390/readyz") as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def memory(self) -> float:
        """Resident memory, MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def stop(self) -> None:
        """Ends it."""
        self.process.terminate()
        self.process.wait()


def wait_for(url: str) -> None:
    """Until the yardstick listens."""
    for _ in range(500):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data=b'{"numbers":[]}')):
                return
        except OSError:
            time.sleep(0.02)
    raise SystemExit("the yardstick did not start")


def main() -> None:
    """Prints the medians of the rounds and of their ratios."""
    with tempfile.TemporaryDirectory() as folder, plain() as yardstick:
        service = Service(Path(folder))
        at_rest = service.memory()
        wait_for(yardstick)
        pairs = []
        for _ in range(ROUNDS):
            pairs.append((rates(service.url, service.token), rates(yardstick, "none")))
        for name, side in (("optin", 0), ("only parses", 1)):
            medians = {k: statistics.median(p[side][k] for p in pairs) for k in pairs[0][side]}
            shown = ", ".join(f"{key} {value:.2f}" for key, value in medians.items())
            print(f"{name:12} {shown}")
        ratio = statistics.median(mine["req/s"] / theirs["req/s"] for mine, theirs in pairs)
        print(f"ratio of req/s, median of {ROUNDS} pairs: {ratio:.2f}")
        print(f"start-up {service.start_up:.2f} s; memory {at_rest:.0f} MB at rest, ", end="")
        print(f"{service.memory():.0f} MB after the load")
        service.stop()


if __name__ == "__main__":
    main()
