"""A message on its way to the upstream, and the two things that can still stop it (H8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from optin.domain.decision import Basis, Decision, Gate, Reason
from optin.domain.events import DAY
from optin.domain.messages import Category, MessageState

#: A judgement older than this when the first byte could leave is taken again (H8), µs.
JUDGEMENT_LIFE = 100_000

#: A hand-over whose outcome stays unknown this long ends as failed (H8), µs.
UNKNOWN_LIFE = DAY


#: The `type` of the stored body of a message that a client sent through us in its provider's own
#: shapes; what it said is not kept.
RELAYED_TYPE = "graph"

#: The same of what is known of a message only by reports that came before its answer was read.
REPORTED_TYPE = "report"


class Stage(StrEnum):
    """Where a message stands with us; `MessageState` is what the business is told.

    `waiting`: may be judged and claimed once `due`. `claimed`: judged, its hand-over has begun,
    the outcome is not known (yet): never handed over again. `settled`: nothing more for us to do.
    """

    WAITING = "waiting"
    CLAIMED = "claimed"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One message to one recipient. Times are UTC µs.

    `identity`: the spelling that the caller gave, canonical. `body`: `messages.to_json`'s form.
    `category`: the strictest that it was judged under so far. `reason` and `basis`: the rule's own
    answer at the last judgement, `passed` what the gate did with it (R7, `enforce`).
    `leased_until`: until then only `claimant` may take it up. `confirms`: the event (hex) of the
    opt-out that this message confirms, "" for all other messages (R7).
    """

    bot_id: str
    message_id: str
    identity: str
    body: Mapping[str, Any]
    category: Category
    created: int
    expires: int
    due: int
    stage: Stage = Stage.WAITING
    state: MessageState = MessageState.QUEUED
    details: str = ""
    reason: Reason | None = None
    basis: Basis | None = None
    passed: bool = True
    attempts: int = 0
    claimant: str = ""
    leased_until: int = 0
    claimed: int = 0
    upstream_id: str = ""
    callback_url: str = ""
    confirms: str = ""

    @property
    def is_early_report(self) -> bool:
        """Whether it stands for a message that is not known yet: see `handing_over.foretold`."""
        return self.body.get("type") == REPORTED_TYPE

    @property
    def awaits_its_answer(self) -> bool:
        """Whether reports of it can only be told by the provider's id, which is not known yet."""
        relayed = self.body.get("type") == RELAYED_TYPE
        return relayed and self.stage is Stage.CLAIMED and not self.upstream_id

    @property
    def template(self) -> tuple[str, str] | None:
        """(name, language) of a template message."""
        if self.body.get("type") != "template":
            return None
        return self.body["template_name"], self.body["language"]


def judged_as(verdict: Gate) -> dict[str, Any]:
    """The fields of an `OutboxMessage` that a judgement sets; a refusal settles it (H8)."""
    decision = verdict.decision
    judged: dict[str, Any] = {
        "reason": decision.reason,
        "basis": decision.basis,
        "passed": verdict.passes,
    }
    if not verdict.passes:
        judged |= {"stage": Stage.SETTLED, **refusal(decision)}
    return judged


def refusal(decision: Decision) -> dict[str, Any]:
    """State and details of a refused message, at the door and at the hand-over alike (H8)."""
    if decision.reason in (Reason.NO_OPT_IN, Reason.OPTED_OUT):
        return {"state": MessageState.NO_OPT_IN, "details": decision.reason.value}
    return {
        "state": MessageState.FAILED,
        "details": decision.reason.value if decision.reason else "",
    }
