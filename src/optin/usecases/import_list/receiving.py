"""Takes a list in whole before anything is done with it, and refuses at once what is no list."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace

from optin.domain.errors import Conflict, InvalidInput, NotFound, OptinError, TooLarge
from optin.domain.ids import NewId, ulid
from optin.domain.lists.reader import ListOptions
from optin.ports.imports import ImportJob, ImportKind, ImportState
from optin.ports.store import Store
from optin.usecases.import_list.preparing import Preparing
from optin.usecases.import_list.works import LEASE

#: Of a body, in bytes: one commit keeps one.
PIECE = 256 * 1024
_LONGEST_NAME, _LONGEST_REASON = 200, 500
_PAGE = 200


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What the caller asks for. `reopt_in`: the reason why opt-ins without a date count as of now,
    "" if they do not (R3). `name`: of the file."""

    options: ListOptions = field(default_factory=ListOptions)
    dry_run: bool = False
    reopt_in: str = ""
    name: str = ""
    source: str = "import"
    actor: str = ""
    context: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReceiveImport:
    """Makes jobs. `most`: of a body, in bytes; `received` is called when there is a new job."""

    store: Store
    new_id: NewId
    most: int = 1024 * 1024 * 1024

    async def job(self, bot_id: str, asked: ImportRequest) -> ImportJob:
        """A job that is in no store yet. Raises `NotFound` and `InvalidInput`."""
        bot = await self.store.bot(bot_id)
        if bot is None:
            raise NotFound(f"There is no bot {bot_id}.")
        reason = asked.reopt_in.strip()
        if len(reason) > _LONGEST_REASON or "\x00" in reason + asked.name:
            raise InvalidInput("The reason is text of at most 500 characters.", field="reopt_in")
        job = ImportJob(
            bot_id,
            ulid(self.new_id()),
            await self.store.now(),
            dry_run=asked.dry_run,
            options={**asdict(asked.options), "country": bot.value("default_country")},
            reopt_in=reason,
            source=asked.source,
            actor=asked.actor,
            context=asked.context,
            name=asked.name[-_LONGEST_NAME:],
        )
        Preparing(job)  # refuses options that are none
        return job

    async def receive(
        self, bot_id: str, asked: ImportRequest, body: AsyncIterator[bytes], claimant: str = ""
    ) -> ImportJob:
        """Keeps the body and returns when it is on disk, to be worked on by `claimant`, or by
        whoever has time.

        Raises `InvalidList` for what is no list, `TooLarge`, and whatever the body raises; then
        nothing of it is kept.
        """
        job = await self.job(bot_id, asked)
        try:
            digest, size = await self._keep(job, body)
        except BaseException:
            with suppress(OptinError):
                await asyncio.shield(self._forget(job))
            raise
        job = replace(job, state=ImportState.WAITING, digest=digest, size=size)
        if claimant:
            until = await self.store.now() + LEASE
            job = replace(job, state=ImportState.RUNNING, claimant=claimant, leased_until=until)
        await self.store.put_import(job)
        return job

    async def unfinished(self, job: ImportJob) -> ImportJob | None:
        """An earlier job with the same body and options that is not over."""
        after = ""
        while page := await self.store.imports(job.bot_id, after, _PAGE):
            for one in page:
                same = one.digest == job.digest and one.import_id != job.import_id
                if same and not one.is_over and one.state is not ImportState.RECEIVING:
                    return one
            after = page[-1].import_id
        return None

    async def undo(self, bot_id: str, import_id: str, asked: ImportRequest) -> ImportJob:
        """A job that takes an import back. Raises `NotFound`, and `Conflict` if there is nothing
        to take back, or not yet."""
        job = await self.store.imported(bot_id, import_id)
        if job is None:
            raise NotFound("There is no such import.")
        if job.kind is ImportKind.UNDO or job.dry_run:
            raise Conflict("Only an import that recorded something can be undone.")
        if not job.is_over:
            raise Conflict("The import is still under way.")
        if job.undone_by:
            raise Conflict("The import is undone already.")
        undo = ImportJob(
            bot_id,
            ulid(self.new_id()),
            await self.store.now(),
            kind=ImportKind.UNDO,
            state=ImportState.WAITING,
            source=asked.source,
            actor=asked.actor,
            context=asked.context,
            name=job.name,
            of=import_id,
        )
        await self.store.put_import(undo)
        await self.store.put_import(replace(job, undone_by=undo.import_id))
        return undo

    async def discard(self, job: ImportJob) -> None:
        """Lets go of a job that nobody has begun."""
        await self._forget(job)

    async def _keep(self, job: ImportJob, body: AsyncIterator[bytes]) -> tuple[str, int]:
        """(digest, size). The job is in the store from its first piece on."""
        reader = Preparing(job).reader
        digest = hashlib.sha256(json.dumps(_said(job), sort_keys=True).encode())
        held, size, piece = bytearray(), 0, 0
        async for data in body:
            size += len(data)
            if size > self.most:
                raise TooLarge(f"The list is larger than {self.most} bytes.")
            if reader.shape is None:
                reader.feed(data)
            digest.update(data)
            held += data
            while len(held) >= PIECE:
                piece = await self._put(job, piece, bytes(held[:PIECE]))
                del held[:PIECE]
        if reader.shape is None:
            reader.finish()
        if held or not piece:
            await self._put(job, piece, bytes(held))
        return digest.hexdigest(), size

    async def _put(self, job: ImportJob, piece: int, data: bytes) -> int:
        if piece == 0:
            await self.store.put_import(job)
        await self.store.put_import_body(job.bot_id, job.import_id, {piece: data})
        return piece + 1

    async def _forget(self, job: ImportJob) -> None:
        if await self.store.imported(job.bot_id, job.import_id) is None:
            return
        failed = replace(job, state=ImportState.FAILED, error="The upload was broken off.")
        await self.store.put_import(failed)
        while await self.store.drop_import_body(job.bot_id, job.import_id, 16):
            pass


def _said(job: ImportJob) -> object:
    """What, beside the body, makes two imports the same."""
    return [job.bot_id, dict(job.options), job.reopt_in, job.dry_run]
