"""Each rule finds what it is there to find, and lets pass what Citus takes."""

from __future__ import annotations

import pytest

from tests.stores.postgres.citus.rules import RULES, broken

_EVENT = "INSERT INTO events (bot_id, event_id, kind) VALUES ($1, $2, $3)"

#: What breaks each rule, and that one alone or others beside it.
BAD = {
    "spans": [
        "SELECT 1 FROM events WHERE identity = $1",
        "SELECT 1 FROM events WHERE bot_id = ANY($1)",
        "SELECT 1 FROM events WHERE bot_id > $1",
        "SELECT 1 FROM events WHERE bot_id = $1 OR identity = $2",
        "SELECT 1 FROM events WHERE NOT bot_id = $1",
        "SELECT 1 FROM events WHERE (bot_id, identity) = ($1, $2)",
        "SELECT bot_id FROM tokens WHERE digest = $1",
        "COMMIT; SELECT 1 FROM events",
        "SELECT 1 FROM events_2026_q4",
        # Each of several has to say so, in whatever place it is.
        "SELECT 1 FROM events e JOIN wordings w ON w.hash = e.wording WHERE e.bot_id = $1",
        "SELECT 1 FROM events e LEFT JOIN wordings w ON w.bot_id = $1",
        "SELECT 1 FROM wordings w, events e WHERE w.bot_id = $1 AND e.bot_id <> w.bot_id",
        "SELECT 1 FROM wordings w WHERE bot_id = $1 AND EXISTS (SELECT 1 FROM events)",
        "SELECT 1 FROM wordings w WHERE EXISTS (SELECT 1 FROM events e WHERE w.bot_id = $1)",
        "SELECT (SELECT count(*) FROM events) FROM bots WHERE bot_id = $1",
        "SELECT 1 FROM events WHERE bot_id = $1 UNION ALL SELECT 1 FROM contact_messages",
        "WITH found AS (SELECT bot_id FROM events) SELECT 1 FROM found WHERE bot_id = $1",
        "SELECT 1 FROM (SELECT bot_id FROM events LIMIT 1) AS found WHERE bot_id = $1",
        "SELECT 1 FROM (SELECT bot_id AS other FROM events) AS found WHERE other = $1",
        "SELECT 1 FROM events e, unnest($1::text[]) AS w (bot_id) WHERE e.bot_id = w.bot_id",
        "UPDATE messages SET due = 1 FROM callbacks c WHERE c.bot_id = $1",
        "DELETE FROM messages USING callbacks c WHERE c.bot_id = $1",
        "INSERT INTO wordings (bot_id, hash) VALUES ($1, $2), ($3 || 'x', $4)",
    ],
    "mixes": [
        "SELECT 1 FROM events e, wordings w WHERE e.bot_id = $1 AND w.bot_id = $2",
        "INSERT INTO wordings (bot_id, hash) VALUES ($1, $2), ($3, $4)",
        "SELECT 1 FROM events WHERE bot_id = 'a' UNION ALL SELECT 1 FROM events WHERE bot_id = 'b'",
    ],
    "writes": [
        "UPDATE messages SET due = $1",
        "DELETE FROM callbacks WHERE created < $1",
        "DELETE FROM events WHERE bot_id IN (SELECT bot_id FROM bots WHERE bot_id = $1)",
        "WITH gone AS (DELETE FROM events RETURNING identity) SELECT * FROM gone",
        "UPDATE messages SET due = 1 WHERE stage = 'waiting' RETURNING message_id",
    ],
    "locks": [
        "SELECT 1 FROM identities WHERE identity = ANY($1) FOR UPDATE",
        "SELECT 1 FROM (SELECT 1 FROM messages WHERE due < $1 FOR UPDATE SKIP LOCKED) AS found",
        "SELECT 1 FROM messages m JOIN bots b USING (bot_id) WHERE b.bot_id = $1 FOR SHARE OF m",
    ],
    "moves": [
        "UPDATE events SET bot_id = $2 WHERE bot_id = $1",
        f"{_EVENT} ON CONFLICT (bot_id, event_id) DO UPDATE SET bot_id = excluded.bot_id",
    ],
    "computes": [
        "UPDATE messages SET due = extract(epoch FROM now()) WHERE bot_id = $1",
        "UPDATE messages SET due = nextval('s') WHERE bot_id = $1",
        "UPDATE messages SET due = $2::timestamptz + '1 day'::interval WHERE bot_id = $1",
        f"{_EVENT} ON CONFLICT (bot_id, event_id) DO UPDATE SET kind = random()::text",
        f"{_EVENT} ON CONFLICT (bot_id, event_id) DO UPDATE SET kind = current_timestamp::text",
    ],
    "chances": [
        "DELETE FROM messages WHERE bot_id = $1 AND random() < 0.5",
        "UPDATE messages SET due = 1 WHERE bot_id = $1 AND due < extract(epoch FROM now())",
    ],
    "asks": [
        f"{_EVENT} ON CONFLICT (bot_id, event_id) DO UPDATE SET kind = (SELECT 'x')",
        "INSERT INTO events (bot_id, event_id) VALUES ($1, (SELECT $2::bytea))",
    ],
    "selects": [
        "INSERT INTO events (bot_id, kind) SELECT $1, * FROM unnest($2::text[])",
        "INSERT INTO events_rest SELECT * FROM events WHERE bot_id = $1",
    ],
    "conflicts": [
        f"{_EVENT} ON CONFLICT (event_id) DO NOTHING",
        f"{_EVENT} ON CONFLICT (event_id, bot_id) DO UPDATE SET kind = excluded.kind",
        f"{_EVENT} ON CONFLICT ON CONSTRAINT events_pkey DO NOTHING",
    ],
    "joins": [
        "SELECT 1 FROM messages m JOIN bots b ON b.bot_id = m.bot_id WHERE m.bot_id = $1",
        "SELECT 1 FROM messages WHERE bot_id = $1 AND bot_id IN (SELECT bot_id FROM bots)",
        "SELECT (SELECT value FROM meta WHERE key = 'k') FROM messages WHERE bot_id = $1",
    ],
    "correlates": [
        "SELECT (SELECT max(e.at) FROM events e WHERE e.identity = i.identity) FROM identities i",
        "SELECT (SELECT max(e.at) FROM events e WHERE e.bot_id > i.bot_id) FROM identities i",
        "SELECT 1 FROM bots b WHERE EXISTS (SELECT 1 FROM events e WHERE e.identity = b.bot_id)",
        """SELECT 1 FROM identities i, LATERAL (SELECT 1 FROM events e
         WHERE e.identity = i.identity LIMIT 1) AS newest""",
    ],
    "recurses": [
        """WITH RECURSIVE w (b) AS ((SELECT bot_id FROM events ORDER BY bot_id LIMIT 1) UNION ALL
         SELECT (SELECT bot_id FROM events WHERE bot_id > b ORDER BY bot_id LIMIT 1) FROM w)
         SELECT b FROM w""",
    ],
    "tells_time": [
        "SELECT clock_timestamp(), identity FROM identities WHERE bot_id = $1",
        "SELECT 1 FROM messages WHERE bot_id = $1 AND due < extract(epoch FROM current_timestamp)",
    ],
    "latches": [
        "SELECT pg_advisory_xact_lock(1) FROM messages WHERE bot_id = $1",
        "SELECT 1 FROM messages WHERE bot_id = $1 AND pg_try_advisory_lock(1)",
    ],
    "is_unknown": [
        "MERGE INTO events USING wordings ON true WHEN MATCHED THEN DELETE",
        "CREATE TRIGGER t AFTER INSERT ON events EXECUTE FUNCTION f()",
        "CREATE TEMP TABLE found (id int)",
        "SELECT 1 AS one INTO TEMP found",
        "SELECT 1 AS one INTO found",
        "LISTEN changes",
        "NOTIFY changes",
        "PREPARE p AS SELECT 1",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE UNIQUE INDEX i ON events (event_id)",
    ],
}

