"""What inbound items claim about consent (R8 to R11): from a provider's facts to ledger claims.

Ids are made of the provider's own ids and times, so a body that comes again makes the same claims.
Every identity that an item names gets its own claim: it counts as given by each of them (R11).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from optin.domain.bots import Bot
from optin.domain.events import Claim, Kind, Origin
from optin.domain.identities import is_bsuid
from optin.domain.ids import derived_id, ulid
from optin.domain.inbound import InboundMessage, Preference, ProviderConsent, StatusUpdate
from optin.domain.keywords import Intent, intent
from optin.domain.packs.pack import words

_LONGEST_TIME = 2**57  # later than any date there is, and well within an id's 48 bits of ms
_PREFERENCES = {
    "stop": Kind.PROVIDER_MARKETING_STOP,
    "resume": Kind.PROVIDER_MARKETING_RESUME,
}


#: The countries whose numbers begin with +1.
_PLUS_ONE = frozenset(
    words("""
        US, CA, PR, AG, AI, AS, BB, BM, BS, DM, DO, GD, GU, JM, KN, KY, LC, MP, MS, SX, TC, TT
        VC, VG, VI
        """)
)

_STRONGEST_FIRST = (
    Intent.STOP,
    Intent.MARKETING_STOP,
    Intent.START,
    Intent.HELP,
    Intent.REVIEW,
)
_SAID = {
    Intent.MARKETING_STOP: Kind.MARKETING_STOP,
    Intent.START: Kind.START_WORD,
}


class Said(NamedTuple):
    """What a message asks for, and the text in which it does; "" if it asks for nothing."""

    meaning: Intent
    text: str


def understood(bot: Bot, item: InboundMessage) -> Said:
    """The strongest intent in the message's texts (R10). A group's words are nobody's request."""
    if item.group:
        return Said(Intent.NONE, "")
    nanp = any(map(_is_of_plus_one, item.identities))
    said = {
        intent(
            text,
            languages=bot.languages,
            nanp=nanp,
            reply=item.is_reply,
            own_stop=bot.words("stop_words"),
            own_start=bot.words("start_words"),
            risky=frozenset(bot.words("risky_words")),
        ): text
        for text in reversed(item.texts)
    }
    meaning = next((each for each in _STRONGEST_FIRST if each in said), Intent.NONE)
    return Said(meaning, said[meaning] if meaning in _STRONGEST_FIRST else "")


def _is_of_plus_one(identity: str) -> bool:
    """A number of +1, or a BSUID of a country there: the number may be withheld."""
    if is_bsuid(identity):
        return identity[:2] in _PLUS_ONE
    return len(identity) == 11 and identity.startswith("1") and identity.isdigit()


def language_heard(bot: Bot, item: InboundMessage, said: Said) -> str:
    """The contact's language, as far as the words tell it: the first of the bot's languages whose
    pack alone hears the same; "" if none does, as for a word of the bot's own."""
    risky = frozenset(bot.words("risky_words"))
    for language in bot.languages:
        heard = intent(said.text, languages=[language], reply=item.is_reply, risky=risky)
        if heard is said.meaning:
            return language
    return ""


def message_event_ids(bot_id: str, item: InboundMessage, identity: str) -> frozenset[bytes]:
    """Every id that an event of this message for `identity` can have: one recorded, all done."""
    kinds = (Kind.OPT_OUT_KEYWORD, Kind.START_WORD, Kind.MARKETING_STOP, Kind.MESSAGE)
    return frozenset(_id(bot_id, item.at, item.upstream_id, kind, identity) for kind in kinds)


def message_review_id(bot_id: str, item: InboundMessage) -> str:
    """The id of the review that this message may need."""
    time = _time(item.at)
    return ulid(derived_id(time, bot_id, item.upstream_id, str(item.at), "review"))


def told_id(bot_id: str, item: InboundMessage) -> str:
    """The id of the callback for a message that claims nothing: no event tells that it came
    before, so the same message must owe the same callback."""
    return ulid(derived_id(_time(item.at), bot_id, item.upstream_id, str(item.at), "told"))


