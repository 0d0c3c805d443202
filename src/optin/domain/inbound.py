"""What a provider's signed webhook tells us, whichever provider it is (SPEC 5).

An upstream's parser makes these of a body; they are taken as they come (H3). `phone_number_id`
names the business number that the item is about. `at` is the item's own time in UTC µs, None if it
could not be read, and `unit` how coarse it is in µs (a second for Meta's time stamps, R3).
`identities` holds every identity of the person that the item names, canonical, none twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from optin.domain.events import SECOND
from optin.domain.messages import MessageState
from optin.domain.template_texts import TemplateText

#: The provider's error for "this person stopped marketing from this business" (R8).
MARKETING_STOPPED = 131050


@dataclass(frozen=True, slots=True)
class ReportedError:
    """An error in a status. `code` as the provider numbers it, 0 for one that only has words;
    `details` for people."""

    code: int
    details: str = ""

    @property
    def told(self) -> str:
        """Code and words, as the business reads them."""
        return f"{self.code} {self.details}" if self.code else self.details


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """Something the contact sent to the bot.

    `texts`: every place where a keyword can sit (R10), as received. `opens_session`: whether a
    message of its type does (R9). `is_reply`: it answers a button or list of ours. `raw`: the
    provider's message object. `group`: it was sent in a group, so says nothing about this bot.
    `shared`: further identities of the sender's own, which it hands over (R11).
    """

    phone_number_id: str
    identities: tuple[str, ...]
    upstream_id: str
    at: int | None
    type: str
    opens_session: bool
    unit: int = SECOND
    texts: tuple[str, ...] = ()
    is_reply: bool = False
    profile_name: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)
    group: bool = False
    shared: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StatusUpdate:
    """What became of a message of ours.

    `correlation`: the id that we sent along, our message id; "" if it did not come back.
    `status` is the provider's word.
    """

    phone_number_id: str
    upstream_id: str
    correlation: str
    status: str
    at: int | None
    unit: int = SECOND
    identities: tuple[str, ...] = ()
    errors: tuple[ReportedError, ...] = ()

    @property
    def marketing_stopped(self) -> bool:
        """Whether it failed because the contact stopped marketing at the provider (R8)."""
        return any(error.code == MARKETING_STOPPED for error in self.errors)


@dataclass(frozen=True, slots=True)
class Preference:
    """The contact's own choice at the provider (R8). `value` is the provider's word."""

    phone_number_id: str
    identities: tuple[str, ...]
    value: str
    category: str
    at: int | None
    unit: int = SECOND


@dataclass(frozen=True, slots=True)
class ProviderConsent:
    """An opt-in or opt-out that the provider itself took from the contact (SPEC 5).

    `opted_in`: which of the two. `request_id`: tells it from others of the same instant, "" if it
    has none. `evidence`: what the provider says of it.
    """

    phone_number_id: str
    identities: tuple[str, ...]
    opted_in: bool
    at: int | None
    unit: int = SECOND
    request_id: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IdentityChange:
    """A person has a new number or BSUID (R11): who they were, and who they are. Either may be
    empty, and no identity is in both."""

    phone_number_id: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    at: int | None
    unit: int = SECOND


@dataclass(frozen=True, slots=True)
class SignedBy:
    """The signature of a body whose scheme has more than one part (SPEC 5). `at`: as it came."""

    value: str
    nonce: str
    at: str
    algorithm: str


@dataclass(frozen=True, slots=True)
class TemplateUpdate:
    """The provider's news of a template (H9). `account`: whose it is, as the provider names it.

    `language` as it came. `categories`: those that the news name for now and later, none if it is
    not about that; `status`: "" if it is not about that. Both in the provider's words.
    `components`: the texts as they are now, None if it is not about them.
    """

    account: str
    name: str
    language: str
    at: int | None
    unit: int = SECOND
    categories: tuple[str, ...] = ()
    status: str = ""
    components: tuple[TemplateText, ...] | None = None


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A part of a signed body that the parser has no meaning for; `raw` is kept to parse again."""

    phone_number_id: str | None
    reason: str
    raw: bytes


Item = (
    InboundMessage
    | IdentityChange
    | StatusUpdate
    | Preference
    | ProviderConsent
    | TemplateUpdate
    | NotUnderstood
)

#: What a parser makes of one body, in the body's order. It never raises, whatever the bytes.
Parsed = tuple[Item, ...]

#: The provider's words for what became of a message. Voice messages are played instead of read.
STATES: Mapping[str, MessageState] = {
    "sent": MessageState.SENT,
    "delivered": MessageState.DELIVERED,
    "read": MessageState.READ,
    "played": MessageState.READ,
    "deleted": MessageState.DELETED,
    "failed": MessageState.FAILED,
}
