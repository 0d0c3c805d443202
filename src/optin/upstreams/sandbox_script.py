"""What the simulated WhatsApp does with a message, by the last digits of its recipient.

docs/sandbox.md shows this table; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optin.domain.bots import Bot
from optin.domain.outbox import OutboxMessage
from optin.upstreams.meta_errors import ERRORS

REPORTED = ("sent", "delivered", "read")


@dataclass(frozen=True, slots=True)
class Script:
    """What happens to one message.

    `refused`: the error code of the answer; `refusals`: to how many tries, None for all. `answers`
    False: the connection is lost after the message was sent, so nobody knows what became of it.
    `delay`: seconds before the answer. `reports`: the statuses that follow if it was taken, and
    `failed`: the error code of a last one that says so.
    """

    refused: int | None = None
    refusals: int | None = None
    answers: bool = True
    delay: float = 0.0
    reports: tuple[str, ...] = REPORTED
    failed: int | None = None

    def error(self, attempts: int) -> int | None:
        """The code that answers the try after `attempts` others; None if it is taken."""
        if self.refusals is not None and attempts >= self.refusals:
            return None
        return self.refused


PLAIN = Script()
#: Who blocked the business: the message leaves, and no more is heard of it.
BLOCKED = Script(reports=("sent",))

SCRIPTS: Mapping[str, Script] = {
    "0001": Script(reports=(), failed=131026),
    "0002": Script(refused=131050),
    "0003": Script(reports=(), failed=131049),
    "0004": Script(refused=131047),
    "0005": Script(refused=130429, refusals=2),
    "0006": Script(refused=131056, refusals=1),
    "0007": Script(refused=190),
    "0008": Script(answers=False),
    "0009": Script(answers=False, reports=()),
    "0010": Script(refused=132001),
    "0011": Script(delay=5.0),
    "0012": BLOCKED,
    "0013": Script(reports=(), failed=131050),
}


#: Digits of nearly all of WhatsApp's codes, and those codes that we know.
_CODE = 6
_CODES = frozenset(code for code in map(str, ERRORS) if len(code) == _CODE)


def script_for(bot: Bot, message: OutboxMessage) -> Script:
    """What happens to this message: `sandbox.blocked_by` first, then the recipient's digits, which
    may be an error's code: that is the answer then."""
    if message.identity in bot.value("sandbox.blocked_by").split(","):
        return BLOCKED
    if found := SCRIPTS.get(message.identity[-4:]):
        return found
    last = message.identity[-_CODE:]
    return Script(refused=int(last)) if last in _CODES else PLAIN


def error_object(code: int) -> dict[str, Any]:
    """An error as Meta puts it into answers and reports."""
    meaning = ERRORS[code][1]
    data = {"messaging_product": "whatsapp", "details": f"Simulated: {meaning}."}
    said = {"message": f"(#{code}) Simulated", "title": "Simulated", "code": code}
    return {**said, "error_data": data}
