"""`optin bot`: what it prints and what it keeps to itself (SPEC 8, H4)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.program import optin, succeeded

TOKEN = re.compile(r"optin_[A-Za-z0-9_-]{43}")


def test_a_bot_is_added_with_a_token_shown_once(tmp_path: Path) -> None:
    """`bot add` prints the token; no later command does, and no file holds it."""
    added = succeeded(
        tmp_path, "bot", "add", "shop", "--region", "eu1", "--name", "Shop", "--json"
    ).json
    assert {"id": "shop", "region": "eu1", "name": "Shop"}.items() <= added.items()
    token = added["token"]
    assert TOKEN.fullmatch(token)
    shown = [
        succeeded(tmp_path, "bot", "show", "shop", "--json"),
        succeeded(tmp_path, "bot", "token", "shop", "--list"),
        succeeded(tmp_path, "bot", "list"),
    ]
    assert not any(token in done.out + done.err for done in shown)
    assert not any(token.encode() in path.read_bytes() for path in tmp_path.iterdir())
    plain = succeeded(tmp_path, "bot", "add", "other")
    assert TOKEN.search(plain.out)
    assert [bot["id"] for bot in succeeded(tmp_path, "bot", "list", "--json").json["bots"]] == [
        "other",
        "shop",
    ]


def test_secrets_are_never_printed(tmp_path: Path) -> None:
    """Secrets come from a file or standard input, lie sealed, and are shown as `set`."""
    (tmp_path / "secret.txt").write_text("s3cret-from-a-file\n")
    succeeded(tmp_path, "bot", "add", "shop", "--set", "meta.app_secret=@secret.txt")
    (tmp_path / "secret.txt").unlink()
    changed = succeeded(
        tmp_path, "bot", "set", "shop", "meta.access_token=-", "--json", stdin="s3cret-of-stdin\n"
    )
    shown = succeeded(tmp_path, "bot", "show", "shop")
    for done in (changed, shown):
        assert "s3cret" not in done.out + done.err
    settings = changed.json["settings"]
    assert (settings["meta.app_secret"], settings["meta.access_token"]) == ("set", "set")
    assert settings["meta.verify_token"] == ""
    assert re.search(r"^meta\.app_secret +set$", shown.out, re.MULTILINE)
    assert not any(b"s3cret" in path.read_bytes() for path in tmp_path.iterdir())


def test_settings_change_and_go_back(tmp_path: Path) -> None:
    """`bot set` takes KEY=VALUE plain or after --set; an empty value is the default again."""
    succeeded(tmp_path, "bot", "add", "shop")
    succeeded(tmp_path, "bot", "set", "shop", "enforce=none", "--set", "languages=en,es")
    settings = succeeded(tmp_path, "bot", "show", "shop", "--json").json["settings"]
    assert (settings["enforce"], settings["languages"]) == ("none", "en,es")
    succeeded(tmp_path, "bot", "set", "shop", "enforce=")
    settings = succeeded(tmp_path, "bot", "show", "shop", "--json").json["settings"]
    assert (settings["enforce"], settings["languages"]) == ("all", "en,es")


def test_tokens_come_and_go(tmp_path: Path) -> None:
    """A token with scopes is made, listed without its text, and revoked by its id."""
    first = succeeded(tmp_path, "bot", "add", "shop", "--json").json
    second = succeeded(tmp_path, "bot", "token", "shop", "--scopes", "read, send", "--json").json
    assert second["scopes"] == ["send", "read"]
    assert TOKEN.fullmatch(second["token"])
    assert second["token"] != first["token"]
    revoked = succeeded(tmp_path, "bot", "token", "shop", "--revoke", first["token_id"], "--json")
    assert revoked.json == {"token_id": first["token_id"], "revoked": True}
    listed = succeeded(tmp_path, "bot", "token", "shop", "--list", "--json").json["tokens"]
    dead = {token["token_id"]: token["revoked"] is not None for token in listed}
    assert dead == {first["token_id"]: True, second["token_id"]: False}
    assert not any("token" in token for token in listed)


def test_a_removed_bot_is_gone_for_good(tmp_path: Path) -> None:
    """After `bot remove` the bot is in no list, and its id is not given again."""
    succeeded(tmp_path, "bot", "add", "shop")
    assert succeeded(tmp_path, "bot", "remove", "shop", "--json").json["removed"] is True
    assert succeeded(tmp_path, "bot", "list", "--json").json == {"bots": []}
    again = optin(tmp_path, "bot", "add", "shop", "--json")
    assert again.code == 1
    assert again.json["error"]["code"] == "conflict"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["bot", "add"], "Missing argument 'ID'."),
        (["bot", "add", "a b"], "A bot id has"),
        (["bot", "show", "\udcff"], "A bot id has"),
        (["check", "--bot", "a/b", "+46701740605"], "A bot id has"),
        (["bot", "add", "shop", "--set", "enforce"], "KEY=VALUE"),
        (["bot", "add", "shop", "--set", "enforce=now"], "Setting enforce must be one of"),
        (["bot", "add", "shop", "--set", "nmae=x"], "no bot setting named 'nmae'"),
        (["bot", "add", "shop", "--set", "meta.app_secret=@none"], "No such file"),
        (["bot", "add", "shop", "--colour", "red"], "No such option"),
        (["bot", "add", "shop", "--database", "mysql://x"], "--database must be"),
        (["bot", "paint"], "No such command 'paint'"),
        (["bot", "token", "shop", "--list", "--scopes", "read"], "can not be combined"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    """Exit code 2, one line on stderr, JSON if it was asked for, and nothing is made."""
    done = optin(tmp_path, *arguments, "--json")
    assert done.code == 2
    assert sentence in done.err
    assert len(done.err.splitlines()) == 1
    assert done.json["error"]["message"] in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["bot", "show", "none"],
        ["bot", "set", "none", "name=x"],
        ["bot", "token", "none"],
        ["bot", "token", "none", "--list"],
        ["bot", "token", "shop", "--revoke", "none"],
        ["bot", "remove", "none"],
        ["check", "--bot", "none", "+46701740605"],
        ["template", "list", "--bot", "none"],
        ["template", "set", "--bot", "none", "sale", "en", "marketing"],
        ["sandbox", "say", "--bot", "none", "--from", "+46701740605", "Hi"],
    ],
)
def test_what_does_not_exist_is_told_in_a_sentence(with_shop: Path, arguments: list[str]) -> None:
    """Exit code 1 and one plain line, with its code in the JSON."""
    done = optin(with_shop, *arguments, "--json")
    assert done.code == 1
    assert done.json["error"]["code"] == "not_found"
    assert len(done.err.splitlines()) == 1


@pytest.fixture(scope="module")
def with_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    succeeded(folder, "bot", "add", "shop")
    return folder
