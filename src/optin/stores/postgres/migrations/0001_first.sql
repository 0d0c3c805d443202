-- Everything begins with the bot id, so that it can be sharded by it: no key without it, no foreign
-- keys, no triggers. Text compares byte by byte. Times are UTC microseconds. A clock that never
-- moved holds -4611686018427387904. The order of columns is that of tables.py.

CREATE TABLE meta (
    key   text COLLATE "C" NOT NULL PRIMARY KEY,
    value text COLLATE "C" NOT NULL
);

CREATE TABLE bots (
    bot_id   text COLLATE "C" NOT NULL PRIMARY KEY,
    settings text COLLATE "C" NOT NULL,
    created  bigint NOT NULL,
    removed  bigint
);

CREATE TABLE tokens (
    digest   bytea NOT NULL PRIMARY KEY,
    bot_id   text COLLATE "C" NOT NULL,
    token_id text COLLATE "C" NOT NULL,
    scopes   text COLLATE "C" NOT NULL,
    created  bigint NOT NULL,
    revoked  bigint
);
CREATE UNIQUE INDEX tokens_by_bot ON tokens (bot_id, token_id);

-- Who writes: a slot is a writer of the ledger's chains, held by one process at a time. batch is
-- its last commit, so that one whose outcome was not seen can be asked for.
CREATE TABLE writers (
    slot         bigint NOT NULL PRIMARY KEY,
    holder       text COLLATE "C" NOT NULL,
    batch        bigint NOT NULL,
    leased_until bigint NOT NULL
);

-- The fold of the ledger: one row an identity (R2). Room is left on each page, so that a new
-- version of a row finds place beside the old one.
CREATE TABLE identities (
    bot_id                    text COLLATE "C" NOT NULL,
    identity                  text COLLATE "C" NOT NULL,
    opt_in                    bigint NOT NULL,
    opt_in_with_evidence      bigint NOT NULL,
    start_word                bigint NOT NULL,
    opt_out_keyword           bigint NOT NULL,
    opt_out_other             bigint NOT NULL,
    opt_out_from_contact      bigint NOT NULL,
    message                   bigint NOT NULL,
    provider_marketing_stop   bigint NOT NULL,
    provider_marketing_resume bigint NOT NULL,
    marketing_stop            bigint NOT NULL,
    marketing_resume          bigint NOT NULL,
    wordings                  text COLLATE "C" NOT NULL,
    links                     text COLLATE "C" NOT NULL,
    version                   bigint NOT NULL,
    PRIMARY KEY (bot_id, identity)
) WITH (fillfactor = 80);

-- The ledger of consent: append-only. effective is NULL for what is kept without effect (R3).
-- writer, seq, place: where an entry stands in its chain (R14). salt, emptied, erased_by: of its
-- personal fields, what is left of them after an erasure, and the entry that names them (R15).
CREATE TABLE events (
    bot_id       text COLLATE "C" NOT NULL,
    event_id     bytea NOT NULL,
    identity     text COLLATE "C" NOT NULL,
    kind         text COLLATE "C" NOT NULL,
    origin       text COLLATE "C" NOT NULL,
    at           bigint,
    unit         bigint NOT NULL,
    effective    bigint,
    recorded     bigint NOT NULL,
    source       text COLLATE "C" NOT NULL,
    actor        text COLLATE "C" NOT NULL,
    from_contact bigint NOT NULL,
    categories   text COLLATE "C",
    wording      text COLLATE "C",
    evidence     text COLLATE "C" NOT NULL,
    context      text COLLATE "C" NOT NULL,
    others       text COLLATE "C" NOT NULL,
    writer       bigint NOT NULL,
    seq          bigint NOT NULL,
    place        bigint NOT NULL,
    salt         bytea NOT NULL,
    emptied      bytea NOT NULL,
    erased_by    bytea NOT NULL,
    PRIMARY KEY (bot_id, event_id)
);
CREATE INDEX events_by_identity ON events (bot_id, identity, effective);
CREATE INDEX events_by_time ON events (bot_id, recorded);
CREATE INDEX events_by_commit ON events (bot_id, writer, seq, place, event_id);
-- For checking and proving: what an erasure emptied, who was shown a wording.
CREATE INDEX events_by_erasure ON events (bot_id, erased_by, event_id) WHERE erased_by <> '';
CREATE INDEX events_by_wording ON events (bot_id, wording) WHERE wording IS NOT NULL;

