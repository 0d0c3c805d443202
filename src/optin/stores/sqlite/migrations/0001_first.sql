-- Everything begins with the bot id, so that the same shape can be sharded by it.
-- Times are UTC microseconds. A clock that never moved holds -4611686018427387904.

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE bots (
    bot_id   TEXT NOT NULL PRIMARY KEY,
    settings TEXT NOT NULL,
    created  INTEGER NOT NULL,
    removed  INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    digest   BLOB NOT NULL PRIMARY KEY,
    bot_id   TEXT NOT NULL,
    token_id TEXT NOT NULL,
    scopes   TEXT NOT NULL,
    created  INTEGER NOT NULL,
    revoked  INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX tokens_by_bot ON tokens (bot_id, token_id);

-- The fold of the ledger: one row an identity (R2).
CREATE TABLE identities (
    bot_id                    TEXT NOT NULL,
    identity                  TEXT NOT NULL,
    opt_in                    INTEGER NOT NULL,
    opt_in_with_evidence      INTEGER NOT NULL,
    start_word                INTEGER NOT NULL,
    opt_out_keyword           INTEGER NOT NULL,
    opt_out_other             INTEGER NOT NULL,
    opt_out_from_contact      INTEGER NOT NULL,
    message                   INTEGER NOT NULL,
    provider_marketing_stop   INTEGER NOT NULL,
    provider_marketing_resume INTEGER NOT NULL,
    marketing_stop            INTEGER NOT NULL,
    marketing_resume          INTEGER NOT NULL,
    wordings                  TEXT NOT NULL,
    links                     TEXT NOT NULL,
    version                   INTEGER NOT NULL,
    PRIMARY KEY (bot_id, identity)
) STRICT, WITHOUT ROWID;

-- The ledger of consent: append-only. effective is NULL for what is kept without effect (R3).
CREATE TABLE events (
    bot_id       TEXT NOT NULL,
    event_id     BLOB NOT NULL,
    identity     TEXT NOT NULL,
    kind         TEXT NOT NULL,
    origin       TEXT NOT NULL,
    at           INTEGER,
    unit         INTEGER NOT NULL,
    effective    INTEGER,
    recorded     INTEGER NOT NULL,
    source       TEXT NOT NULL,
    actor        TEXT NOT NULL,
    from_contact INTEGER NOT NULL,
    categories   TEXT,
    wording      TEXT,
    evidence     TEXT NOT NULL,
    context      TEXT NOT NULL,
    others       TEXT NOT NULL,
    PRIMARY KEY (bot_id, event_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX events_by_identity ON events (bot_id, identity, effective);
CREATE INDEX events_by_time ON events (bot_id, recorded);

-- Messages from contacts: a hundred times as many, and they only move a clock. Kept apart, so that
-- the ledger of consent stays small for decades.
CREATE TABLE contact_messages (
    bot_id       TEXT NOT NULL,
    event_id     BLOB NOT NULL,
    identity     TEXT NOT NULL,
    kind         TEXT NOT NULL,
    origin       TEXT NOT NULL,
    at           INTEGER,
    unit         INTEGER NOT NULL,
    effective    INTEGER,
    recorded     INTEGER NOT NULL,
    source       TEXT NOT NULL,
    actor        TEXT NOT NULL,
    from_contact INTEGER NOT NULL,
    categories   TEXT,
    wording      TEXT,
    evidence     TEXT NOT NULL,
    context      TEXT NOT NULL,
    others       TEXT NOT NULL,
    PRIMARY KEY (bot_id, event_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX contact_messages_by_identity ON contact_messages (bot_id, identity, effective);

CREATE TABLE templates (
    bot_id   TEXT NOT NULL,
    name     TEXT NOT NULL,
    language TEXT NOT NULL,
    category TEXT,
    status   TEXT NOT NULL,
    updated  INTEGER NOT NULL,
    PRIMARY KEY (bot_id, name, language)
) STRICT, WITHOUT ROWID;

-- The outbox, and afterwards the record of what was sent or refused and why (R7, H8).
CREATE TABLE messages (
    bot_id       TEXT NOT NULL,
    message_id   TEXT NOT NULL,
    identity     TEXT NOT NULL,
    body         TEXT NOT NULL,
    category     TEXT NOT NULL,
    created      INTEGER NOT NULL,
    expires      INTEGER NOT NULL,
    due          INTEGER NOT NULL,
    stage        TEXT NOT NULL,
    state        TEXT NOT NULL,
    details      TEXT NOT NULL,
    reason       TEXT,
    basis        TEXT,
    passed       INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    claimant     TEXT NOT NULL,
    leased_until INTEGER NOT NULL,
    claimed      INTEGER NOT NULL,
    upstream_id  TEXT NOT NULL,
    callback_url TEXT NOT NULL,
    confirms     TEXT NOT NULL,
    PRIMARY KEY (bot_id, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX messages_due ON messages (due) WHERE stage = 'waiting';
CREATE INDEX messages_expiring ON messages (expires) WHERE stage = 'waiting';
CREATE INDEX messages_claimed ON messages (claimed) WHERE stage = 'claimed';
CREATE INDEX messages_by_upstream_id ON messages (bot_id, upstream_id) WHERE upstream_id <> '';

CREATE TABLE callbacks (
    bot_id       TEXT NOT NULL,
    callback_id  TEXT NOT NULL,
    url          TEXT NOT NULL,
    body         BLOB NOT NULL,
    created      INTEGER NOT NULL,
    due          INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    leased_until INTEGER NOT NULL,
    claimant     TEXT NOT NULL,
    kind         TEXT NOT NULL,
    headers      TEXT NOT NULL,
    stage        TEXT NOT NULL,
    outcome      TEXT NOT NULL,
    receiver     TEXT NOT NULL,
    PRIMARY KEY (bot_id, callback_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX callbacks_due ON callbacks (due) WHERE stage = 'waiting';

CREATE TABLE blacklist (
    bot_id   TEXT NOT NULL,
    identity TEXT NOT NULL,
    PRIMARY KEY (bot_id, identity)
) STRICT, WITHOUT ROWID;

-- Signed webhook bodies, or parts of them, kept to be parsed again (SPEC 5).
CREATE TABLE webhooks (
    bot_id     TEXT NOT NULL,
    webhook_id BLOB NOT NULL,
    received   INTEGER NOT NULL,
    body       BLOB NOT NULL,
    note       TEXT NOT NULL,
    source     TEXT NOT NULL,
    PRIMARY KEY (bot_id, webhook_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhooks_by_time ON webhooks (bot_id, received);

-- What a person decides (R10, R11).
CREATE TABLE reviews (
    bot_id     TEXT NOT NULL,
    review_id  TEXT NOT NULL,
    kind       TEXT NOT NULL,
    identities TEXT NOT NULL,
    text       TEXT NOT NULL,
    created    INTEGER NOT NULL,
    context    TEXT NOT NULL,
    decision   TEXT NOT NULL,
    decided    INTEGER NOT NULL,
    decided_by TEXT NOT NULL,
    note       TEXT NOT NULL,
    PRIMARY KEY (bot_id, review_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX reviews_open ON reviews (bot_id, review_id) WHERE decision = '';
