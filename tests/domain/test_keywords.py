"""Keywords, short requests and what goes to review (R10)."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from optin.domain.keywords import Intent, intent
from optin.domain.packs import NANP_STOP, PACKS
from tests.vectors import load

CASES: list[dict[str, Any]] = load("keywords")["cases"]
ALL = sorted(PACKS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['languages']}-{case['text']!r}")
def test_the_vectors_hold(case: dict[str, Any]) -> None:
    """Each case of the vectors gives its intent."""
    assert intent(case["text"], languages=case["languages"]) == case["intent"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["text"]))
def test_languages_not_known_add_nothing(case: dict[str, Any]) -> None:
    """Without a pack that a bot names, every message is an ordinary one."""
    assert intent(case["text"], languages=["xx"]) is Intent.NONE
    assert intent(case["text"], languages=[]) is Intent.NONE


def test_an_unknown_language_hides_no_known_one() -> None:
    """The packs that exist are read whatever stands beside them."""
    assert intent("Stop", languages=["xx", "en"]) is Intent.STOP


@pytest.mark.parametrize("word", [*NANP_STOP, "CANCEL!", "End."])
def test_end_and_cancel_count_for_nanp_numbers_alone(word: str) -> None:
    """For +1 they stop in whatever language, but neither elsewhere nor as an answer to us."""
    assert intent(word, languages=["en"], nanp=True) is Intent.STOP
    assert intent(word, languages=["xx"], nanp=True) is Intent.STOP
    assert intent(word, languages=["en"]) is Intent.NONE
    assert intent(word, languages=["en"], nanp=True, reply=True) is Intent.NONE


def test_stop_in_a_button_is_a_stop() -> None:
    """A plain stop word counts in an answer to our own button, too."""
    assert intent("STOP", languages=["en"], nanp=True, reply=True) is Intent.STOP
    assert intent("STOP", languages=["en"], reply=True) is Intent.STOP


@pytest.mark.parametrize("word", ["YES", "1", "yes!", "1️⃣", "Y", "ok", "subscribe", "NO"])
def test_small_talk_is_never_a_keyword(word: str) -> None:
    """YES and 1 mean something else in conversation, in every mode and language."""
    for nanp in (False, True):
        for reply in (False, True):
            assert intent(word, languages=ALL, nanp=nanp, reply=reply) is Intent.NONE


@pytest.mark.parametrize(
    ("word", "language", "meaning"),
    [
        ("CANCEL", "en", Intent.STOP),
        ("cancel please", "en", Intent.STOP),
        ("End", "en", Intent.STOP),
        ("1", "en", Intent.STOP),
        ("YES", "en", Intent.START),
        ("RET", "tr", Intent.STOP),
        ("İPTAL", "tr", Intent.STOP),
        ("Batal", "id", Intent.STOP),
        ("إلغاء", "ar", Intent.STOP),
        ("キャンセル", "ja", Intent.STOP),
        ("T", "zh", Intent.STOP),
        ("sí", "es", Intent.START),
    ],
)
def test_a_risky_word_counts_where_it_is_switched_on(
    word: str, language: str, meaning: Intent
) -> None:
    """Named by the bot's settings, and only then, a risky word of an active pack is heard."""
    named = frozenset((word.split(maxsplit=1)[0],))
    assert intent(word, languages=[language], risky=named) is meaning
    assert intent(word, languages=[language], risky=frozenset(("other",))) is Intent.NONE
    assert intent(word, languages=[language]) is Intent.NONE
    assert intent(word, languages=["xx"], risky=named) is Intent.NONE


def test_a_word_that_no_pack_calls_risky_cannot_be_switched_on() -> None:
    """`risky` chooses among the packs' words; inventing others is what own words are for."""
    assert intent("banana", languages=["en"], risky=frozenset(("banana",))) is Intent.NONE
    assert intent("banana", languages=["en"], own_stop=["banana"]) is Intent.STOP


def test_a_bot_has_words_of_its_own() -> None:
    """They are folded, count in short requests, in any language and in none, and stop wins."""
    heard = partial(intent, own_stop=["¡No Molestar!", "退出名单"], own_start=["Volver"])
    for languages in (["en"], ["xx"], [], ALL):
        assert heard("no molestar", languages=languages) is Intent.STOP
        assert heard("退出名单。", languages=languages) is Intent.STOP
        assert heard("VOLVER", languages=languages) is Intent.START
        assert heard("no molestar 7", languages=languages) is Intent.REVIEW
    assert heard("no molestar please", languages=["en"]) is Intent.STOP
    assert heard("请退出名单", languages=["zh"]) is Intent.STOP
    assert heard("volver please", languages=["en"]) is Intent.NONE
    assert intent("go", languages=["en"], own_stop=["go"], own_start=["go"]) is Intent.STOP
    assert intent("help", languages=["en"], own_stop=["Help"]) is Intent.STOP
    assert intent("hello", languages=["en"], own_stop=["", "!!"]) is Intent.NONE