GOOD = [
    "SELECT 1 FROM events WHERE bot_id = $1 AND identity = ANY($2)",
    "SELECT 1 FROM events WHERE bot_id = 'bot-1'",
    "SELECT 1 FROM events WHERE $1::text = bot_id",
    "SELECT value FROM meta WHERE key = $1",
    "SELECT clock_timestamp()",
    "SELECT pg_advisory_xact_lock(1)",
    "SELECT 1 FROM events e JOIN wordings w ON w.bot_id = e.bot_id WHERE e.bot_id = $1",
    "SELECT 1 FROM events e LEFT JOIN wordings w ON w.bot_id = $1 WHERE e.bot_id = $1",
    "SELECT 1 FROM (SELECT * FROM events) AS e WHERE e.bot_id = $1",
    "WITH found AS (SELECT * FROM events WHERE bot_id = $1) SELECT count(*) FROM found",
    "SELECT 1 FROM identities WHERE bot_id = $1 ORDER BY identity FOR UPDATE",
    """SELECT 1 FROM wordings w WHERE bot_id = $1 AND EXISTS
     (SELECT 1 FROM events e WHERE e.bot_id = w.bot_id AND e.wording = w.hash)""",
    """WITH d AS MATERIALIZED (SELECT message_id FROM messages WHERE bot_id = $1 LIMIT 1 FOR UPDATE)
     UPDATE messages m SET due = greatest(due, $2) FROM d
     WHERE m.bot_id = $1 AND m.message_id = d.message_id RETURNING m.body""",
    "INSERT INTO wordings (bot_id, hash) VALUES ($1, $2), ($1, $3) ON CONFLICT DO NOTHING",
    f"{_EVENT} ON CONFLICT (bot_id, event_id) DO UPDATE SET kind = coalesce(excluded.kind, '')",
    """WITH RECURSIVE w (n) AS (SELECT seq FROM events WHERE bot_id = $1 UNION ALL
     SELECT n - 1 FROM w WHERE n > 0) SELECT n FROM w""",
    "INSERT INTO writers (slot) SELECT max(slot) + 1 FROM writers",
    "UPDATE writers SET leased_until = extract(epoch FROM now()) WHERE slot = $1",
    "SET LOCAL statement_timeout = 0; COMMIT",
    "LOCK TABLE events_rest IN ACCESS EXCLUSIVE MODE",
]


