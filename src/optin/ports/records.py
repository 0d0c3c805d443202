"""What goes into a store and comes out of it, beside the domain's own values. Times in UTC µs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import urlsplit

from optin.domain.consent import NEVER, Clocks
from optin.domain.events import Event
from optin.domain.links import State
from optin.domain.messages import Category
from optin.domain.template_texts import TemplateText


class AnswerKey(NamedTuple):
    """Whose answer to what: `Idempotency-Key` is scoped to token, route and key (SPEC 6).

    `key`: a keyed digest of path and key, either of which may name a contact (R15).
    """

    actor: str
    route: str
    key: str


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What was answered under an `Idempotency-Key`. `digest`: of what was asked for, keyed.

    `identities`: whom it may speak of. `body`: b"" with status 0 once one of them was erased.
    """

    key: AnswerKey
    digest: bytes
    status: int
    body: bytes
    created: int = 0
    identities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reads:
    """What a work will look at, named before its transaction begins, so that a whole batch is read
    at once. Looking at anything else raises `KeyError`.

    `identities`: their clocks, those of all of W included (R11). `event_ids`: whether these events
    are recorded already. `upstream_ids`: messages by the provider's id.
    """

    identities: frozenset[str] = frozenset()
    event_ids: frozenset[bytes] = frozenset()
    templates: frozenset[tuple[str, str]] = frozenset()
    messages: frozenset[str] = frozenset()
    upstream_ids: frozenset[str] = frozenset()
    blacklist: frozenset[str] = frozenset()
    reviews: frozenset[str] = frozenset()
    answers: frozenset[AnswerKey] = frozenset()
    imports: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Template:
    """A bot's record of a template (H9). `category` None: unknown, so judged as marketing (R7).

    `components`: what people read in it, as far as it is known.
    """

    name: str
    language: str
    category: Category | None
    status: str = ""
    updated: int = 0
    components: tuple[TemplateText, ...] = ()


class CallbackStage(StrEnum):
    """Where a callback stands: still owed, taken by its receiver, or given up (SPEC 4)."""

    WAITING = "waiting"
    DONE = "done"
    DEAD = "dead"


class CallbackKind(StrEnum):
    """What a callback tells: a message's state, an inbound message, a change of consent, or a
    provider's webhook relayed as it came."""

    STATUS = "status"
    NOTIFICATION = "notification"
    CHANGE = "change"
    RELAY = "relay"


@dataclass(frozen=True, slots=True)
class Callback:
    """One POST owed to the business (SPEC 4). `body` is what goes out, byte for byte.

    `headers`: sent along as they are, for a relay. `outcome`: what the last try ended with.
    `unread`: bytes of the body that were left in the store, in a list that needs none of them.
    """

    bot_id: str
    callback_id: str
    url: str
    body: bytes
    created: int
    due: int
    attempts: int = 0
    leased_until: int = 0
    claimant: str = ""
    kind: CallbackKind = CallbackKind.STATUS
    headers: Mapping[str, str] = field(default_factory=dict)
    stage: CallbackStage = CallbackStage.WAITING
    outcome: str = ""
    unread: int = 0

    @property
    def size(self) -> int:
        """Bytes of the whole body."""
        return len(self.body) + self.unread

    @property
    def receiver(self) -> str:
        """Who is waited for: host and port of the URL. One that hangs holds up no other."""
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True)
class RawWebhook:
    """A signed webhook body, or a part of one, kept to parse again (SPEC 5).

    `note`: what was not understood, "" if everything was. `source`: such as `webhook:meta`.
    """

    webhook_id: bytes
    received: int
    body: bytes
    note: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """Something that a person decides (R10, R11): a message that may be a stop, two contacts who
    claim one identity, a sudden rise in opt-outs.

    `review_id` sorts by time. `text`: what the contact wrote, or what happened. `context`: what a
    reviewer needs to know. `decision`: "" while it is open.
    """

    review_id: str
    kind: str
    identities: tuple[str, ...]
    text: str
    created: int
    context: Mapping[str, str] = field(default_factory=dict)
    decision: str = ""
    decided: int = 0
    decided_by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Erasing:
    """Who has a contact forgotten (R15). `erasure_id`: as an event's id, the same in every try."""

    erasure_id: bytes
    source: str
    actor: str = ""
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did. `at`: its instant, UTC µs; `identities`: how many the contact had, with
    spellings; `entries`: of the ledger that were emptied; `records`: rows deleted elsewhere."""

    at: int
    identities: int
    entries: int
    records: int


@dataclass(frozen=True, slots=True)
class Reading:
    """The clocks of some identities at one instant, joined as decisions read them (R11)."""

    now: int
    clocks: Mapping[str, Clocks]


@dataclass(frozen=True, slots=True)
class States:
    """The own states of some identities, and of all that W reaches from them (R11)."""

    now: int
    states: Mapping[str, State]


@dataclass(frozen=True, slots=True)
class Histories:
    """The own events of some identities, and of all that W reaches from them as links are known
    now (R11): oldest effective time first, those without effect before all others.

    `known_from`: what was before may have left the ledger (R16), UTC µs; `NEVER` if nothing has.
    """

    now: int
    events: Mapping[str, Sequence[Event]]
    known_from: int = NEVER
