"""What a list would do, row by row. Nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from optin.domain.errors import FutureDated, NotFound
from optin.domain.links import UNKNOWN, State
from optin.domain.lists.effects import foreseen
from optin.ports.imports import ImportRow
from optin.ports.store import Store
from optin.usecases.import_list.preparing import Prepared

#: Rows of each outcome that are shown.
EXAMPLES = 10
INVALID, LIFTS = "invalid", "lifts_opt_out"


@dataclass(slots=True)
class Plan:
    """What the rows so far would do: how many of each outcome, and the first of each."""

    import_id: str = ""
    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    examples: list[ImportRow] = field(default_factory=list)

    async def add(self, store: Store, bot_id: str, rows: Sequence[Prepared]) -> list[ImportRow]:
        """Foresees some rows as if those of the same call before them were recorded. Returns the
        invalid ones."""
        bot = await store.bot(bot_id)
        if bot is None:
            raise NotFound("There is no such bot.")
        who = list(dict.fromkeys(row.identity for row in rows if row.claim is not None))
        found = await store.states(bot_id, who)
        states: dict[str, State] = dict(found.states)

        def state_of(identity: str) -> State:
            return states.get(identity, UNKNOWN)

        invalid: list[ImportRow] = []
        self.rows += len(rows)
        for row in rows:
            try:
                if row.claim is None:
                    code, sentence = (row.fault.code, str(row.fault)) if row.fault else ("", "")
                    invalid.append(self._note(row, INVALID, code, sentence))
                    continue
                seen = foreseen(row.claim, state_of, found.now, bot.policy)
            except FutureDated as wrong:
                invalid.append(self._note(row, INVALID, wrong.code, str(wrong)))
                continue
            states[row.identity] = seen.state
            self._note(row, seen.effect.value)
            if seen.lifts:
                self._note(row, LIFTS)
        return invalid

    def _note(self, row: Prepared, outcome: str, code: str = "", sentence: str = "") -> ImportRow:
        self.counts[outcome] += 1
        noted = ImportRow(
            self.import_id, row.number, row.line, outcome, code, sentence, row.identity, row.kept
        )
        if self.counts[outcome] <= EXAMPLES:
            self.examples.append(noted if outcome == INVALID else replace(noted, row=b""))
        return noted
