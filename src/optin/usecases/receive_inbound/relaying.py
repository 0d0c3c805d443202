"""Which receivers a body goes on to, and how much of it each may see (`forward_url`, SPEC 4).

A provider posts to an app, and may put the changes of several businesses into one body. A receiver
sees its own bots' contacts only. What is about no bot of ours may be about anybody's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from optin.domain.callbacks import signed_anew
from optin.usecases.receive_inbound.directory import App
from optin.usecases.receive_inbound.signed_body import Onward

#: A body, and whose the changes are by the account and the number that they name -> receiver ->
#: what it may see: a body with only its own changes, or the very same bytes.
Cut = Callable[[bytes, Callable[[str | None, str | None], Iterable[str]]], Mapping[str, bytes]]


def cut_nothing(
    _: bytes, __: Callable[[str | None, str | None], Iterable[str]]
) -> Mapping[str, bytes]:
    """Who can not tell whose is what shows it to nobody."""
    return {}


def onward(
    body: bytes, headers: Mapping[str, str], secret: str, app: App, owner: str, cut: Cut
) -> dict[str, Onward]:
    """Bot id -> what goes on to its receiver; of several bots with one receiver one has it, the
    `owner` of the body if it is among them.

    With one receiver for all bots of the app the body goes there as it came. Else each receiver
    gets the body if all of it is about its own bots, or a part, signed anew with `secret`; what is
    about none of the bots goes to nobody.
    """
    if not any(app.receivers):
        return {}
    if len(app.receivers) == 1:
        seen: Mapping[str, bytes] = dict.fromkeys(app.receivers, body)
    else:
        seen = cut(body, lambda *named: {b.value("forward_url") for b in app.meant(*named)})
    own = next((b for b in app.bots if b.bot_id == owner), None)
    first = {**app.receivers, **({} if own is None else {own.value("forward_url"): own})}
    return {
        first[url].bot_id: Onward(url, content, _headers(headers, secret, content, body))
        for url, content in seen.items()
        if url
    }


def _headers(
    given: Mapping[str, str], secret: str, content: bytes, body: bytes
) -> Mapping[str, str]:
    return given if content is body else signed_anew(given, secret, content)
