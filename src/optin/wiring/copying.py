"""Copying one database into another: the steps of `CopyDatabase`, with `Verify` on both sides."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from optin.domain.errors import InconsistentRecord, InvalidInput, MasterKeyMismatch, StartupError
from optin.domain.verifying import SENTENCES
from optin.ports.whole import Whole
from optin.settings import Settings
from optin.stores.postgres.whole import PostgresWhole
from optin.stores.seal import Seal
from optin.stores.sqlite.whole import SQLiteWhole
from optin.usecases.copy_database import CopyDatabase, Progress
from optin.usecases.verify import Report, Verify
from optin.wiring.making import new_id
from optin.wiring.master_key import master_key
from optin.wiring.opening import FINGERPRINT, is_empty, make_or_migrate, opened_whatever_its_mark


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy did, as it can be told. `reports`: of the target, the same as of the source;
    None if the copy was complete before. `seconds`: of each step."""

    source: str
    target: str
    work: CopyDatabase
    reports: Sequence[Report] | None
    seconds: dict[str, float]


async def copy_database(source: Settings, target: Settings, progress: Progress) -> Copied:
    """Copies it, or goes on with a copy that was begun, to its end."""
    names = _name(source), _name(target)
    if names[0] == names[1] and source.database == target.database:
        raise InvalidInput("Source and target are the same database.", field="to")
    seal = await _check_source(source)
    if await is_empty(target):
        await make_or_migrate(target)
    async with _whole(source) as old, _whole(target) as new:
        if (await old.meta()).get(FINGERPRINT) != seal.fingerprint:
            raise MasterKeyMismatch(f"The database {names[0]} was made with another master key.")
        work = CopyDatabase(old, new, progress)
        if not await work.claim(new_id().hex(), *names):
            return Copied(*names, work, None, {})
        return await _copied(source, target, seal, Copied(*names, work, [], {}))


async def release(source: Settings) -> None:
    """Takes back what a copy did to its source: it can be served again."""
    await _check_source(source)
    async with _whole(source) as old:
        mark = await old.mark()
        if mark is None or mark.role != "source":
            raise StartupError(f"The database {_name(source)} is not the source of a copy.")
        await old.release()


async def _copied(source: Settings, target: Settings, seal: Seal, told: Copied) -> Copied:
    watch, work = _Watch(told.seconds), told.work
    try:
        before = await _sound(source, seal, work.source, "Checking the source", work.progress)
        watch.lap("verify_source")
        await work.begin()
    except BaseException:
        await work.give_back()
        raise
    await work.run()
    watch.lap("copy")
    await work.compare()
    watch.lap("compare")
    after = await _sound(target, seal, work.target, "Checking the target", work.progress)
    watch.lap("verify_target")
    if before != after:
        raise InconsistentRecord("The chains of the two databases do not end alike.")
    await work.finish({head.writer for report in after for head in report.heads})
    return Copied(told.source, told.target, work, after, told.seconds)


async def _sound(
    settings: Settings, seal: Seal, whole: Whole, what: str, progress: Progress
) -> list[Report]:
    """What `optin verify` finds. Raises `InconsistentRecord` unless that is nothing."""
    named = {table.name: table for table in await whole.tables()}
    read = [named[name] for name in ("events", "contact_messages", "identities")]
    total, bots = sum([await whole.count(table) for table in read]), dict[str, int]()

    def tell(bot_id: str, entries: int, identities: int) -> None:
        bots[bot_id] = entries + identities
        progress(what, sum(bots.values()), total)

    store = await opened_whatever_its_mark(settings, seal)
    try:
        reports = await Verify(store, tell).verify()
    finally:
        await store.close()
    for report in reports:
        for finding in report.findings[:1]:
            raise InconsistentRecord(
                f"{what}: bot {report.bot_id} is not sound ({SENTENCES[finding.fault]}). "
                f"`optin verify --database {_name(settings)}` tells all."
            )
    return reports


async def _check_source(source: Settings) -> Seal:
    """The seal, if the source can be opened with it. Nothing is made."""
    if await is_empty(source):
        raise StartupError(f"There is no database at {source.database_name}.")
    seal = Seal(master_key(source, lambda _: False))
    await (await opened_whatever_its_mark(source, seal)).close()
    return seal


@contextlib.asynccontextmanager
async def _whole(settings: Settings) -> AsyncIterator[Whole]:
    opened: Whole
    if settings.is_postgresql:
        opened = PostgresWhole(settings.database)
    else:
        opened = SQLiteWhole(settings.database_path)
    try:
        yield opened
    finally:
        await opened.close()


def _name(settings: Settings) -> str:
    """What people may see of the address, the same from wherever the program is started."""
    if settings.is_postgresql:
        return settings.shown_database
    return f"sqlite:{settings.database_path.resolve()}"


class _Watch:
    """Takes the time of one step after another."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        self._begun = time.monotonic()

    def lap(self, step: str) -> None:
        now = time.monotonic()
        self._seconds[step] = round(now - self._begun, 3)
        self._begun = now
