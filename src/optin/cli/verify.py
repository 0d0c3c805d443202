"""`optin verify`: is the ledger as it was written (R14)."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from optin.cli.options import DATABASE, JSON, checked_id, with_store
from optin.cli.output import print_json, shown_time
from optin.domain.errors import NotFound
from optin.domain.identities import shown
from optin.domain.verifying import SENTENCES, Finding, Head
from optin.ports.store import Store
from optin.usecases.verify import Report, Verify
from optin.wiring.signing import checked_heads, make_keys, private_key, signed

_FILE = click.Path(dir_okay=False, path_type=Path)
_UNKNOWN = (
    "Not to be seen from here: whether entries were cut off at the end, or all was written anew "
    "from some point on. Compare with a signed head that was kept elsewhere (--against)."
)
#: How often progress is told, in seconds.
_EVERY = 0.5


@click.command()
@click.option(
    "--bot", "bot_ids", metavar="ID", multiple=True, help="Only this bot; can be repeated."
)
@click.option("--sign", "key", type=_FILE, help="Sign the heads with this private key (PEM).")
@click.option("--out", type=_FILE, help="Where the signed heads go, instead of standard output.")
@click.option("--against", type=_FILE, help="Heads that were signed before, kept elsewhere.")
@click.option("--public-key", type=_FILE, help="The key that they must be signed with (PEM).")
@click.option("--new-key", type=_FILE, help="Only make a key pair: this file, and FILE.pub.")
@DATABASE
@JSON
def verify(  # noqa: PLR0913, PLR0917 - each is an option
    bot_ids: tuple[str, ...],
    key: Path | None,
    out: Path | None,
    against: Path | None,
    public_key: Path | None,
    new_key: Path | None,
    database: str | None,
    as_json: bool,
) -> int:
    """Check the ledger against its hash chain, and the stored state against the ledger.

    The service may go on meanwhile. The exit code is 1 if anything is broken.
    """
    if new_key is not None:
        _make(new_key, as_json)
        return 0
    if (against is None) != (public_key is None):
        raise click.UsageError("--against and --public-key go together.")
    signer = private_key(key) if key else None
    heads = checked_heads(against, public_key) if against and public_key else []
    wanted = [_checked(bot_id) for bot_id in bot_ids] or None
    told = _Told()

    async def check(store: Store) -> tuple[list[Report], int]:
        known = {bot.bot_id for bot in await store.bots()} | set(await store.ledger_bots())
        if unknown := set(bot_ids) - known:
            raise NotFound(f"There is no bot {min(unknown)}.")
        return await Verify(store, told).verify(wanted, heads), await store.now()

    reports, now = with_store(database, check)
    told.end()
    sound = all(report.is_sound for report in reports)
    document = None
    if signer and sound:  # nobody shall hold a signature over what is broken
        document = signed([head for report in reports for head in report.heads], now, signer)
    _print(reports, sound, heads, document if out is None else None, as_json)
    if document and out:
        out.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    if signer and not document:
        print("Nothing is signed that is not sound.", file=sys.stderr)
    return 0 if sound else 1


def _checked(bot_id: str) -> str:
    return checked_id(click.get_current_context(), click.Option(["--bot"]), bot_id)


def _make(path: Path, as_json: bool) -> None:
    public = make_keys(path)
    if as_json:
        print_json({"private_key": str(path), "public_key": str(public)})
    else:
        print(f"The private key is in {path}, the public key in {public}.")


class _Told:
    """Progress on standard error: in place on a terminal, else not at all."""

    def __init__(self) -> None:
        self._shown = 0.0
        self._on = sys.stderr.isatty()

    def __call__(self, bot_id: str, entries: int, identities: int) -> None:
        if self._on and time.monotonic() - self._shown > _EVERY:
            self._shown = time.monotonic()
            text = f"\rBot {bot_id}: {entries:,} entries, {identities:,} identities "
            print(text, end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leaves the line."""
        if self._shown:
            print(file=sys.stderr)


def _print(
    reports: Sequence[Report],
    sound: bool,
    heads: Sequence[Head],
    document: dict[str, Any] | None,
    as_json: bool,
) -> None:
    if as_json:
        result = {"sound": sound, "bots": list(map(_as_json, reports))}
        if document:
            result["signed"] = document
        old = sum(len(report.too_old) for report in reports)
        result["signed_heads_compared"] = len(heads) - old
        print_json(result)
        return
    where = sys.stderr if document else sys.stdout
    for report in reports:
        print(_summary(report), file=where)
        for finding in report.findings:
            print(f"  {_place(finding)}: {SENTENCES[finding.fault]}", file=where)
    if heads:
        old = sum(len(report.too_old) for report in reports)
        print(f"Compared with {_counted(len(heads) - old, 'signed head')}.", file=where)
        if old:
            print(f"{old} more are older than what retention has left: sign anew.", file=where)
    else:
        print(_UNKNOWN, file=where)
    if document:
        print(json.dumps(document, indent=2))


def _summary(report: Report) -> str:
    commits = sum(head.seq for head in report.heads)
    counted = (
        f"Bot {report.bot_id}: {_counted(report.entries, 'entry', 'entries')} in "
        f"{_counted(commits, 'commit')}, {_counted(report.identities, 'identity', 'identities')}"
    )
    if report.is_sound:
        return f"{counted}: sound."
    more = sum(report.faults.values())
    told = f", the first {len(report.findings)}" if more > len(report.findings) else ""
    return f"{counted}: BROKEN, {_counted(more, 'finding')}{told}:"


def _counted(number: int, one: str, more: str = "") -> str:
    return f"{number} {one if number == 1 else more or one + 's'}"


def _place(finding: Finding) -> str:
    told = []
    if finding.writer is not None:
        told.append(f"writer {finding.writer}")
    if finding.seq is not None:
        told.append(f"commit {finding.seq}")
    if finding.place is not None:
        told.append(f"place {finding.place}")
    if finding.event_id:
        told.append(f"entry {finding.event_id}")
    if finding.subject:
        told.append(shown(finding.subject))
    return ", ".join(told)


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "bot_id": report.bot_id,
        "sound": report.is_sound,
        "entries": report.entries,
        "identities": report.identities,
        "heads": [
            {
                "writer": head.writer,
                "seq": head.seq,
                "hash": head.hash.hex(),
                "recorded": shown_time(head.recorded),
                "entries": head.entries,
            }
            for head in report.heads
        ],
        "faults": {fault.value: times for fault, times in report.faults.items()},
        "findings": [
            {
                "fault": finding.fault.value,
                "says": SENTENCES[finding.fault],
                "writer": finding.writer,
                "seq": finding.seq,
                "place": finding.place,
                "event_id": finding.event_id or None,
                "subject": shown(finding.subject) or None,
            }
            for finding in report.findings
        ],
    }
