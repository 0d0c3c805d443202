"""`optin keywords`: try how a message is understood, and find promises that are not (R10)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from optin.cli.options import BOT, DATABASE, JSON, checked_id, with_store
from optin.cli.output import print_json
from optin.domain.bots import Bot, checked_settings
from optin.domain.errors import InvalidInput, NotFound
from optin.domain.keywords import Intent, intent
from optin.domain.promises import unheard_in_template
from optin.domain.template_texts import TemplateText
from optin.domain.templates import is_in_use
from optin.ports.store import Store, Template

_LONGEST = 1_000_000  # characters of a file of texts

_MEANS = {
    Intent.STOP: "an opt-out",
    Intent.MARKETING_STOP: "a stop of marketing",
    Intent.START: "a start word",
    Intent.HELP: "a question for help: an ordinary message",
    Intent.REVIEW: "for a person to look at (optin review)",
    Intent.NONE: "an ordinary message",
}


@click.group()
def keywords() -> None:
    """See how messages are understood."""


@keywords.command()
@click.option("--bot", "bot_id", metavar="ID", callback=lambda c, p, v: v and checked_id(c, p, v))
@click.option("--languages", metavar="LIST", help="Instead of a bot's, such as en,es.")
@click.option("--nanp", is_flag=True, help="As from a number of +1.")
@click.option("--reply", is_flag=True, help="As the answer to a button or list.")
@click.argument("text", nargs=-1, required=True)
@DATABASE
@JSON
def test(
    bot_id: str | None,
    languages: str | None,
    nanp: bool,
    reply: bool,
    text: tuple[str, ...],
    database: str | None,
    as_json: bool,
) -> None:
    """Say what a message with this text would be taken for. Writes nothing."""
    if (bot_id is None) == (languages is None):
        raise click.UsageError("Give either --bot or --languages.")
    if bot_id is not None:
        bot = _bot(bot_id, database)
    else:
        bot = Bot("test", checked_settings({"languages": languages}))
    said = " ".join(text)
    meaning = intent(
        said,
        languages=bot.languages,
        nanp=nanp,
        reply=reply,
        own_stop=bot.words("stop_words"),
        own_start=bot.words("start_words"),
        risky=frozenset(bot.words("risky_words")),
    )
    if as_json:
        print_json({"text": said, "intent": meaning.value, "languages": list(bot.languages)})
    else:
        print(f"{meaning.value}: {_MEANS[meaning]}")


@keywords.command()
@BOT
@click.option("--text", "texts", multiple=True, help="The text of a template; may be repeated.")
@click.option("--file", "file", metavar="FILE|-", help="A file of texts, parted by blank lines.")
@DATABASE
@JSON
def lint(
    bot_id: str, texts: tuple[str, ...], file: str | None, database: str | None, as_json: bool
) -> int:
    """Find words that a text tells people to answer with, but that the bot would not understand.

    Without --text and --file the bot's template records are read: those that are approved, and
    those without a status. Ends with 1 if there are any such words: "Reply BAJA to stop" promises
    what a bot without Spanish breaks.
    """
    given = [*texts, *(_texts_in(file) if file else [])]
    bot = _bot(bot_id, database)
    if texts or file:
        checked, wrong = len(given), _unheard_in(bot, given)
    else:
        records = with_store(database, lambda store: store.templates(bot_id))
        checked, wrong = _unheard_in_records(bot, records)
    if as_json:
        print_json({"texts": checked, "promises": wrong})
    else:
        for row in wrong:
            named = f"{row['template']} ({row['language']}): " if "template" in row else ""
            print(f"not understood: {', '.join(row['not_understood'])}")
            print(f"  in: {named}{' '.join(row['text'].split())}")
        print(f"{checked} texts, {len(wrong)} with a word that bot {bot_id} does not understand.")
    return 1 if wrong else 0


def _unheard_in(bot: Bot, texts: Sequence[str]) -> list[dict[str, Any]]:
    found = [(text, _unheard(bot, TemplateText("body", text))) for text in texts]
    return [{"text": text, "not_understood": words} for text, words in found if words]


def _unheard_in_records(bot: Bot, records: Sequence[Template]) -> tuple[int, list[dict[str, Any]]]:
    """How many texts the templates in use have, and those of them that promise too much."""
    checked, wrong = 0, []
    for record in (each for each in records if is_in_use(each.status)):
        for text in record.components:
            checked += 1
            if words := _unheard(bot, text):
                named = {"template": record.name, "language": record.language, "part": text.part}
                wrong.append({"text": text.text, "not_understood": words, **named})
    return checked, wrong


def _unheard(bot: Bot, text: TemplateText) -> list[str]:
    own, risky = bot.words("stop_words"), frozenset(bot.words("risky_words"))
    return unheard_in_template([text], bot.languages, own, risky=risky)


def _bot(bot_id: str, database: str | None) -> Bot:
    async def found(store: Store) -> Bot:
        bot = await store.bot(bot_id)
        if bot is None:
            raise NotFound(f"There is no bot {bot_id}.")
        return bot

    return with_store(database, found)


def _texts_in(file: str) -> list[str]:
    try:
        if file == "-":
            content = sys.stdin.read(_LONGEST)
        else:
            with Path(file).open(encoding="utf-8") as opened:
                content = opened.read(_LONGEST)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The file {file} can not be read: {error}.") from error
    return [text.strip() for text in content.split("\n\n") if text.strip()]
