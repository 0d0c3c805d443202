"""The real program as a process, as users start it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OPTIN = Path(sys.executable).with_name("optin")

_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Done:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def clean_environment(**variables: str) -> dict[str, str]:
    """This process's environment without settings of its own for optin."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPTIN_")}
    return {**kept, **variables}


def optin(
    folder: Path, *arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None
) -> Done:
    """Run one command to its end in `folder`."""
    done = subprocess.run(
        [OPTIN, *arguments],
        cwd=folder,
        env=clean_environment(**(environment or {})),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def succeeded(folder: Path, *arguments: str, stdin: str = "") -> Done:
    """Run one command that must succeed."""
    done = optin(folder, *arguments, stdin=stdin)
    assert done.code == 0, done
    return done


class Running:
    """A service under way: what it printed until it was ready, and its address."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self.log = log
        self.url = self._first_line().rsplit(" ", 1)[-1]

    def _first_line(self) -> str:
        assert self.process.stdout is not None
        guard = threading.Timer(_SECONDS, self.process.kill)
        guard.start()
        line = self.process.stdout.readline().strip()
        guard.cancel()
        assert line.startswith("optin listens on http://"), (line, self.log.read_text())
        return line

    def lines_until(self, last: str) -> list[str]:
        """What it prints from here to the line that begins with `last`."""
        assert self.process.stdout is not None
        lines: list[str] = []
        for line in self.process.stdout:
            lines.append(line.rstrip("\n"))
            if line.startswith(last):
                return lines
        raise AssertionError(lines)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(how)
        return self.process.wait(_SECONDS)


@contextlib.contextmanager
def running(folder: Path, *arguments: str, **environment: str) -> Iterator[Running]:
    """A command that serves, on a port of the kernel's choice; killed at the end if need be."""
    log = folder / "service.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [OPTIN, *arguments, "--port", "0"],
            cwd=folder,
            env=clean_environment(**environment),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield Running(process, log)
        finally:
            if process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_SECONDS)
                process.kill()
