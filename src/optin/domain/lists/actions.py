"""What a cell says a row is: the words for opt-in and opt-out, and yes and no in many languages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from optin.domain.events import Kind
from optin.domain.lists.faults import RowFault
from optin.domain.lists.headings import Field, folded

_WORDS: Mapping[Kind, str] = {
    Kind.OPT_IN: """
        opt in|opted in|subscribe|subscribed|consented|consent given|granted|accepted|allowed|
        suscrito|alta|inscrito|abonné|inscrit|angemeldet|abonniert|iscritto|aangemeld|anmäld""",
    Kind.OPT_OUT: """
        opt out|opted out|unsubscribe|unsubscribed|stop|stopped|withdrawn|revoked|denied|declined|
        refused|blocked|blacklisted|blocklisted|do not contact|dnc|opt out all|
        opt out notification|opt out keyword|baja|dado de baja|descadastrado|désabonné|désinscrit|
        abgemeldet|abbestellt|disiscritto|afgemeld|avregistrerad|wypisany""",
    Kind.MARKETING_STOP: """
        marketing stop|opt out marketing|marketing opt out|no marketing|stop marketing|
        stop promotions|provider marketing stop""",
    Kind.MARKETING_RESUME: "marketing resume|resume marketing",
    Kind.MESSAGE: "message",
}
_YES = "yes|y|true|t|1|on|ja|j|sí|oui|sim|tak|evet|ya|да|是|はい|예|네|نعم|כן|हाँ"
_NO = "no|n|false|f|0|off|nein|nej|nee|non|não|nie|hayır|tidak|нет|否|いいえ|아니요|لا|לא|नहीं"


def _set(words: str) -> frozenset[str]:
    return frozenset(folded(word) for word in words.split("|"))


_KINDS = {word: kind for kind, words in _WORDS.items() for word in _set(words)}
#: No word of the table is longer.
_LONGEST = 60
_IS_YES, _IS_NO = _set(_YES), _set(_NO)
#: Words that only the contact says.
_BY_CONTACT = _set("stop|opt out keyword|baja")


def kind_of(value: Any, field: Field) -> Kind:
    """The kind of event that the cell of an action column says. Raises `RowFault`.

    Yes and no count only in columns that are about one of the two: a status of 1 may mean
    anything. Who is not opted in is opted out; who is not opted out may be neither.
    """
    word = _word(_text(value)[:_LONGEST])
    if word in _KINDS:
        return _KINDS[word]
    if field is Field.OPTED_IN and word in _IS_YES | _IS_NO:
        return Kind.OPT_IN if word in _IS_YES else Kind.OPT_OUT
    if field is Field.OPTED_OUT and word in _IS_YES:
        return Kind.OPT_OUT
    if field is Field.OPTED_OUT and word in _IS_NO:
        raise RowFault("says_nothing", "The row says that somebody has not opted out: no more.")
    if word in _IS_YES | _IS_NO:
        raise RowFault(
            "unknown_action",
            "Yes or no says too little in this column: map it to opted_in or opted_out.",
        )
    raise RowFault("unknown_action", "It is not known what the row says: opt-in or opt-out.")


def named_kind(action: str) -> Kind | None:
    """What a whole list is told to be, None for a word that is not known."""
    return _KINDS.get(folded(action))


def said_by_contact(value: Any) -> bool:
    """Whether the cell's word is one that only the contact says (R4)."""
    return _word(_text(value)[:_LONGEST]) in _BY_CONTACT


@lru_cache(maxsize=1_000)
def _word(text: str) -> str:
    """Folded once: a list says the same few words in all of its rows."""
    return folded(text)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else ""
