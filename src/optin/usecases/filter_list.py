"""Who of a list may be messaged now: rows in, rows of the allowed ones out, as they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from optin.domain.decision import decide
from optin.domain.errors import NotFound
from optin.domain.lists.faults import RowFault
from optin.domain.lists.items import identity_in
from optin.domain.lists.reader import ListOptions, ListReader
from optin.domain.lists.rows import Row
from optin.domain.lists.shape import CSV, Shape
from optin.domain.lists.writing import with_reason
from optin.domain.messages import Category
from optin.ports.store import Store

#: Rows that are asked about together.
_AT_ONCE = 1_000

Write = Callable[[bytes], object]

ALLOWED = "allowed"


@dataclass(slots=True)
class FilterList:
    """Filters one list. `passed` gets the rows of those who may be messaged, byte for byte, and
    what stands before the first row; `refused` the others, each with one more cell: the reason of
    the decision (R7), or what is wrong with the row.

    `counts`: rows by reason, and those allowed.
    """

    store: Store
    bot_id: str
    category: Category
    options: ListOptions
    passed: Write
    refused: Write
    counts: Counter[str] = field(default_factory=Counter)

    async def run(self, body: Iterable[bytes]) -> None:
        """Reads to the end. Each answer rests on a reading that began after the row was read.

        Raises `NotFound`, `InvalidList` before anything is written, and `StoreUnavailable`, and
        then what is not written yet is not allowed (R12).
        """
        bot = await self.store.bot(self.bot_id)
        if bot is None:
            raise NotFound("There is no such bot.")
        country = bot.value("default_country")
        reader = ListReader(self.options, country=country, needs_action=False)
        begun, waiting = False, list[Row]()
        for data in body:
            waiting += reader.feed(data)
            begun = begun or self._began(reader)
            while len(waiting) >= _AT_ONCE:
                await self._some(reader, waiting[:_AT_ONCE], country)
                del waiting[:_AT_ONCE]
        waiting += reader.finish()
        if not begun:
            self._began(reader)
        for begin in range(0, len(waiting), _AT_ONCE):
            await self._some(reader, waiting[begin : begin + _AT_ONCE], country)

    def _began(self, reader: ListReader) -> bool:
        """Writes what stands before the rows, once it is known."""
        shape = reader.shape
        if shape is None:
            return False
        encoding = shape.encoding
        self.passed(encoding.mark + b"".join(map(encoding.outward, shape.head)))
        if shape.form == CSV and shape.headings is not None:
            *before, last = shape.head
            head = b"".join(before) + with_reason(last, shape, "reason")
            self.refused(encoding.mark + encoding.outward(head))
        else:
            self.refused(encoding.mark)
        return True

    async def _some(self, reader: ListReader, rows: Sequence[Row], country: str) -> None:
        assert reader.shape is not None  # noqa: S101 - a row has come
        shape, who = reader.shape, dict[int, str]()
        reasons: dict[int, str] = {}
        for place, row in enumerate(rows):
            try:
                if row.fault is not None:
                    raise row.fault
                who[place] = identity_in(row.cells, reader.columns_of(row), country)
            except RowFault as fault:
                reasons[place] = fault.code
        found = await self.store.read(self.bot_id, list(dict.fromkeys(who.values())))
        bot = await self.store.bot(self.bot_id)
        if bot is None:
            raise NotFound("There is no such bot.")
        for place, identity in who.items():
            made = decide(found.clocks[identity], self.category, found.now, bot.policy)
            if not made.allowed:
                reasons[place] = str(made.reason)
        self._written(shape, rows, reasons)

    def _written(self, shape: Shape, rows: Sequence[Row], reasons: dict[int, str]) -> None:
        passed, refused = [], []
        for place, row in enumerate(rows):
            reason = reasons.get(place)
            self.counts[reason or ALLOWED] += 1
            if reason is None:
                passed.append(row.raw)
            else:
                refused.append(with_reason(row.raw, shape, reason))
        self.passed(shape.encoding.outward(b"".join(passed)))
        self.refused(shape.encoding.outward(b"".join(refused)))
