"""Three machines and the proxy before them, made for a test and gone afterwards."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
import time
from pathlib import Path
from types import TracebackType

import asyncpg
import yaml

from tests.acceptance.program import wait_until
from tests.ha.machine import Machine
from tests.ha.proxy import PrimaryProxy

PATIENCE = 120.0
#: More than one loop of Patroni, in seconds.
_SETTLED = 7.0


class Cluster:
    """A PostgreSQL that outlives any one of its machines; `url` leads to its primary."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="optin-ha-", dir="/tmp"))
        self._folder.chmod(0o755)
        self.machines = [Machine(number, self._folder) for number in (1, 2, 3)]
        for machine in self.machines:
            machine.configure(self.machines)
        self._proxy = PrimaryProxy({machine.rest: machine.database for machine in self.machines})
        self.url = f"postgresql://optin:secret@127.0.0.1:{self._proxy.port}/optin"

    def __enter__(self) -> Cluster:
        try:
            for machine in self.machines:
                machine.start()
            self.wait_whole()
            asyncio.run(self._make_database())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: object, __: TracebackType | None
    ) -> None:
        if kind is not None:
            for machine in self.machines:
                print(f"--- {machine.name}\n{machine.log()}")
        self._end()

    def with_role(self, role: str) -> Machine:
        """The machine that all who answer call the `leader` or the `sync_standby`."""
        found: Machine = wait_until(lambda: self._agreed(role), PATIENCE)
        return found

    def wait_whole(self) -> None:
        """Returns when each machine says for some seconds on end: one primary, one synchronous
        standby, one more. What has just woken believes for a loop in what was."""
        whole = ["leader", "replica", "sync_standby"]
        deadline = time.monotonic() + PATIENCE
        since = time.monotonic()
        while time.monotonic() - since < _SETTLED:
            if not all(sorted(m.cluster().values()) == whole for m in self.machines):
                since = time.monotonic()
            if time.monotonic() > deadline:
                logs = "\n".join(f"--- {m.name} {m.cluster()}\n{m.log()}" for m in self.machines)
                raise AssertionError(f"the cluster did not become whole\n{logs}")
            time.sleep(0.3)

    async def connect(self) -> asyncpg.Connection[asyncpg.Record]:
        """To optin's own database on the primary."""
        return await asyncpg.connect(self.url, timeout=10)

    def _agreed(self, role: str) -> Machine | None:
        views = [view for m in self.machines if (view := m.cluster())]
        named = [m for m in self.machines if all(v.get(m.name) == role for v in views)]
        return named[0] if views and named else None

    async def _make_database(self) -> None:
        """As the page says: a user and an empty database of its own."""
        settings = yaml.safe_load((self.machines[0].folder / "patroni.yml").read_text())
        superuser = settings["postgresql"]["authentication"]["superuser"]
        host, port = self.with_role("leader").database.split(":")
        connection = await asyncpg.connect(
            host=host,
            port=int(port),
            user=superuser["username"],
            password=superuser["password"],
            database="postgres",
        )
        await connection.execute("CREATE USER optin PASSWORD 'secret'")
        await connection.execute("CREATE DATABASE optin OWNER optin ENCODING UTF8")
        await connection.close()

    def _end(self) -> None:
        self._proxy.close()
        for machine in self.machines:
            machine.send(signal.SIGCONT)
            machine.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
