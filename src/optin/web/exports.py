"""Lists out, in the native API: `export` (SPEC 6)."""

from __future__ import annotations

from collections.abc import Mapping

from optin.domain.lists.shape import CSV
from optin.usecases.export import CONTACTS, Export
from optin.web.resource import Call, Method
from optin.web.streaming import Streamed, streamed

_MEDIA = {CSV: "text/csv; charset=utf-8"}
_NDJSON = "application/x-ndjson"


async def _export(call: Call) -> Streamed:
    """`what`: contacts or events; `format`: csv or jsonl."""
    what, form = call.query("what") or CONTACTS, call.query("format") or CSV
    export = Export(call.services.store, call.bot_id, what, form)
    media = _MEDIA.get(form, _NDJSON)
    name = f"{call.bot_id}-{what}.{form}"
    return await streamed(export.pieces(), call.receive, media, name)


#: Path below the bot -> what its methods do.
METHODS: Mapping[str, Mapping[str, Method]] = {"/export": {"GET": Method("read", _export)}}
