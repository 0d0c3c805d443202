"""The real program as processes: made, started, killed and started again, as an operator would."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

_ADDRESS = re.compile(r"optin listens on (http://\S+)")

#: The console script that this Python's environment has installed.
OPTIN = str(Path(sys.executable).with_name("optin"))


class Program:
    """One `optin` on one folder. `start` and `kill` may be repeated; the port stays the same."""

    def __init__(
        self, folder: Path, *options: str, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.folder = folder
        self._options = options
        self._added = environment
        self._process: subprocess.Popen[str] | None = None
        self._port = "0"
        self.url = ""

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs one command to its end."""
        return subprocess.run(
            [OPTIN, *arguments],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def result(self, *arguments: str) -> Any:
        """The JSON that a command prints."""
        done = self.command(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def add_bot(self, bot_id: str, **settings: str) -> str:
        """Makes a bot; its token."""
        chosen = [part for k, v in settings.items() for part in ("--set", f"{k}={v}")]
        token: str = self.result("bot", "add", bot_id, *chosen)["token"]
        return token

    def start(self) -> None:
        """Starts the service and waits until it listens."""
        with (self.folder / "serve.log").open("a") as log:
            self._process = subprocess.Popen(
                [OPTIN, "serve", "--port", self._port, *self._options],
                cwd=self.folder,
                env=self._environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := _ADDRESS.search(line):
                self.url = found[1]
                self._port = self.url.rsplit(":", 1)[1]
                return
        raise AssertionError((self.folder / "serve.log").read_text())

    @property
    def pid(self) -> int:
        """The main process."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """`kill -9` on every process of the service at once."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._ended()

    def stop(self, within: float = 30.0) -> int:
        """Stops it as an operator does; its exit code. Fails if it takes longer than so many
        seconds."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._ended(within)

    def _ended(self, within: float = 30.0) -> int:
        assert self._process is not None
        code = self._process.wait(timeout=within)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None
        return code

    def __enter__(self) -> Program:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.kill()

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("OPTIN_")}
        return kept | {"PYTHONUNBUFFERED": "1"} | dict(self._added)


def wait_until(holds: Any, seconds: float = 20.0) -> Any:
    """The first true value of `holds()`; fails if there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := holds():
            return value
        time.sleep(0.02)
    raise AssertionError("it did not come to hold in time")
