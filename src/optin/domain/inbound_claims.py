"""What inbound items claim about consent (R8 to R11): from a provider's facts to ledger claims.

Ids are made of the provider's own ids and times, so a body that comes again makes the same claims.
Every identity that an item names gets its own claim: it counts as given by each of them (R11).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from optin.domain.events import Claim, Kind, Origin
from optin.domain.ids import derived_id
from optin.domain.inbound import InboundMessage, Preference, StatusUpdate
from optin.domain.keywords import Intent, intent

_LONGEST_TIME = 2**57  # later than any date there is, and well within an id's 48 bits of ms
_PREFERENCES = {
    "stop": Kind.PROVIDER_MARKETING_STOP,
    "resume": Kind.PROVIDER_MARKETING_RESUME,
}


def message_event_ids(bot_id: str, item: InboundMessage, identity: str) -> frozenset[bytes]:
    """Every id that an event of this message for `identity` can have: one recorded, all done."""
    kinds = (Kind.OPT_OUT_KEYWORD, Kind.START_WORD, Kind.MESSAGE)
    return frozenset(_id(bot_id, item.at, item.upstream_id, kind, identity) for kind in kinds)


def message_claims(
    bot_id: str, item: InboundMessage, languages: Sequence[str], source: str
) -> list[Claim]:
    """What a contact's message says: an opt-out, or a start word and an opened session (R9, R10).

    Group traffic says nothing about this bot.
    """
    if item.group:
        return []
    meaning, text = _meaning(item, languages)
    evidence = {"text": text} if text else {}
    return [
        _claim(
            _id(bot_id, item.at, item.upstream_id, kind, identity),
            identity,
            kind,
            item,
            source,
            evidence={} if kind is Kind.MESSAGE else evidence,
            message_id=item.upstream_id,
        )
        for identity in item.identities
        for kind in _kinds(item, meaning)
    ]


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


def _meaning(item: InboundMessage, languages: Sequence[str]) -> tuple[Intent, str]:
    """The strongest intent in the message's texts, and the text that has it."""
    nanp = any(len(i) == 11 and i.startswith("1") and i.isdigit() for i in item.identities)
    said = {
        intent(text, languages=languages, nanp=nanp, reply=item.is_reply): text
        for text in reversed(item.texts)
    }
    for meaning in (Intent.STOP, Intent.START):
        if meaning in said:
            return meaning, said[meaning]
    return Intent.NONE, ""


def _kinds(item: InboundMessage, meaning: Intent) -> tuple[Kind, ...]:
    """An opt-out opens no session, whatever it came in (R9)."""
    if meaning is Intent.STOP:
        return (Kind.OPT_OUT_KEYWORD,)
    opened = (Kind.MESSAGE,) if item.opens_session else ()
    return (Kind.START_WORD, *opened) if meaning is Intent.START else opened


def _id(bot_id: str, at: int | None, provider_id: str, kind: Kind, identity: str) -> bytes:
    time = at if at is not None and 0 <= at < _LONGEST_TIME else 0
    return derived_id(time, bot_id, provider_id, str(at), kind.value, identity)


def _claim(
    event_id: bytes,
    identity: str,
    kind: Kind,
    item: InboundMessage | Preference | StatusUpdate,
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