-- Messages from contacts: a hundred times as many, and they only move a clock. Kept apart, so that
-- the ledger of consent stays small for decades.
CREATE TABLE contact_messages (LIKE events INCLUDING DEFAULTS, PRIMARY KEY (bot_id, event_id));
CREATE INDEX contact_messages_by_identity ON contact_messages (bot_id, identity, effective);
CREATE INDEX contact_messages_by_commit ON contact_messages
    (bot_id, writer, seq, place, event_id);
CREATE INDEX contact_messages_by_erasure ON contact_messages (bot_id, erased_by, event_id)
    WHERE erased_by <> '';
CREATE INDEX contact_messages_by_wording ON contact_messages (bot_id, wording)
    WHERE wording IS NOT NULL;

-- The chain of commits: tamper evidence, one chain a bot and writer (R14).
CREATE TABLE commits (
    bot_id          text COLLATE "C" NOT NULL,
    writer          bigint NOT NULL,
    seq             bigint NOT NULL,
    recorded        bigint NOT NULL,
    previous        bytea NOT NULL,
    events          bigint NOT NULL,
    events_digest   bytea NOT NULL,
    messages        bigint NOT NULL,
    messages_digest bytea NOT NULL,
    hash            bytea NOT NULL,
    PRIMARY KEY (bot_id, writer, seq)
);

-- What people were shown, once each, by SHA-256 (hex).
CREATE TABLE wordings (
    bot_id text COLLATE "C" NOT NULL,
    hash   text COLLATE "C" NOT NULL,
    text   text COLLATE "C" NOT NULL,
    PRIMARY KEY (bot_id, hash)
);

CREATE TABLE templates (
    bot_id   text COLLATE "C" NOT NULL,
    name     text COLLATE "C" NOT NULL,
    language text COLLATE "C" NOT NULL,
    category text COLLATE "C",
    status   text COLLATE "C" NOT NULL,
    updated  bigint NOT NULL,
    components text COLLATE "C" NOT NULL, -- what people read: pairs of part and text, as JSON
    PRIMARY KEY (bot_id, name, language)
);

-- The outbox, and afterwards the record of what was sent or refused and why (R7, H8).
CREATE TABLE messages (
    bot_id       text COLLATE "C" NOT NULL,
    message_id   text COLLATE "C" NOT NULL,
    identity     text COLLATE "C" NOT NULL,
    body         text COLLATE "C" NOT NULL,
    category     text COLLATE "C" NOT NULL,
    created      bigint NOT NULL,
    expires      bigint NOT NULL,
    due          bigint NOT NULL,
    stage        text COLLATE "C" NOT NULL,
    state        text COLLATE "C" NOT NULL,
    details      text COLLATE "C" NOT NULL,
    reason       text COLLATE "C",
    basis        text COLLATE "C",
    passed       bigint NOT NULL,
    attempts     bigint NOT NULL,
    claimant     text COLLATE "C" NOT NULL,
    leased_until bigint NOT NULL,
    claimed      bigint NOT NULL,
    upstream_id  text COLLATE "C" NOT NULL,
    callback_url text COLLATE "C" NOT NULL,
    confirms     text COLLATE "C" NOT NULL,
    PRIMARY KEY (bot_id, message_id)
) WITH (fillfactor = 80);
CREATE INDEX messages_due ON messages (due) WHERE stage = 'waiting';
CREATE INDEX messages_expiring ON messages (expires) WHERE stage = 'waiting';
CREATE INDEX messages_claimed ON messages (claimed) WHERE stage = 'claimed';
CREATE INDEX messages_by_upstream_id ON messages (bot_id, upstream_id) WHERE upstream_id <> '';
-- What waits, by bot: a lease passes over those who have enough without reading their queue.
CREATE INDEX messages_by_bot ON messages (bot_id, due) WHERE stage = 'waiting';
CREATE INDEX messages_by_identity ON messages (bot_id, identity, message_id);

