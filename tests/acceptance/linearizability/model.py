"""What one contact's answers must be, told apart from the product's own code: the oracle.

A contact of the campaign is in one of eight standings. Nothing of it lasts 24 hours, and all calls
are live (R3), so times need not be known: their order is enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import NamedTuple


class Action(StrEnum):
    """What a client asks for."""

    OPT_IN = "opt-in"
    OPT_OUT = "opt-out"
    MESSAGE = "message"
    CHECK = "check"


class Standing(NamedTuple):
    """`ever_out`: whether there is any opt-out, which the reason of a refusal tells (R7)."""

    opted_in: bool = False
    ever_out: bool = False
    session: bool = False


#: What a check says: the basis if it allows, the reason if it refuses.
Verdict = str

EVERY_STANDING = frozenset(Standing(*flags) for flags in product((False, True), repeat=3))


def after(before: Standing, action: Action) -> Standing:
    """R4 to R6: the newest of opt-in and opt-out counts, and an opt-out ends the session."""
    match action:
        case Action.OPT_IN:
            return before._replace(opted_in=True)
        case Action.OPT_OUT:
            return Standing(opted_in=False, ever_out=True, session=False)
        case Action.MESSAGE:
            return before._replace(session=True)
        case _:
            return before


def verdict(of: Standing, category: str) -> Verdict:
    """R7, steps 1, 2, 4 and 5."""
    refused = "opted_out" if of.ever_out else "no_opt_in"
    if not of.opted_in and not of.session:
        return refused
    if category == "marketing" and not of.opted_in and of.ever_out:
        return refused
    if category == "service" and not of.session:
        return "session_required"
    return "opt_in" if of.opted_in else "session"


@dataclass(frozen=True, slots=True)
class Operation:
    """One call about one contact. Times are ns of one monotonic clock.

    `ended`: None if the answer is unknown: it took effect at any time after it began, or never.
    `said`: the verdict of a check. `where`: for people, which node and which of the identities.
    """

    action: Action
    begun: int
    ended: int | None
    category: str = ""
    said: Verdict = ""
    where: str = ""

    def fits(self, standing: Standing) -> bool:
        """Whether it can take effect in that standing, its answer being what it is."""
        return self.action is not Action.CHECK or verdict(standing, self.category) == self.said
