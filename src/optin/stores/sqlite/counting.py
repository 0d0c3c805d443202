"""Counts on SQLite (SPEC 6). The standing of R4 is put in SQL here to be counted, nothing more; a
test holds it against the domain's."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict

from optin.domain.consent import NEVER, SESSION, Policy
from optin.domain.events import DAY
from optin.domain.ids import time_ordered_id, ulid
from optin.ports.stats import Contacts, Day, Stats
from optin.stores.sqlite.connection import snapshot
from optin.stores.sqlite.operators import SQLiteDirectory

_STANDINGS = """
WITH given AS (
 SELECT *, max(opt_out_keyword, opt_out_other) AS out,
 max(:never, coalesce((SELECT max(w.value) FROM json_each(
   CASE wordings WHEN '' THEN '{}' ELSE wordings END) w
   WHERE NOT EXISTS (SELECT 1 FROM json_each(:outdated) o
   WHERE o.key = w.key AND o.value <= :now)), :never)) AS worded
 FROM identities WHERE bot_id = :bot
), valid AS (
 SELECT *,
 CASE WHEN :now >= max(opt_in, worded) + :life THEN :never
  ELSE max(opt_in, worded) END AS opted,
 CASE WHEN :now >= max(opt_in_with_evidence, worded) + :life THEN :never
  ELSE max(opt_in_with_evidence, worded) END AS proven
 FROM given
), standing AS (
 SELECT *, (start_word > opt_out_keyword AND opt_out_keyword > opt_out_other)
 OR (opted > out AND (:evidence = 0 OR opt_out_from_contact = :never
  OR opt_out_from_contact < proven)) AS yes
 FROM valid
)
SELECT count(*), coalesce(sum(yes), 0), coalesce(sum(NOT yes AND out <> :never), 0),
 coalesce(sum(message + :session > :now AND message > out), 0),
 coalesce(sum((provider_marketing_stop <> :never
   AND provider_marketing_stop >= provider_marketing_resume)
  OR (marketing_stop <> :never AND marketing_stop >= marketing_resume)), 0),
 coalesce(sum(substr(identity, 1, 1) = '~'), 0)
FROM standing"""
_EVENTS = """SELECT recorded / :day, kind, count(*) FROM events
 WHERE bot_id = :bot AND recorded >= :since AND kind <> 'checkpoint' GROUP BY 1, 2"""
_SAID = """SELECT effective / :day, kind, count(*) FROM contact_messages
 WHERE bot_id = :bot AND event_id >= :first AND effective >= :since GROUP BY 1, 2"""
_SENT = """SELECT created / :day, state, coalesce(reason, ''), passed, count(*) FROM messages
 WHERE bot_id = :bot AND message_id >= :first_message AND created >= :since GROUP BY 1, 2, 3, 4"""
#: Longer than any life of an opt-in, µs: what expires after it never does.
_FOR_EVER = 2**61


class SQLiteCounts(SQLiteDirectory):
    """`ports/stats.py` on one file."""

    async def stats(self, bot_id: str, since: int, policy: Policy) -> Stats:
        return await self._aside.run(lambda c: _stats(c, bot_id, since, policy, self._clock()))


def _stats(
    connection: sqlite3.Connection, bot_id: str, since: int, policy: Policy, now: int
) -> Stats:
    begin = since // DAY * DAY
    first = time_ordered_id(begin, bytes(10))[:6] + bytes(10)
    asked = {
        "bot": bot_id,
        "now": now,
        "never": NEVER,
        "day": DAY,
        "since": begin,
        "first": first,
        "first_message": ulid(first),
        "session": SESSION,
        "life": policy.opt_in_lifetime or _FOR_EVER,
        "evidence": int(policy.reopt_in_needs_evidence),
        "outdated": json.dumps(dict(policy.outdated)),
    }
    with snapshot(connection):
        contacts = Contacts(*connection.execute(_STANDINGS, asked).fetchone())
        events: dict[int, dict[str, int]] = defaultdict(dict)
        for sql in (_EVENTS, _SAID):
            for day, kind, count in connection.execute(sql, asked):
                events[day][kind] = count
        sent = connection.execute(_SENT, asked).fetchall()
    messages: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    refused: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for day, state, reason, passed, count in sent:
        messages[day][state] += count
        if not passed:
            refused[day][reason] += count
    days = sorted(events.keys() | messages.keys())
    return Stats(now, contacts, [Day(d, events[d], messages[d], refused[d]) for d in days])
