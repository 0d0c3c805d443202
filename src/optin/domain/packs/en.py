"""English: the stop words of the FCC's rule and of the large senders' default lists (R10).

YES and 1 are in none of the lists: in conversation they answer something else.
"""

from __future__ import annotations

from typing import Final

from optin.domain.packs.pack import Pack

ENGLISH: Final = Pack(
    stop=(
        "stop",
        "stopall",
        "stop all",
        "stop please",
        "please stop",
        "stop messages",
        "stop messages please",
        "please stop messages",
        "stop messaging me",
        "stop texting me",
        "unsubscribe",
        "unsubscribe me",
        "unsubscribe please",
        "unsubscribe me please",
        "please unsubscribe",
        "please unsubscribe me",
        "optout",
        "opt out",
        "opt me out",
        "opt out please",
        "please opt out",
        "quit",
        "revoke",
        "remove",
        "remove me",
    ),
    start=("start", "unstop"),
    help=("help", "info"),
)

# 47 CFR 64.1200(a)(10) names both for +1, in whatever language a bot speaks; elsewhere they answer
# a booking or end a chat.
NANP_STOP: Final = ("end", "cancel")
