"""`optin admin token`, and `optin bot token rotate` (SPEC 6, 8, H4)."""

from __future__ import annotations

from pathlib import Path

from tests.cli.program import optin, succeeded


def test_deployment_tokens_are_made_listed_and_revoked(tmp_path: Path) -> None:
    """Shown once; the list has the id alone."""
    made = succeeded(tmp_path, "admin", "token", "add", "--name", "ops", "--json").json
    assert made["token"].startswith("optin_admin_")
    assert made["token_id"].startswith("ops-")
    listed = succeeded(tmp_path, "admin", "token", "list")
    assert made["token_id"] in listed.out
    assert made["token"] not in listed.out
    succeeded(tmp_path, "admin", "token", "revoke", made["token_id"])
    [told] = succeeded(tmp_path, "admin", "token", "list", "--json").json["tokens"]
    assert told["revoked"] is not None
    assert optin(tmp_path, "admin", "token", "revoke", "ops-1").code == 1
    assert optin(tmp_path, "admin", "token", "add", "--name", "a b").code == 2


def test_many_bots_are_rotated(tmp_path: Path) -> None:
    """Named or all; a bot that is not there fails alone, and the exit code says so; a bot that is
    called `rotate` can still be named."""
    for name in ("a", "rotate"):
        succeeded(tmp_path, "bot", "add", name)
    done = optin(tmp_path, "bot", "token", "rotate", "a", "nobody", "--overlap", "60", "--json")
    assert done.code == 1
    good, failed = done.json["results"]
    [new] = good["tokens"]
    assert new["token"].startswith("optin_")
    assert new["replaces"]["revoked"] > new["created"]
    assert (failed["status"], failed["code"]) == ("failed", "not_found")
    every = succeeded(tmp_path, "bot", "token", "rotate", "--all", "--json").json["results"]
    assert [each["bot_id"] for each in every] == ["a", "rotate"]
    assert every[0]["tokens"][0]["replaces"]["token_id"] == new["token_id"]
    listed = succeeded(tmp_path, "bot", "token", "--list", "rotate", "--json").json["tokens"]
    assert len(listed) == 2
    for wrong in ((), ("a", "--all"), ("a", "--after", "a"), ("--all", "--overlap", "-1")):
        assert optin(tmp_path, "bot", "token", "rotate", *wrong).code == 2
