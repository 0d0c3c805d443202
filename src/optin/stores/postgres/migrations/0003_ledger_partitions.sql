-- The ledger in parts by the time in its entries' ids, so that what retention empties gives its
-- disk back (R16). What is there becomes the first part, up to the next quarter or month: it is
-- read once while the table is locked, not written anew. Parts after it are made by partitions.py.
-- In `rest` lies what no other part is for: ids from far ahead, or of a part that is gone.
DO $$
DECLARE
    parent text;
    unit   text;
    until  timestamp;
    bound  text;
    each   record;
BEGIN
    -- Citus changes shards and their table together only if asked to do one after the other.
    PERFORM set_config('citus.multi_shard_modify_mode', 'sequential', true);
    FOREACH parent IN ARRAY ARRAY['events', 'contact_messages'] LOOP
        unit := CASE parent WHEN 'events' THEN 'quarter' ELSE 'month' END;
        until := date_trunc(unit, now() AT TIME ZONE 'UTC')
            + CASE unit WHEN 'quarter' THEN interval '3 months' ELSE interval '1 month' END;
        bound := lpad(to_hex((extract(epoch FROM until) * 1000)::bigint), 12, '0');

        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', parent);
        EXECUTE format('ALTER TABLE %I RENAME TO %I', parent, parent || '_before');
        FOR each IN SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            WHERE i.indrelid = (parent || '_before')::regclass
        LOOP
            EXECUTE format('ALTER INDEX %I RENAME TO %I', each.relname,
                replace(each.relname, parent, parent || '_before'));
        END LOOP;

        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS, PRIMARY KEY (bot_id, event_id))
            PARTITION BY RANGE (event_id)', parent, parent || '_before');
        EXECUTE format('CREATE INDEX %I ON %I (bot_id, identity, effective)',
            parent || '_by_identity', parent);
        EXECUTE format('CREATE INDEX %I ON %I (bot_id, writer, seq, place, event_id)',
            parent || '_by_commit', parent);
        EXECUTE format($i$CREATE INDEX %I ON %I (bot_id, erased_by, event_id)
            WHERE erased_by <> ''$i$, parent || '_by_erasure', parent);
        EXECUTE format('CREATE INDEX %I ON %I (bot_id, wording) WHERE wording IS NOT NULL',
            parent || '_by_wording', parent);
        IF parent = 'events' THEN
            CREATE INDEX events_by_time ON events (bot_id, recorded);
        END IF;

        IF to_regclass('pg_dist_partition') IS NOT NULL THEN
            PERFORM create_distributed_table(parent::regclass, 'bot_id',
                    colocate_with := 'identities')
                FROM pg_dist_partition WHERE logicalrelid = (parent || '_before')::regclass;
        END IF;
        EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT', parent || '_rest', parent);
        EXECUTE format('INSERT INTO %I SELECT * FROM %I WHERE event_id >= %L',
            parent || '_rest', parent || '_before', '\x' || bound);
        EXECUTE format('DELETE FROM %I WHERE event_id >= %L', parent || '_before', '\x' || bound);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%L)',
            parent, parent || '_before', '\x' || bound);
    END LOOP;
END
$$;