def message_claims(bot_id: str, item: InboundMessage, said: Said, source: str) -> list[Claim]:
    """What a contact's message says: an opt-out; or an opened session, with a start word or a
    marketing stop perhaps (R9, R10). Group traffic says nothing about this bot.
    """
    if item.group:
        return []
    return [
        _message_claim(bot_id, item, kind, identity, said, source)
        for identity in item.identities
        for kind in _kinds(item, said.meaning)
    ]


def provisional_claims(
    bot_id: str, item: InboundMessage, said: Said, review_id: str, source: str
) -> list[Claim]:
    """Our marketing stop until somebody has decided what the message means (R10)."""
    stops = [
        _message_claim(bot_id, item, Kind.MARKETING_STOP, identity, said, source)
        for identity in item.identities
    ]
    return [replace(c, context={**c.context, "review": review_id}) for c in stops]


def _message_claim(
    bot_id: str, item: InboundMessage, kind: Kind, identity: str, said: Said, source: str
) -> Claim:
    asked = {"text": said.text} if said.text and kind is not Kind.MESSAGE else {}
    event_id = _id(bot_id, item.at, item.upstream_id, kind, identity)
    return _claim(
        event_id, identity, kind, item, source, evidence=asked, message_id=item.upstream_id
    )


def preference_claims(bot_id: str, item: Preference, digest: str, source: str) -> list[Claim]:
    """The contact's choice at the provider; none for a value that is neither stop nor resume.

    Only a resume needs a category that we know: in doubt, block. `digest` names the body, which
    tells two choices apart whose times cannot be read.
    """
    kind = _PREFERENCES.get(item.value)
    known = item.category in ("marketing_messages", "")
    if kind is None or (kind is Kind.PROVIDER_MARKETING_RESUME and not known):
        return []
    told = "" if item.at is not None else digest
    return [
        _claim(_id(bot_id, item.at, told, kind, identity), identity, kind, item, source)
        for identity in item.identities
    ]


def consent_claims(bot_id: str, item: ProviderConsent, digest: str, source: str) -> list[Claim]:
    """The opt-in or opt-out that the provider took, with what it says of it as evidence.

    `digest` names the body, for one without an id or a readable time of its own.
    """
    kind = Kind.OPT_IN if item.opted_in else Kind.OPT_OUT
    told = item.request_id or ("" if item.at is not None else digest)
    return [
        _claim(
            _id(bot_id, item.at, told, kind, identity),
            identity,
            kind,
            item,
            source,
            evidence=dict(item.evidence),
        )
        for identity in item.identities
    ]


def stop_claims(
    bot_id: str, item: StatusUpdate, identities: Iterable[str], source: str
) -> list[Claim]:
    """The marketing stop that a failed message tells of (131050); none if it tells of none."""
    kind = Kind.PROVIDER_MARKETING_STOP
    if not item.marketing_stopped:
        return []
    return [
        _claim(
            _id(bot_id, item.at, item.upstream_id, kind, identity),
            identity,
            kind,
            item,
            source,
            message_id=item.upstream_id,
        )
        for identity in dict.fromkeys((*item.identities, *identities))
    ]


def _kinds(item: InboundMessage, meaning: Intent) -> tuple[Kind, ...]:
    """An opt-out opens no session, whatever it came in (R9)."""
    if meaning is Intent.STOP:
        return (Kind.OPT_OUT_KEYWORD,)
    opened = (Kind.MESSAGE,) if item.opens_session else ()
    return (_SAID[meaning], *opened) if meaning in _SAID else opened


def _id(bot_id: str, at: int | None, provider_id: str, kind: Kind, identity: str) -> bytes:
    return derived_id(_time(at), bot_id, provider_id, str(at), kind.value, identity)


def _time(at: int | None) -> int:
    return at if at is not None and 0 <= at < _LONGEST_TIME else 0


def _claim(
    event_id: bytes,
    identity: str,
    kind: Kind,
    item: InboundMessage | Preference | ProviderConsent | StatusUpdate,
    source: str,
    *,
    evidence: dict[str, str] | None = None,
    message_id: str = "",
) -> Claim:
    return Claim(
        event_id=event_id,
        identity=identity,
        kind=kind,
        origin=Origin.SIGNED,
        source=source,
        at=item.at,
        unit=item.unit,
        evidence=evidence or {},
        from_contact=True,
        actor="webhook",
        context={"message_id": message_id} if message_id else {},
    )