@pytest.mark.parametrize(
    "text",
    [
        "non stop",
        "stopped",
        "stopping",
        "bus stop",
        "don't stop",
        "start stop",
        "no info",
        "st op",
        "help stop the leak",
        "start please",  # a start word counts as a whole message only
        "help me please",
        "CTOП",  # a Cyrillic П: another word
        "please",
        "messages",
        "no more onions",
    ],
)
def test_a_word_inside_other_words_is_none(text: str) -> None:
    """A stop word among others neither first nor near messages is nothing."""
    assert intent(text, languages=["en"]) is Intent.NONE


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("stop sending me messages", Intent.STOP),
        ("please stop sending me messages", Intent.REVIEW),  # five words
        ("stop your silly messages", Intent.REVIEW),  # a word that says more
        ("stop it now or else", Intent.REVIEW),
        ("STOP 12345", Intent.REVIEW),
        ("this is stop 12", Intent.REVIEW),
        ("stop12", Intent.NONE),
        ("how can I stop your weekly messages", Intent.REVIEW),
        ("messages arrive at night and then we all do stop", Intent.NONE),  # not near
        ("stop marketing", Intent.MARKETING_STOP),
        ("stop all marketing messages", Intent.MARKETING_STOP),
        ("no more ads please", Intent.MARKETING_STOP),
        ("no ads", Intent.MARKETING_STOP),
        ("marketing", Intent.NONE),
        ("remove please", Intent.REVIEW),  # of what?
        ("remove messages", Intent.STOP),
        ("stop the bus stop", Intent.REVIEW),  # which is no message
        ("please stop the bus stop", Intent.NONE),
    ],
)
def test_requests_and_what_is_unclear(text: str, meaning: Intent) -> None:
    """Short requests count; longer ones and those that say anything else go to people."""
    assert intent(text, languages=["en"]) is meaning


@pytest.mark.parametrize(
    "text",
    [
        "Stop, please!",
        "Please... STOP",
        "PLEASE\nSTOP",
        "stop🙏please",
        "stop,please",
        "STOP STOP STOP STOP STOP",
        "Opt‑out",  # a non-breaking hyphen
        "opt—out",
        "Ｏｐｔ－Ｏｕｔ",
        "ⓢⓣⓞⓟ",
        "𝐒𝐓𝐎𝐏",
        "ŚTÓP",
        "S̴T̷O̸P̶",
        "s\x00top",
        "\u202estop\u202c",
        "\ud800stop",
        "👍🏽 stop ❤️",
        "*STOP*",
        "«stop»",
    ],
)
def test_one_word_in_many_dresses(text: str) -> None:
    """Width, style, accents, dashes, control characters and emoji hide no opt-out."""
    assert intent(text, languages=["en"]) is Intent.STOP


def test_long_texts_are_at_most_for_review() -> None:
    """200 characters are still read as a keyword, one more is not, and a book costs nothing."""
    assert intent("stop" + "!" * 196, languages=["en"]) is Intent.STOP
    assert intent("stop" + "!" * 197, languages=["en"]) is Intent.REVIEW
    assert intent("x" * 2000 + " stop messages", languages=ALL) is Intent.NONE
    assert intent("ﷺ" * 10_000_000, languages=ALL) is Intent.NONE


@pytest.mark.parametrize(
    ("text", "language", "meaning"),
    [
        ("TD", "zh", Intent.STOP),
        ("TD你们的消息天天来真的很烦人真的很烦人", "zh", Intent.REVIEW),
        ("我的STDIO消息没有收到请看一下好不好谢谢", "zh", Intent.NONE),  # letters inside a word
        ("请问你们的退订按钮在这么多消息里的什么地方", "zh", Intent.REVIEW),
        ("停止营业是什么时候", "zh", Intent.NONE),
        ("TD 1069", "zh", Intent.REVIEW),
        ("退订1069", "zh", Intent.REVIEW),
        ("水を止めてください", "ja", Intent.NONE),
        ("配信 停止", "ja", Intent.STOP),
        ("STOP配信", "ja", Intent.STOP),
        ("수신 거부 해 주세요", "ko", Intent.STOP),
        ("수신거부가 뭔가요", "ko", Intent.REVIEW),
    ],
)
def test_texts_whose_words_run_together(text: str, language: str, meaning: Intent) -> None:
    """Where spaces part no words, a request is found by its letters, and Latin words as words."""
    assert intent(text, languages=[language]) is meaning


def test_each_language_is_read_by_itself() -> None:
    """A polite word of one language is no polite word beside another language's stop word."""
    assert intent("baja thanks", languages=["es", "en"]) is Intent.REVIEW
    assert intent("baja gracias", languages=["es", "en"]) is Intent.STOP