CREATE TABLE callbacks (
    bot_id       text COLLATE "C" NOT NULL,
    callback_id  text COLLATE "C" NOT NULL,
    url          text COLLATE "C" NOT NULL,
    body         bytea NOT NULL,
    created      bigint NOT NULL,
    due          bigint NOT NULL,
    attempts     bigint NOT NULL,
    leased_until bigint NOT NULL,
    claimant     text COLLATE "C" NOT NULL,
    kind         text COLLATE "C" NOT NULL,
    headers      text COLLATE "C" NOT NULL,
    stage        text COLLATE "C" NOT NULL,
    outcome      text COLLATE "C" NOT NULL,
    receiver     text COLLATE "C" NOT NULL,
    PRIMARY KEY (bot_id, callback_id)
) WITH (fillfactor = 80);
CREATE INDEX callbacks_due ON callbacks (due) WHERE stage = 'waiting';
CREATE INDEX callbacks_by_receiver ON callbacks (bot_id, receiver, due) WHERE stage = 'waiting';

CREATE TABLE blacklist (
    bot_id   text COLLATE "C" NOT NULL,
    identity text COLLATE "C" NOT NULL,
    PRIMARY KEY (bot_id, identity)
);

-- Signed webhook bodies, or parts of them, kept to be parsed again (SPEC 5).
CREATE TABLE webhooks (
    bot_id     text COLLATE "C" NOT NULL,
    webhook_id bytea NOT NULL,
    received   bigint NOT NULL,
    body       bytea NOT NULL,
    note       text COLLATE "C" NOT NULL,
    source     text COLLATE "C" NOT NULL,
    PRIMARY KEY (bot_id, webhook_id)
);
CREATE INDEX webhooks_by_time ON webhooks (bot_id, received);
CREATE INDEX webhooks_noted ON webhooks (bot_id, webhook_id) WHERE note <> '';

-- What a person decides (R10, R11).
CREATE TABLE reviews (
    bot_id     text COLLATE "C" NOT NULL,
    review_id  text COLLATE "C" NOT NULL,
    kind       text COLLATE "C" NOT NULL,
    identities text COLLATE "C" NOT NULL,
    text       text COLLATE "C" NOT NULL,
    created    bigint NOT NULL,
    context    text COLLATE "C" NOT NULL,
    decision   text COLLATE "C" NOT NULL,
    decided    bigint NOT NULL,
    decided_by text COLLATE "C" NOT NULL,
    note       text COLLATE "C" NOT NULL,
    PRIMARY KEY (bot_id, review_id)
);
CREATE INDEX reviews_open ON reviews (bot_id, review_id) WHERE decision = '';

-- Lists that are taken in (SPEC 6): the jobs, their bodies until they are over, and the rows that
-- are kept for people.
CREATE TABLE imports (
    bot_id       text COLLATE "C" NOT NULL,
    import_id    text COLLATE "C" NOT NULL,
    state        text COLLATE "C" NOT NULL,
    created      bigint NOT NULL,
    claimant     text COLLATE "C" NOT NULL,
    leased_until bigint NOT NULL,
    details      text COLLATE "C" NOT NULL,
    PRIMARY KEY (bot_id, import_id)
);
CREATE INDEX imports_under_way ON imports (created) WHERE state IN ('waiting', 'running');

CREATE TABLE import_bodies (
    bot_id    text COLLATE "C" NOT NULL,
    import_id text COLLATE "C" NOT NULL,
    piece     bigint NOT NULL,
    body      bytea NOT NULL,
    PRIMARY KEY (bot_id, import_id, piece)
);

CREATE TABLE import_rows (
    bot_id    text COLLATE "C" NOT NULL,
    import_id text COLLATE "C" NOT NULL,
    number    bigint NOT NULL,
    line      bigint NOT NULL,
    outcome   text COLLATE "C" NOT NULL,
    reason    text COLLATE "C" NOT NULL,
    details   text COLLATE "C" NOT NULL,
    identity  text COLLATE "C" NOT NULL,
    row       bytea NOT NULL,
    PRIMARY KEY (bot_id, import_id, number)
);
CREATE INDEX import_rows_by_identity ON import_rows (bot_id, identity) WHERE identity <> '';

-- What was answered under an Idempotency-Key, for seven days (SPEC 6).
CREATE TABLE answers (
    bot_id     text COLLATE "C" NOT NULL,
    actor      text COLLATE "C" NOT NULL,
    route      text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL,
    digest     bytea NOT NULL,
    status     bigint NOT NULL,
    body       bytea NOT NULL,
    created    bigint NOT NULL,
    identities text COLLATE "C" NOT NULL,
    PRIMARY KEY (bot_id, actor, route, key)
);
CREATE INDEX answers_by_time ON answers (bot_id, created);
