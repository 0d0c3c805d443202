"""The one message that may follow an opt-out: its confirmation (R7).

Theory: it is made in the commit of the opt-out, under an id made of that event's, and only if the
contact's message was never recorded before, for any of its identities: never two for one message.
It passes the gate although the contact has opted out, but only while that very opt-out is the
newest word, and only within its life; a hand-over of unknown outcome stays claimed as any other
(H8), so it is never tried again.
"""

from __future__ import annotations

from collections.abc import Sequence

from optin.domain.bots import Bot
from optin.domain.confirmation_texts import text_for
from optin.domain.consent import NEVER, Clocks, Policy, newest_opt_out, opted_in, session_until
from optin.domain.events import SECOND, Event
from optin.domain.ids import derived_id, ulid
from optin.domain.messages import Category, parse_message, to_json
from optin.domain.outbox import OutboxMessage

#: From the opt-out's effective time to the last instant of a hand-over, µs (R7).
LIFE = 300 * SECOND


def is_first_stop(before: Clocks, now: int, policy: Policy) -> bool:
    """Whether an opt-out changes anything: who has opted out and says so again is not told again,
    so two programs that answer each other's confirmations fall silent."""
    if newest_opt_out(before) == NEVER:
        return True
    return opted_in(before, now, policy) or session_until(before, now) is not None


def confirmation(
    bot: Bot, to: str, events: Sequence[Event], language: str, now: int
) -> OutboxMessage | None:
    """The confirmation of one message's opt-outs, those of each of its identities; None if the bot
    wants none (`confirm_opt_out`), or if it would come too late. `language`: that of the pack
    which heard the stop word, "" if none did (a word of the bot's own)."""
    text = text_for(bot.value("confirm_opt_out"), language, bot.languages)
    newest = max(events, key=lambda event: event.effective or NEVER)
    if not text or newest.effective is None or newest.effective + LIFE <= now:
        return None
    confirmed = newest.claim.event_id
    return OutboxMessage(
        bot_id=bot.bot_id,
        message_id=ulid(derived_id(now, bot.bot_id, "confirmation", confirmed.hex())),
        identity=to,
        body=to_json(parse_message({"type": "text", "text": text})),
        category=Category.SERVICE,
        created=now,
        expires=newest.effective + LIFE,
        due=now,
        confirms=confirmed.hex(),
    )


def is_still_true(message: OutboxMessage, clocks: Clocks, now: int, policy: Policy) -> bool:
    """Whether the confirmation may be handed over: the opt-out that it confirms is the newest and
    in force. `clocks`: what decisions about its identity read."""
    confirmed = message.expires - LIFE
    if not clocks.opt_out_keyword == newest_opt_out(clocks) == confirmed:
        return False
    return now < message.expires and not opted_in(clocks, now, policy)
