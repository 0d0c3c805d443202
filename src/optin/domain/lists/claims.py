"""A row's item as a claim, with the time that R3 gives to rows without one."""

from __future__ import annotations

import json
from collections.abc import Mapping

from optin.domain.consent_items import wording_hash
from optin.domain.events import STOPS, Claim, Origin
from optin.domain.lists.items import OTHERS, ListItem

#: When an opt-in without a date takes effect: before everything else (R3), 0001-01-01T00:00:00Z,
#: the first instant that can be written. So it lifts no opt-out, whatever its date.
UNDATED = -62_135_596_800_000_000

SOURCE = "import"


def claim_of(
    item: ListItem,
    event_id: bytes,
    *,
    imported: int,
    reopt_in: str = "",
    actor: str = "",
    context: Mapping[str, str] | None = None,
) -> Claim:
    """What the row claims. `imported`: the import's time, UTC µs, which opt-outs without a date
    take; `reopt_in`: the reason why opt-ins do, too, "" if they do not."""
    seen = dict(context or {})
    if item.others:
        seen[OTHERS] = json.dumps(item.others, ensure_ascii=False, separators=(",", ":"))
    at = item.at
    if at is None:
        seen["undated"] = "yes"
        at = imported if item.kind in STOPS or reopt_in else UNDATED
        if reopt_in and item.kind not in STOPS:
            seen["reopt_in"] = reopt_in
    return Claim(
        event_id=event_id,
        identity=item.identity,
        kind=item.kind,
        origin=Origin.DATED,
        source=SOURCE,
        at=at,
        unit=item.unit,
        categories=item.categories,
        evidence=item.evidence,
        wording=wording_hash(item.evidence),
        from_contact=item.from_contact,
        actor=actor,
        context=seen,
    )
