"""Tokens: their text, their names, their ends, and what a rotation does with them (H4)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest

from optin.domain.bots import DEPLOYMENT, SCOPES, Token
from optin.domain.errors import InvalidInput
from optin.domain.ids import ulid
from optin.domain.tokens import (
    Replacement,
    checked_name,
    checked_scopes,
    derived_secret,
    lives,
    name_of,
    replacements,
    token_digest,
    token_text,
)

SEED = b"s" * 32
NOW = 1_000
SENDS = Token(b"a" * 32, "shop", "crm-" + "0" * 26, frozenset({"send"}), 1)
READS = Token(b"b" * 32, "shop", "0" * 26, frozenset({"read"}), 2)


def text_of(old: Token) -> str:
    return token_text(derived_secret(SEED, old.bot_id, old.token_id), old.bot_id)


def rotated(tokens: list[Token], now: int = NOW, overlap: int = 60) -> list[Replacement]:
    ids: Iterator[bytes] = (number.to_bytes(16, "big") for number in count(now))
    return replacements(tokens, now, overlap, text_of, lambda: next(ids))


def test_the_text_says_whose_it_is() -> None:
    """H4: all 256 bits are in it; a deployment token is told from a bot's at a glance."""
    for bot_id, prefix in (("shop", "optin_"), (DEPLOYMENT, "optin_admin_")):
        text = token_text(SEED, bot_id)
        assert base64.urlsafe_b64decode(text.removeprefix(prefix) + "=") == SEED
        assert len(token_digest(text)) == 32


def test_derived_secrets_differ() -> None:
    """Each bot and each token has its own, of 32 bytes, and nothing of the seed can be told."""
    names = [("shop", "1"), ("shop", "2"), ("shop1", ""), ("sho", "p1")]
    made = {derived_secret(seed, *each) for seed in (SEED, b"t" * 32) for each in names}
    assert len(made) == 8
    assert {len(each) for each in made} == {32}


@pytest.mark.parametrize(("revoked", "alive"), [(None, True), (11, True), (10, False), (9, False)])
def test_a_token_is_dead_from_its_end_on(revoked: int | None, alive: bool) -> None:
    """H4: at the very instant, too."""
    assert lives(replace(SENDS, revoked=revoked), 10) is alive


def test_each_token_has_its_own_successor() -> None:
    """A rotation gives nobody more than they had: scopes and name go over one by one."""
    done = rotated([SENDS, READS])
    assert [each.old for each in done] == [replace(t, revoked=NOW + 60) for t in (SENDS, READS)]
    assert [each.new.scopes for each in done] == [SENDS.scopes, READS.scopes]
    assert [name_of(each.new) for each in done] == ["crm", ""]
    assert [each.new.revoked for each in done] == [None, None]
    assert [each.new.digest for each in done] == [token_digest(text_of(t)) for t in (SENDS, READS)]
    assert len({each.new.token_id for each in done}) == 2


def test_a_rotation_done_is_told_as_it_was() -> None:
    """SPEC 6: with the same seed nothing is made twice, and no end is moved."""
    first = rotated([SENDS, READS])
    kept = [part for each in first for part in each]
    assert rotated(kept, NOW + 5, 7_000) == first
    assert rotated([*kept, replace(READS, token_id="1" * 26, digest=b"c" * 32)]) == first


def test_what_ends_already_gets_no_successor() -> None:
    """One rotated before and one that is dead are left alone."""
    assert rotated([replace(SENDS, revoked=NOW + 1), replace(READS, revoked=1)]) == []


@pytest.mark.parametrize("name", ["", "crm", "crm-", "A.b_c-9"])
def test_a_name_comes_back(name: str) -> None:
    """The id begins with it; without one it is the plain id."""
    assert name_of(replace(READS, token_id=checked_name(name) + ulid(bytes(16)))) == name


@pytest.mark.parametrize("name", ["-x", "a b", "é", "x" * 41, "a\n"])
def test_a_bad_name_is_refused(name: str) -> None:
    """The error names the field."""
    with pytest.raises(InvalidInput) as refused:
        checked_name(name)
    assert refused.value.field == "name"


def test_scopes_are_some_of_those_there_are() -> None:
    """SPEC 6: none at all, or an unknown one, is refused."""
    assert checked_scopes(SCOPES) == frozenset(SCOPES)
    for wrong in ([], ["send", "fly"]):
        with pytest.raises(InvalidInput):
            checked_scopes(wrong)
