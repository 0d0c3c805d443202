"""May this bot message this contact now, and why (R7)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from optin.domain.consent import (
    NEVER,
    SIMPLE,
    Clocks,
    Policy,
    marketing_stopped,
    newest_opt_out,
    opted_in,
    session_until,
)
from optin.domain.messages import Category


class Reason(StrEnum):
    """Why a message is refused. Stable: part of every API."""

    NO_OPT_IN = "no_opt_in"
    OPTED_OUT = "opted_out"
    MARKETING_STOPPED = "marketing_stopped"
    SESSION_REQUIRED = "session_required"


class Basis(StrEnum):
    """What an allowed message rests on."""

    OPT_IN = "opt_in"
    SESSION = "session"


class Enforce(StrEnum):
    """How far decisions bite (R7): a bot's setting."""

    ALL = "all"
    OPT_OUTS = "opt_outs"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Decision:
    """The rule's answer, never softened. `until`: UTC µs, the instant from which it is void."""

    allowed: bool
    reason: Reason | None = None
    basis: Basis | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """What the gate does with a message: `passes`, and the decision that is recorded with it."""

    passes: bool
    decision: Decision


def decide(clocks: Clocks, category: Category, now: int, policy: Policy = SIMPLE) -> Decision:
    """R7, steps 1 to 5. `clocks` is what `consent.read` made of all identities; `now` UTC µs."""
    standing = opted_in(clocks, now, policy)
    until = session_until(clocks, now)
    out = newest_opt_out(clocks) != NEVER
    marketing = category is Category.MARKETING
    if not standing and until is None:
        return _refused(Reason.OPTED_OUT if out else Reason.NO_OPT_IN)
    if marketing and not standing and out:
        return _refused(Reason.OPTED_OUT)
    if marketing and marketing_stopped(clocks):
        return _refused(Reason.MARKETING_STOPPED)
    if category is Category.SERVICE and until is None:
        return _refused(Reason.SESSION_REQUIRED)
    if standing:
        return Decision(True, basis=Basis.OPT_IN, until=_until_of_standing(category, until))
    return Decision(True, basis=Basis.SESSION, until=until)


def _until_of_standing(category: Category, until: int | None) -> int | None:
    return until if category is Category.SERVICE else None


def _refused(reason: Reason) -> Decision:
    return Decision(False, reason=reason)


def gate(
    clocks: Clocks,
    category: Category,
    now: int,
    policy: Policy = SIMPLE,
    enforce: Enforce = Enforce.ALL,
) -> Gate:
    """The decision as far as the bot's setting lets it bite (R7, `enforce`)."""
    decision = decide(clocks, category, now, policy)
    if decision.allowed or enforce is Enforce.NONE:
        return Gate(True, decision)
    if enforce is Enforce.ALL or decision.reason is Reason.OPTED_OUT:
        return Gate(False, decision)
    if category is Category.MARKETING and marketing_stopped(clocks):
        return Gate(False, _refused(Reason.MARKETING_STOPPED))
    return Gate(True, decision)
