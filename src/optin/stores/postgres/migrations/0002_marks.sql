-- Where the tables are distributed by the bot, a commit touches one bot alone: so the number of a
-- writer's last commit lies beside the bot's rows, in place of writers.batch. Numbers of a slot
-- only grow, whoever holds it.
CREATE TABLE marks (
    bot_id text COLLATE "C" NOT NULL,
    slot   bigint NOT NULL,
    batch  bigint NOT NULL,
    PRIMARY KEY (bot_id, slot)
) WITH (fillfactor = 50);
