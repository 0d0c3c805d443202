"""A contact's evidence pack in the native API: JSON, or a page to print (SPEC 6, R14).

The JSON has our own names; `consent_record` tells the same in the terms of ISO/IEC TS 27560:2023,
as far as we know it. docs/proof.md has the table, and how to check the chain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optin.domain import entries
from optin.domain.chain import Commit
from optin.domain.entries import Entry
from optin.domain.errors import InvalidInput
from optin.domain.events import Kind
from optin.domain.identities import shown
from optin.domain.outbox import OutboxMessage
from optin.ports.ledger import StoredCommit, Told
from optin.usecases.prove import Proof, Prove, standing
from optin.web.answers import Answer, json_answer
from optin.web.history import event_json, evidence_of, time_json, whose
from optin.web.proof_page import page
from optin.web.resource import Call, Method

_FORM = "optin proof 1"
_HTML = b"text/html; charset=utf-8"
#: The page has no scripts and loads nothing, whatever somebody wrote into their evidence.
_NOTHING_ELSE = (
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
    (b"x-content-type-options", b"nosniff"),
)

#: What an entry says of consent in the standard's words; the others are no consent events.
_STATES: Mapping[str, str] = {
    Kind.OPT_IN: "given",
    Kind.START_WORD: "given",
    Kind.MARKETING_RESUME: "given",
    Kind.PROVIDER_MARKETING_RESUME: "given",
    Kind.OPT_OUT: "withdrawn",
    Kind.OPT_OUT_KEYWORD: "withdrawn",
    Kind.MARKETING_STOP: "withdrawn",
    Kind.PROVIDER_MARKETING_STOP: "withdrawn",
    Kind.ERASED: "terminated",
}
_MARKETING_ONLY = frozenset(
    {
        Kind.MARKETING_STOP.value,
        Kind.MARKETING_RESUME.value,
        Kind.PROVIDER_MARKETING_STOP.value,
        Kind.PROVIDER_MARKETING_RESUME.value,
    }
)


async def _proof(call: Call) -> Answer:
    wanted = _format(call)
    proof = await Prove(call.services.store).prove(call.bot_id, whose(call.params["identity"]))
    if wanted == "html":
        return Answer(200, page(proof).encode("utf-8", "replace"), _HTML, _NOTHING_ELSE)
    return json_answer(proof_json(proof))


#: Path below the bot -> what its methods do.
METHODS: Mapping[str, Mapping[str, Method]] = {
    "/contacts/{identity}/proof": {"GET": Method("read", _proof)}
}


def _format(call: Call) -> str:
    """`format`, or else what a browser's `Accept` asks for."""
    asked = call.query("format")
    if asked not in (None, "html", "json"):
        raise InvalidInput("Field [format] must be html or json.", field="format")
    accepted = b",".join(v for name, v in call.scope["headers"] if name == b"accept").lower()
    wants_page = b"text/html" in accepted and b"application/json" not in accepted
    return asked or ("html" if wants_page else "json")


def proof_json(proof: Proof) -> dict[str, Any]:
    """The whole pack."""
    return {
        "form": _FORM,
        "made_at": time_json(proof.now),
        "bot": {"id": proof.bot.bot_id, "name": proof.bot.value("name")},
        "contact": {
            "identity": shown(proof.identity),
            "identities": [
                {"identity": shown(who), "allows": allows} for who, allows in proof.linked.items()
            ],
            "state": standing(proof),
            "decisions": {
                category.value: {"allowed": made.allowed, "reason": made.reason}
                for category, made in proof.decisions.items()
            },
        },
        "consent_record": _consent_record(proof),
        "events": [
            {**event_json(told), "entry": _entry_json(told.entry)} for told in proof.entries
        ],
        "messages": list(map(_message_json, proof.messages)),
        "chain": _chain_json(proof),
    }


def _entry_json(entry: Entry) -> dict[str, Any]:
    """The fields as the chain has them: bytes in hex, the rest as it is stored."""
    fields = {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in entry._asdict().items()
        if name != "bot_id"
    }
    return {**fields, "leaf": entries.leaf(entry).hex()}


def _message_json(message: OutboxMessage) -> dict[str, Any]:
    return {
        "id": message.message_id,
        "to": shown(message.identity),
        "created_at": time_json(message.created),
        "category": message.category.value,
        "message": message.body,
        "state": message.state.value,
        "details": message.details or None,
        "passed": message.passed,
        "basis": message.basis,
        "reason": message.reason,
        "upstream_id": message.upstream_id or None,
    }


def _chain_json(proof: Proof) -> dict[str, Any]:
    chain = proof.chain
    return {
        "sound": chain.is_sound,
        "whole": chain.is_whole,
        "heads": [_head_json(each) for each in chain.heads],
        "commits": [_commit_json(each) for each in chain.commits],
        "leaves": [
            {
                "writer": each.writer,
                "seq": each.seq,
                "events": [leaf.hex() for leaf in each.events],
                "messages": [leaf.hex() for leaf in each.messages],
            }
            for each in chain.covered
        ],
    }


def _head_json(head: StoredCommit) -> dict[str, Any]:
    return {"writer": head.commit.writer, "seq": head.commit.seq, "hash": head.hash.hex()}


def _commit_json(stored: StoredCommit) -> dict[str, Any]:
    commit: Commit = stored.commit
    return {
        "writer": commit.writer,
        "seq": commit.seq,
        "recorded": commit.recorded,
        "previous": commit.previous.hex(),
        "events": commit.events,
        "events_digest": commit.events_digest.hex(),
        "messages": commit.messages,
        "messages_digest": commit.messages_digest.hex(),
        "hash": stored.hash.hex(),
    }


def _consent_record(proof: Proof) -> dict[str, Any]:
    """In the standard's terms. What we do not know is left out, not made up."""
    consents = [told for told in proof.entries if told.entry.kind in _STATES]
    return {
        "record_id": f"{proof.bot.bot_id}/{shown(proof.identity)}",
        "pii_principal_id": shown(proof.identity),
        "pii_processing": _processing(consents),
        "party_identification": [
            {
                "party_id": proof.bot.bot_id,
                "party_name": proof.bot.value("name"),
                "party_role": "PII controller",
            }
        ],
        "events": list(map(_consent_event, consents)),
    }


def _processing(consents: Sequence[Told]) -> list[dict[str, Any]]:
    """Of each opt-in: the notice that was shown, and what for."""
    return [
        _known(
            {
                "privacy_notice": evidence.get("wording"),
                "language": evidence.get("language"),
                "purposes": _purposes(told.entry),
                "collection_method": evidence.get("channel"),
                "event": told.entry.event_id.hex(),
            }
        )
        for told in consents
        if told.entry.kind == Kind.OPT_IN.value
        for evidence in [evidence_of(told)]
    ]


def _consent_event(told: Told) -> dict[str, Any]:
    entry = told.entry
    return _known(
        {
            "event_time": time_json(entry.effective),
            "event_type": entry.kind,
            "event_state": _STATES[entry.kind],
            "entity_id": shown(entry.identity) if entry.from_contact else entry.actor or None,
            "purposes": _purposes(entry),
            "event": entry.event_id.hex(),
        }
    )


def _purposes(entry: Entry) -> list[str]:
    if entry.kind in _MARKETING_ONLY:
        return ["marketing messages by WhatsApp"]
    if entry.categories:
        return [f"{category} messages by WhatsApp" for category in entry.categories.split(",")]
    return ["messages by WhatsApp"]


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
