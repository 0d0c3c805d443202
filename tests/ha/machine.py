"""One machine of the cluster: etcd, Patroni and PostgreSQL, set up by `deploy/ha`'s own files.

Each has a loopback address of its own, so that a port that it leaves while it is down is not taken
by a client's end of a connection. All that runs on it has its folder, or one below it, as working
directory: so everything can be found, killed or frozen at once, as the power or a hypervisor would.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.house.tree import ROOT
from tests.stores.postgres.server import programs

#: PostgreSQL refuses to run as root. As `nobody` it need not be able to read where Python and the
#: packages lie, which may be a private home: so it may read everything, and nothing else.
_AS_NOBODY = ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
_READS_ALL = ["--inh-caps", "-all,+dac_override", "--ambient-caps", "-all,+dac_override"]


class Machine:
    """`db1`, `db2` or `db3`, with a folder, an address and ports of its own."""

    def __init__(self, number: int, above: Path) -> None:
        self.name = f"db{number}"
        self.folder = above / self.name
        self.address = f"127.0.0.{number + 1}"
        self.folder.mkdir(mode=0o755)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody", "nogroup")
        self.database, self.rest, self.client, self.peer = _places(self.address, 4)
        self._started: list[subprocess.Popen[bytes]] = []

    def configure(self, machines: Sequence[Machine]) -> None:
        """Writes its files: those of the example, with this machine's names and places."""
        self._write("etcd.yml", _etcd(self, machines))
        self._write("patroni.yml", _patroni(self, machines))

    def start(self) -> None:
        """Starts etcd and Patroni, which starts PostgreSQL; returns at once."""
        etcd = str(Path(sys.executable).with_name("etcd"))
        self._run("etcd", ["setpriv", "--pdeathsig", "KILL", etcd, "--config-file", "etcd.yml"])
        nobody = [*_AS_NOBODY, *_READS_ALL] if os.geteuid() == 0 else []
        patroni = [sys.executable, "-m", "patroni", "patroni.yml"]
        self._run("patroni", ["setpriv", *nobody, "--pdeathsig", "TERM", *patroni])

    def kill(self) -> None:
        """The power is cut: nothing on it does anything any more."""
        self.send(signal.SIGSTOP)  # so that none sees another one die
        self.send(signal.SIGKILL)
        for process in self._started:
            process.wait(10)
        self._started.clear()

    def send(self, what: signal.Signals) -> None:
        """All that runs on the machine gets it."""
        for pid in self._running():
            _send(pid, what)

    def signal_patroni(self, what: signal.Signals) -> None:
        """Patroni alone gets it; PostgreSQL and etcd go on."""
        _send(self._started[1].pid, what)

    def kill_postgres(self) -> None:
        """`kill -9` of PostgreSQL's first process alone; the others see it and end."""
        _send(int((self.folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def cluster(self) -> dict[str, str]:
        """What this machine's Patroni says of each machine: `leader`, `sync_standby`, `replica`,
        or its state if it is not running well. Empty if it does not answer."""
        with contextlib.suppress(OSError, ValueError):
            with urllib.request.urlopen(f"http://{self.rest}/cluster", timeout=2) as answer:
                members: list[dict[str, Any]] = json.load(answer)["members"]
            return {m["name"]: _standing(m) for m in members}
        return {}

    def log(self) -> str:
        """The end of what its Patroni wrote."""
        return "\n".join((self.folder / "patroni.log").read_text().splitlines()[-30:])

    def _run(self, name: str, command: Sequence[str]) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "PATRONI", "ETCD"))}
        with (self.folder / f"{name}.log").open("ab") as log:
            started = subprocess.Popen(
                command, cwd=self.folder, env=kept, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self._started.append(started)

    def _running(self) -> list[int]:
        found = []
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                with contextlib.suppress(OSError):
                    if self.folder in (where := (process / "cwd").readlink(), *where.parents):
                        found.append(int(process.name))
        return found

    def _write(self, name: str, content: dict[str, Any]) -> None:
        (self.folder / name).write_text(yaml.safe_dump(content))


def _places(address: str, count: int) -> list[str]:
    """So many places to listen at, chosen by the kernel."""
    with contextlib.ExitStack() as held:
        taken = [held.enter_context(socket.create_server((address, 0))) for _ in range(count)]
        return [f"{address}:{s.getsockname()[1]}" for s in taken]


def _standing(member: dict[str, Any]) -> str:
    # A standby that runs and does not stream may still have to be rewound: it is none yet.
    well = member["state"] == ("running" if member["role"] == "leader" else "streaming")
    return str(member["role"] if well else member["state"])


def _send(pid: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, what)


def _example(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "ha" / name).read_text())
    return content


def _etcd(machine: Machine, machines: Sequence[Machine]) -> dict[str, Any]:
    """The example's etcd, at this machine's addresses."""
    client, peer = f"http://{machine.client}", f"http://{machine.peer}"
    return _example("etcd.yml") | {
        "name": machine.name,
        "data-dir": str(machine.folder / "etcd"),
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "initial-cluster": ",".join(f"{m.name}=http://{m.peer}" for m in machines),
    }


def _patroni(machine: Machine, machines: Sequence[Machine]) -> dict[str, Any]:
    """The example's Patroni, at this machine's addresses, without a watchdog device."""
    settings = _example("patroni.yml")
    settings["name"] = machine.name
    settings["etcd3"]["hosts"] = [m.client for m in machines]
    settings["restapi"] |= {"listen": machine.rest, "connect_address": machine.rest}
    settings["postgresql"] |= {
        "listen": machine.database,
        "connect_address": machine.database,
        "data_dir": str(machine.folder / "data"),
        "bin_dir": str(programs()),
        "pgpass": str(machine.folder / "pgpass"),
        "pg_hba": [
            "local all postgres trust",
            "host all all 127.0.0.0/8 scram-sha-256",
            "host replication replicator 127.0.0.0/8 scram-sha-256",
        ],
    }
    # Sockets elsewhere than in this folder would be seen by others.
    settings["postgresql"]["parameters"] = {"unix_socket_directories": str(machine.folder)}
    settings["watchdog"] = {"mode": "off"}
    return settings
