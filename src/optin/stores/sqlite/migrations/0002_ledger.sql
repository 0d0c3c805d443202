-- The chain of commits: tamper evidence, one chain a bot and writer (R14).
CREATE TABLE commits (
    bot_id          TEXT NOT NULL,
    writer          INTEGER NOT NULL,
    seq             INTEGER NOT NULL,
    recorded        INTEGER NOT NULL,
    previous        BLOB NOT NULL,
    events          INTEGER NOT NULL,
    events_digest   BLOB NOT NULL,
    messages        INTEGER NOT NULL,
    messages_digest BLOB NOT NULL,
    hash            BLOB NOT NULL,
    PRIMARY KEY (bot_id, writer, seq)
) STRICT, WITHOUT ROWID;

-- Where an entry stands in its chain, the salt of its personal fields, and what is left of these
-- after an erasure: their salted digests, and the id of the entry that names them (R15).
ALTER TABLE events ADD COLUMN writer INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN salt BLOB NOT NULL DEFAULT x'';
ALTER TABLE events ADD COLUMN emptied BLOB NOT NULL DEFAULT x'';
ALTER TABLE events ADD COLUMN erased_by BLOB NOT NULL DEFAULT x'';
CREATE INDEX events_by_commit ON events (bot_id, writer, seq, place);
ALTER TABLE contact_messages ADD COLUMN writer INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contact_messages ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contact_messages ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contact_messages ADD COLUMN salt BLOB NOT NULL DEFAULT x'';
ALTER TABLE contact_messages ADD COLUMN emptied BLOB NOT NULL DEFAULT x'';
ALTER TABLE contact_messages ADD COLUMN erased_by BLOB NOT NULL DEFAULT x'';
CREATE INDEX contact_messages_by_commit ON contact_messages (bot_id, writer, seq, place);

-- What people were shown, once each, by SHA-256 (hex).
CREATE TABLE wordings (
    bot_id TEXT NOT NULL,
    hash   TEXT NOT NULL,
    text   TEXT NOT NULL,
    PRIMARY KEY (bot_id, hash)
) STRICT, WITHOUT ROWID;
