"""Marketing stops that hold until a person has decided a review item (R8, R10, R11).

Theory: such a stop is no word of the contact's, and neither is the resume that ends it. So the
resume takes effect a microsecond after the stop, not when somebody decides: what the contact says
after the question counts as ever. And it is left out if any other stop would hold without it; a
stop that was written before and comes only afterwards is found by `is_held_back`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from optin.domain import consent, links
from optin.domain.events import Event, Kind

Events = Mapping[str, Sequence[Event]]

#: The source of every resume that a decision about a review item is, whoever took it.
RESUME_SOURCE = "review"


def asked_by(event: Event) -> str:
    """The id of the review item that set this stop until it is decided; "" for any other event."""
    claim = event.claim
    if claim.kind is not Kind.MARKETING_STOP or "decision" in claim.evidence:
        return ""
    return claim.context.get("review", "")


def is_resume(event: Event) -> bool:
    """Whether it is what ended a provisional stop. Its source says so even after an erasure, which
    empties the context (R15)."""
    claim = event.claim
    told = "review" in claim.context or claim.source == RESUME_SOURCE
    return claim.kind is Kind.MARKETING_RESUME and told


def questions(events: Events) -> frozenset[str]:
    """The ids of all review items that set a stop in these events."""
    return frozenset(asked_by(event) for some in events.values() for event in some) - {""}


def resume_time(events: Events, identities: Iterable[str], answered: Collection[str]) -> int | None:
    """When marketing resumes, UTC µs, once the review items in `answered` turned out as nothing;
    None if none of them had set a stop, or marketing would be stopped without them.

    `events`: all of the identities and of those in W.
    """
    set_by_them = [e for some in events.values() for e in some if asked_by(e) in answered]
    times = [event.effective for event in set_by_them if event.effective is not None]
    if not times or _is_stopped(events, identities, lambda e: asked_by(e) not in answered):
        return None
    return max(times) + 1


def is_held_back(events: Events, identities: Sequence[str], stop_ids: Collection[bytes]) -> bool:
    """Whether the stop with these event ids, one an identity, has no effect only since a review
    item was decided: neither it nor the resume of any item is the contact's word."""

    def counts(event: Event) -> bool:
        return event.claim.event_id in stop_ids or not asked_by(event)

    recorded = any(e.claim.event_id in stop_ids for some in events.values() for e in some)
    in_force = all(
        consent.our_marketing_stopped(_reading(events, who, lambda _: True)) for who in identities
    )
    return recorded and not in_force and _is_stopped(events, identities, counts)


def _is_stopped(events: Events, identities: Iterable[str], counts: Callable[[Event], bool]) -> bool:
    """Whether any of them is stopped by the events that count; no item's resume does."""
    return any(
        consent.our_marketing_stopped(
            _reading(events, who, lambda event: counts(event) and not is_resume(event))
        )
        for who in identities
    )


def _reading(events: Events, who: str, counts: Callable[[Event], bool]) -> consent.Clocks:
    states = {one: links.folded(filter(counts, some)) for one, some in events.items()}
    return links.reading(who, lambda one: states.get(one, links.UNKNOWN))
