"""What somebody can do who may write anything into the database: make the chain anew."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from optin.domain.chain import GENESIS
from optin.stores import ledger
from optin.stores.ledger import Head
from tests.stores.works import BOT

_ENTRIES = """SELECT * FROM events WHERE bot_id = ?1 AND seq = ?2
 UNION ALL SELECT * FROM contact_messages WHERE bot_id = ?1 AND seq = ?2 ORDER BY place"""


def chain_made_anew(path: Path, first: int = 1) -> None:
    """Recomputes every commit of the bot from number `first` to the end."""
    with sqlite3.connect(path) as file:
        last = file.execute("SELECT max(seq) FROM commits WHERE bot_id = ?", (BOT,)).fetchone()[0]
        before = file.execute(
            "SELECT hash FROM commits WHERE bot_id = ? AND seq = ?", (BOT, first - 1)
        ).fetchone()
        head = Head(first - 1, before[0] if before else GENESIS)
        for seq in range(first, last + 1):
            made = ledger.commit(file.execute(_ENTRIES, (BOT, seq)).fetchall(), head)
            file.execute("DELETE FROM commits WHERE bot_id = ? AND seq = ?", (BOT, seq))
            row = ledger.commit_row(made)
            file.execute(f"INSERT INTO commits VALUES ({', '.join('?' * len(row))})", row)
            head = Head(seq, made.hash)
    file.close()


def end_cut_off(path: Path, behind: int) -> None:
    """Removes the newest commits with their entries, and the states of whom only they speak of."""
    with sqlite3.connect(path) as file:
        for table in ("commits", "events", "contact_messages"):
            file.execute(f"DELETE FROM {table} WHERE bot_id = ? AND seq > ?", (BOT, behind))
        file.execute(
            """DELETE FROM identities WHERE bot_id = ?1 AND identity NOT IN
             (SELECT identity FROM events WHERE bot_id = ?1
              UNION SELECT identity FROM contact_messages WHERE bot_id = ?1)""",
            (BOT,),
        )
    file.close()
