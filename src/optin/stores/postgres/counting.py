"""Counts on PostgreSQL (SPEC 6). The standing of R4 is put in SQL here to be counted, nothing more;
a test holds it against the domain's."""

from __future__ import annotations

from collections import defaultdict

from optin.domain.consent import NEVER, SESSION, Policy
from optin.domain.events import DAY
from optin.domain.ids import time_ordered_id, ulid
from optin.ports.stats import Contacts, Day, Stats
from optin.stores.postgres.connection import Session, fetch
from optin.stores.postgres.operators import PostgresDirectory

# $2 now, $3 the life of an opt-in, $4 whether evidence is needed, $5 and $6 outdated wordings
_STANDINGS = f"""
WITH given AS (
 SELECT *, greatest(opt_out_keyword, opt_out_other) AS left_at,
 coalesce((SELECT max(w.at::bigint) FROM jsonb_each_text(
   (CASE wordings WHEN '' THEN '{{}}' ELSE wordings END)::jsonb) AS w (hash, at)
   WHERE NOT EXISTS (SELECT 1 FROM unnest($5::text[], $6::bigint[]) AS o (hash, at)
   WHERE o.hash = w.hash AND o.at <= $2)), {NEVER}) AS worded
 FROM identities WHERE bot_id = $1
), valid AS (
 SELECT *,
 CASE WHEN $2 >= greatest(opt_in, worded) + $3 THEN {NEVER}
  ELSE greatest(opt_in, worded) END AS opted,
 CASE WHEN $2 >= greatest(opt_in_with_evidence, worded) + $3 THEN {NEVER}
  ELSE greatest(opt_in_with_evidence, worded) END AS proven
 FROM given
), standing AS (
 SELECT *, (start_word > opt_out_keyword AND opt_out_keyword > opt_out_other)
 OR (opted > left_at AND (NOT $4 OR opt_out_from_contact = {NEVER}
  OR opt_out_from_contact < proven)) AS yes
 FROM valid
)
SELECT count(*), count(*) FILTER (WHERE yes),
 count(*) FILTER (WHERE NOT yes AND left_at <> {NEVER}),
 count(*) FILTER (WHERE message + {SESSION} > $2 AND message > left_at),
 count(*) FILTER (WHERE (provider_marketing_stop <> {NEVER}
   AND provider_marketing_stop >= provider_marketing_resume)
  OR (marketing_stop <> {NEVER} AND marketing_stop >= marketing_resume)),
 count(*) FILTER (WHERE left(identity, 1) = '~')
FROM standing"""
_EVENTS = f"""SELECT recorded / {DAY}, kind, count(*) FROM events
 WHERE bot_id = $1 AND recorded >= $2 AND kind <> 'checkpoint' GROUP BY 1, 2"""
_SAID = f"""SELECT effective / {DAY}, kind, count(*) FROM contact_messages
 WHERE bot_id = $1 AND event_id >= $3 AND effective >= $2 GROUP BY 1, 2"""
_SENT = f"""SELECT created / {DAY}, state, coalesce(reason, ''), passed, count(*) FROM messages
 WHERE bot_id = $1 AND message_id >= $3 AND created >= $2 GROUP BY 1, 2, 3, 4"""
#: Longer than any life of an opt-in, µs: what expires after it never does.
_FOR_EVER = 2**61


class PostgresCounts(PostgresDirectory):
    """`ports/stats.py` on the server."""

    async def stats(self, bot_id: str, since: int, policy: Policy) -> Stats:
        async def look(session: Session) -> Stats:
            return await _stats(session, bot_id, since, policy, await self._now(session))

        return await self._snapshot(look, limit=None)


async def _stats(session: Session, bot_id: str, since: int, policy: Policy, now: int) -> Stats:
    begin = since // DAY * DAY
    first = time_ordered_id(begin, bytes(10))[:6] + bytes(10)
    outdated = dict(policy.outdated)
    [standing] = await fetch(
        session,
        _STANDINGS,
        bot_id,
        now,
        policy.opt_in_lifetime or _FOR_EVER,
        policy.reopt_in_needs_evidence,
        list(outdated.keys()),
        list(outdated.values()),
    )
    events: dict[int, dict[str, int]] = defaultdict(dict)
    said = await fetch(session, _SAID, bot_id, begin, first)
    for day, kind, count in [*await fetch(session, _EVENTS, bot_id, begin), *said]:
        events[day][kind] = count
    messages: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    refused: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    sent = await fetch(session, _SENT, bot_id, begin, ulid(first))
    for day, state, reason, passed, count in sent:
        messages[day][state] += count
        if not passed:
            refused[day][reason] += count
    days = sorted(events.keys() | messages.keys())
    found = [Day(each, events[each], messages[each], refused[each]) for each in days]
    return Stats(now, Contacts(*standing), found)
