"""English: the FCC's words and the large senders' default lists (R10).

Sources: 47 CFR 64.1200(a)(10) (stop, quit, end, revoke, opt out, cancel, unsubscribe); the default
lists of Twilio (STOPALL, REVOKE, OPTOUT), AWS (REMOVE, OPT-OUT) and Braze (HELP, INFO, UNSTOP).
"""

from __future__ import annotations

from typing import Final

from optin.domain.packs.pack import Pack, words

ENGLISH: Final = Pack(
    stop=words("""
        stop, stopall, stop all, stop everything, s t o p, unsubscribe, unsubscribe all, unsub
        un-subscribe, unsuscribe, unsubcribe, i want to unsubscribe, i wish to unsubscribe
        i would like to unsubscribe, i'd like to unsubscribe, want to unsubscribe, optout
        opt out, opt me out, opting out, i opt out, i want to opt out, remove me
        remove me from list, remove my number, delete my number, take me off
        take me off your list, take me off this list, take me off the list, take my number off
        do not contact me, don't contact me, dont contact me, do not text me, don't text me
        dont text me, do not message me, don't message me, dont message me, do not write me
        don't write me, don't write to me, dont write to me, do not write to me, quit sending
        quit texting, quit messaging, leave me alone, don't send me any more messages
        do not send me any more messages, i don't want any more messages
        i do not want any more messages, cancel messages, cancel all messages, cancel texts
        end messages, i don't want messages, i don't want your messages
        stop it, stop this, stop that, don't send me any more, don't send me anything
        do not send me anything, cancel subscription
        """),
    start=words("start, unstop"),
    help=words("help, info"),
    alone=words("quit, revoke, remove"),
    ending=words("""
        no more, don't send, dont send, do not send, don't want, don't want any more
        don't send any more, block, cease, disable, turn off
        """),
    refusing=words("don't want, don't send, dont send, do not send"),
    marketing_stop=words("no ads, no promotions, no promos, no marketing, no advertising"),
    messages=words("""
        message, messages, msg, msgs, text, texts, text message, text messages, sms, whatsapp
        whatsapps, notification, notifications, alerts, emails, spam
        """),
    sending=words("""
        send, sending, sends, sent, texting, messaging, contact, contacting, contacted, write
        writing, spamming, msging, bothering, harassing, calling me, calls, updates
        mailing list, list
        """),
    promotions=words("""
        promotion*, promo, promos, marketing, advert*, ads, ad, offers, deals, newsletter
        newsletters, campaigns
        """),
    polite=words("""
        please, pls, plz, kindly, thanks, thank you, thanks you, thx, ty, hi, hello, hey, me
        my, number, this number, from, to, the, these, this list, this spam, these messages
        all, any, your, now, right now, immediately, at once, asap, anymore, any more, today
        sir, madam
        """),
    idioms=words("""
        bus stop, bus stops, tram stop, non stop, nonstop, full stop, one stop, quit smoking
        """),
    risky=words("end, cancel, no, 1"),
    risky_start=words("yes, subscribe, resume, continue"),
    replying=words("reply, text, txt, send, answer, respond, type, write, replying, texting"),
    leaving=words("""
        stop, unsubscribe, opt out, opt-out, optout, no longer receive, not receive
        stop receiving, be removed, end messages, cancel messages, leave the list
        leave this list, no more messages
        """),
)

# 47 CFR 64.1200(a)(10) names both for +1, in whatever language a bot speaks; elsewhere they answer
# a booking or end a chat.
NANP_STOP: Final = ("end", "cancel")
