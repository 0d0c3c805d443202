"""A contact's evidence as a page that prints well and that a lawyer can read. No scripts.

Whatever comes from outside is escaped; names in the page's words are what the API calls them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from optin.domain.entries import Entry
from optin.domain.events import Kind
from optin.domain.identities import shown
from optin.domain.outbox import OutboxMessage
from optin.ports.ledger import Told
from optin.usecases.prove import Proof, standing
from optin.web.history import event_json, time_json
from optin.web.proof_style import STYLE

_KINDS: Mapping[str, str] = {
    Kind.OPT_IN: "Opted in",
    Kind.OPT_OUT: "Opted out",
    Kind.OPT_OUT_KEYWORD: "Opted out by writing a stop word",
    Kind.START_WORD: "Wrote a start word",
    Kind.MESSAGE: "Wrote to the business",
    Kind.MARKETING_STOP: "Stopped marketing",
    Kind.MARKETING_RESUME: "Allowed marketing again",
    Kind.PROVIDER_MARKETING_STOP: "Stopped marketing in WhatsApp",
    Kind.PROVIDER_MARKETING_RESUME: "Allowed marketing again in WhatsApp",
    Kind.LINKED: "Known under two identities",
    Kind.REPLACES: "Came in place of another identity",
    Kind.REPLACED: "Was replaced by another identity",
    Kind.ERASED: "Personal data erased",
}
_SOURCES: Mapping[str, str] = {
    "legacy_api": "the business's system, by the Sinch-compatible API",
    "native_api": "the business's system, by the API",
    "webhook:meta": "WhatsApp (Meta), by a signed webhook",
    "webhook:sinch": "WhatsApp (Sinch), by a signed webhook",
    "cli": "the business's staff, on the command line",
    "import": "a list that the business imported",
}
_STANDINGS = {
    "opted_in": "Opted in",
    "opted_out": "Opted out",
    "unknown": "Never opted in or out",
}
_NO_EFFECT = "without effect: its time could not be believed"


def page(proof: Proof) -> str:
    """The whole page."""
    title = f"Record of consent: {shown(proof.identity)}"
    return "".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>",
            *_summary(proof),
            *_timeline(proof.entries),
            *_messages(proof.messages),
            *_integrity(proof),
            "</main></body></html>\n",
        ]
    )


def _summary(proof: Proof) -> Iterable[str]:
    others = [shown(who) for who in proof.linked if who != proof.identity]
    clocks = proof.clocks
    allowed = [each.value for each, made in proof.decisions.items() if made.allowed]
    facts = {
        "Contact": shown(proof.identity),
        "Also known as": ", ".join(others),
        "Business": proof.bot.value("name") or proof.bot.bot_id,
        "Sender (bot)": proof.bot.bot_id,
        "Made": _time(proof.now),
        "Standing": _STANDINGS[standing(proof)],
        "Newest opt-in": _newest(clocks.opt_in, *clocks.wordings.values()),
        "Newest opt-out": _newest(clocks.opt_out_keyword, clocks.opt_out_other),
        "Last wrote": _newest(clocks.message),
        "May be sent now": ", ".join(allowed) or "nothing",
    }
    yield "<h1>Record of consent</h1>"
    yield _facts({name: value for name, value in facts.items() if value})


def _timeline(told: Iterable[Told]) -> Iterable[str]:
    shown_events = [_event(each) for each in told]
    yield f"<h2>What was recorded ({len(shown_events)})</h2>"
    if not shown_events:
        yield "<p>Nothing was recorded about this contact.</p>"
        return
    yield "<p>In the order in which it was recorded. All times are in UTC.</p>"
    yield from shown_events


def _event(told: Told) -> str:
    entry, known = told.entry, event_json(told)
    evidence = dict(known["evidence"])
    wording = evidence.pop("wording", None)
    if known["erased"]:
        evidence.pop("erased", None)
    facts = {
        "Happened": _time(entry.at),
        "Recorded": _time(entry.recorded),
        "Took effect": _NO_EFFECT if entry.effective is None else _time(entry.effective),
        "Identity": known["identity"],
        "Told by": _told_by(entry),
        "For": ", ".join(known["categories"] or ()),
        "Names": ", ".join(known["others"]),
        **{f"Evidence: {name}": _text(value) for name, value in evidence.items()},
        **{f"Seen by us: {name}": _text(value) for name, value in known["context"].items()},
        "Entry": f"{entry.event_id.hex()} (writer {entry.writer}, commit {entry.seq}, "
        f"place {entry.place})",
    }
    shown_to = f"<p>Shown to the contact:</p><blockquote>{_bdi(wording)}</blockquote>"
    erased = "<p>The personal data of this entry was erased.</p>" if known["erased"] else ""
    if entry.kind == Kind.MESSAGE.value and not evidence:  # there can be many of them
        facts = {name: facts[name] for name in ("Identity", "Told by", "Entry")}
    when = _time(entry.recorded if entry.effective is None else entry.effective)
    what = _KINDS.get(entry.kind, entry.kind)
    return (
        f'<section class="event"><h3>{escape(when)}: {escape(what)}</h3>'
        f"{erased}{shown_to if isinstance(wording, str) else ''}"
        f"{_facts({name: value for name, value in facts.items() if value})}</section>"
    )


def _told_by(entry: Entry) -> str:
    source = _SOURCES.get(entry.source, entry.source)
    by_token = entry.source in ("legacy_api", "native_api")
    actor = f" ({'token ' if by_token else ''}{entry.actor})" if entry.actor else ""
    contact = "; as the contact's own wish" if entry.from_contact else ""
    return f"{source}{actor}{contact}"


def _messages(messages: Iterable[OutboxMessage]) -> Iterable[str]:
    rows = [_message(each) for each in messages]
    yield f"<h2>What was sent, or refused ({len(rows)})</h2>"
    if not rows:
        yield "<p>No message to this contact is on record.</p>"
        return
    yield "<p>This list is the record of the sender. It is not part of the hash chain.</p>"
    yield "<table><thead><tr><th>When</th><th>What</th><th>Category</th><th>Outcome</th>"
    yield "<th>Because of</th></tr></thead><tbody>"
    yield from rows
    yield "</tbody></table>"


def _message(message: OutboxMessage) -> str:
    named = message.template
    what = f"template {named[0]} ({named[1]})" if named else str(message.body.get("type", ""))
    text = message.body.get("text")
    refused = message.reason.value if message.reason else ""
    because = "" if message.basis is None else message.basis.value.replace("_", "-")
    if refused:
        because = f"refused: {refused}" if not message.passed else f"{refused}, not enforced"
    cells = (
        escape(_time(message.created)),
        f"{escape(what)}<br>{_bdi(text)}" if isinstance(text, str) else escape(what),
        escape(message.category.value),
        escape(message.state.value),
        escape(because),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _integrity(proof: Proof) -> Iterable[str]:
    chain = proof.chain
    yield "<h2>Integrity</h2>"
    if not chain.is_sound:
        yield '<p class="wrong">These entries do not agree with the hash chain: something was '
        yield "changed after it was recorded. Run <code>optin verify</code>.</p>"
    yield "<p>Each entry is covered by a hash chain (SHA-256). Nothing before a chain's head can "
    yield "be changed, removed or added without another head. Compare these heads with one that "
    yield "was signed and kept elsewhere; the same record in JSON has what is needed to compute "
    yield "them again without this program, and the times to the microsecond.</p>"
    yield "<table><thead><tr><th>Writer</th><th>Commit</th><th>Head of the chain</th></tr></thead>"
    for head in chain.heads:
        yield f"<tr><td>{head.commit.writer}</td><td>{head.commit.seq}</td>"
        yield f'<td class="hash">{head.hash.hex()}</td></tr>'
    yield "</table>"


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{_bdi(value)}</dd>" for name, value in facts.items()
    )
    return f"<dl>{rows}</dl>"


def _bdi(text: Any) -> str:
    """Text of others: escaped, and unable to turn what stands beside it."""
    return f"<bdi>{escape(_text(text))}</bdi>"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_text(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return "yes" if value is True else "no" if value is False else str(value)


def _newest(*clocks: int) -> str:
    return _time(max(clocks, default=None))


def _time(at: int | None) -> str:
    """Such as "2026-04-11 09:30:00 UTC", to the second; "" if it is not known."""
    text = time_json(at)
    return "" if text is None else f"{text[:19].replace('T', ' ')} UTC"
