"""Files that are lists, as commands read and write them: in pieces, with a bar for who waits."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from optin.domain.errors import InvalidInput
from optin.domain.lists.presets import PRESETS
from optin.domain.lists.reader import ListOptions
from optin.domain.lists.shape import CSV, JSONL

_PIECE = 256 * 1024
STDIN = "-"
_ORDERS = ("dmy", "mdy")

FILE = click.argument("file", metavar="FILE|-")
_READING = (
    click.option(
        "--format", "form", type=click.Choice([CSV, JSONL]), help="If not told by itself."
    ),
    click.option("--encoding", metavar="NAME", help="Such as utf-8, utf-16, cp1252."),
    click.option("--delimiter", metavar="CHARACTER", help="One of , ; | or tab."),
    click.option(
        "--map",
        "mapping",
        multiple=True,
        metavar="COLUMN=FIELD",
        help="What a column holds; #1 is the first column, FIELD - makes it none of ours.",
    ),
)


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how a list is to be read."""
    for option in reversed(_READING):
        command = option(command)
    return command


PRESET = click.option("--preset", type=click.Choice(list(PRESETS)), help="The list of a provider.")
DATE_ORDER = click.option("--date-order", type=click.Choice(_ORDERS), help="Of 03/04/2026.")


def list_options(
    form: str | None,
    encoding: str | None,
    delimiter: str | None,
    mapping: tuple[str, ...],
    **more: str | None,
) -> ListOptions:
    """The options as given on the command line. Raises `InvalidInput`."""
    return ListOptions(
        form=form or "",
        encoding=encoding or "",
        delimiter={"tab": "\t", "\\t": "\t"}.get(delimiter or "", delimiter or ""),
        mapping=pairs(mapping, "--map COLUMN=FIELD"),
        preset=more.get("preset") or "",
        action=more.get("action") or "",
        time_zone=more.get("time_zone") or "",
        date_order=more.get("date_order") or "",
    )


def pairs(given: tuple[str, ...], form: str) -> dict[str, str]:
    """NAME=VALUE, as often as wanted. Raises `InvalidInput`."""
    found: dict[str, str] = {}
    for each in given:
        name, equals, value = each.rpartition("=")
        if not equals or not name:
            raise InvalidInput(f"Write {form}.")
        found[name] = value
    return found


@contextmanager
def opened(file: str) -> Iterator[IO[bytes]]:
    """The file, or standard input. Raises `click.UsageError` if it is not there."""
    if file == STDIN:
        yield sys.stdin.buffer
        return
    try:
        source = Path(file).open("rb")  # noqa: SIM115 - closed below
    except OSError as why:
        raise click.UsageError(f"{file} can not be read: {why.strerror}.") from None
    with source:
        yield source


@contextmanager
def rejecting(name: str | None, head: bytes = b"") -> Iterator[Callable[[bytes], object]]:
    """Writes to the file for rows that are not taken, or nowhere if none was asked for. Raises
    `click.UsageError` if it can not be written."""
    if not name:
        yield lambda _: None
        return
    try:
        out = Path(name).open("wb")  # noqa: SIM115 - closed below
    except OSError as why:
        raise click.UsageError(f"{name} can not be written: {why.strerror}.") from None
    with out:
        out.write(head)
        yield out.write


def name_of(file: str) -> str:
    """What the file is called in the ledger."""
    return "" if file == STDIN else Path(file).name


def size_of(file: str) -> int:
    """Bytes; 0 if nobody knows."""
    try:
        return 0 if file == STDIN else Path(file).stat().st_size
    except OSError:
        return 0


def pieces(source: IO[bytes], passed: Callable[[int], None] = lambda _: None) -> Iterator[bytes]:
    """The file in pieces. `passed` is told how many bytes each has."""
    read = getattr(source, "read1", source.read)
    while data := read(_PIECE):
        passed(len(data))
        yield data


async def async_pieces(
    source: IO[bytes], passed: Callable[[int], None] = lambda _: None
) -> AsyncIterator[bytes]:
    """The same, for use cases."""
    for data in pieces(source, passed):
        yield data


class Bar:
    """A progress bar on standard error; nothing where that is no terminal."""

    def __init__(self, label: str, length: int) -> None:
        self._shown = sys.stderr.isatty() and length > 0
        self._bar: Any = None
        if self._shown:
            self._bar = click.progressbar(length=length, label=label, file=sys.stderr)
        self._at = 0

    def __enter__(self) -> Bar:
        if self._bar is not None:
            self._bar.__enter__()
        return self

    def __exit__(self, *why: object) -> None:
        if self._bar is not None:
            self._bar.__exit__(*why)

    def add(self, some: int) -> None:
        """So much more is done."""
        self._at += some
        if self._bar is not None:
            self._bar.update(some)

    def reach(self, at: int) -> None:
        """So much is done altogether."""
        self.add(max(at - self._at, 0))