@pytest.mark.parametrize(("rule", "sql"), [(rule, sql) for rule in BAD for sql in BAD[rule]])
def test_a_rule_finds_what_breaks_it(rule: str, sql: str) -> None:
    """What Citus refuses, or what it does in two phases or with another clock, is found."""
    assert rule in broken(sql)


def test_every_rule_has_something_to_find() -> None:
    """No rule is there that was never seen to find anything."""
    assert BAD.keys() == RULES.keys()


@pytest.mark.parametrize("sql", GOOD)
def test_what_goes_through_is_let_through(sql: str) -> None:
    """A statement about one bot, joined by the bot, breaks no rule."""
    assert broken(sql) == frozenset()


@pytest.mark.parametrize(
    "sql",
    [
        """SELECT 1 FROM imports i WHERE NOT EXISTS
         (SELECT 1 FROM imports o WHERE o.bot_id = i.bot_id AND o.state = 'running')""",
        """SELECT (SELECT e.at FROM events e WHERE e.bot_id = i.bot_id ORDER BY at LIMIT 1)
         FROM identities i""",
    ],
)
def test_across_shards_what_is_joined_by_the_bot_may_be_asked_of_each(sql: str) -> None:
    """A search for due work may look at the same bot's other rows on each shard."""
    assert broken(sql) == {"spans"}
