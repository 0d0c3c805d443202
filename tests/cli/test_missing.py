"""A bot that lacks what its upstream needs: said at once, and mended with nothing lost (SPEC 5)."""

from __future__ import annotations

import hashlib
import hmac
import json
import urllib.request
from pathlib import Path

from tests.acceptance.program import Program
from tests.cli.program import succeeded

SECRET, NUMBER, WHO = "app-secret", "106540352242922", "46732001122"
COMPLETE = ("meta.access_token=t", "meta.app_secret=app-secret")


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    """`bot add` and `bot set` name it with what does not work; `bot show` lists it, until it is
    set. Standard output stays what programs read."""
    added = succeeded(tmp_path, "bot", "add", "shop", "--set", "upstream=meta", "--json")
    assert added.json["id"] == "shop"
    for key in ("meta.phone_number_id", "meta.access_token", "meta.app_secret"):
        assert f"Bot shop has no {key}: until it is set, " in added.err
    changed = succeeded(tmp_path, "bot", "set", "shop", *COMPLETE)
    assert changed.out == "Bot shop: meta.access_token, meta.app_secret changed.\n"
    assert "no opt-out is heard" in changed.err
    assert "meta.app_secret" not in changed.err
    shown = succeeded(tmp_path, "bot", "show", "shop")
    assert "MISSING" in shown.out
    assert "nothing is sent, and webhooks are kept without effect" in shown.out
    assert succeeded(tmp_path, "bot", "show", "shop", "--json").json["missing"] == [
        "meta.phone_number_id"
    ]
    whole = succeeded(tmp_path, "bot", "set", "shop", f"meta.phone_number_id={NUMBER}")
    assert whole.err == ""
    assert succeeded(tmp_path, "bot", "show", "shop", "--json").json["missing"] == []
    assert "MISSING" not in succeeded(tmp_path, "bot", "show", "shop").out


def test_a_bot_on_the_sandbox_lacks_nothing(tmp_path: Path) -> None:
    """Nobody who tries it out is warned of anything."""
    assert succeeded(tmp_path, "bot", "add", "shop").err == ""
    assert succeeded(tmp_path, "bot", "set", "shop", "name=Shop").err == ""


def stop() -> urllib.request.Request:
    """A contact's STOP as Meta posts it."""
    said = {"from": WHO, "id": "wamid.1", "timestamp": "1795000000", "type": "text"}
    value = {
        "metadata": {"phone_number_id": NUMBER},
        "messages": [{**said, "text": {"body": "STOP"}}],
    }
    body = json.dumps({"entry": [{"changes": [{"field": "messages", "value": value}]}]}).encode()
    digest = hmac.digest(SECRET.encode(), body, hashlib.sha256).hex()
    return urllib.request.Request(
        "http://x/webhooks/meta/shop", body, {"X-Hub-Signature-256": f"sha256={digest}"}
    )


def test_a_stop_without_a_number_counts_once_it_is_set(tmp_path: Path) -> None:
    """SPEC 5: a signed STOP to a bot whose number is not set yet is kept and told of in the log;
    setting the number names the command that takes it in, and then the contact is opted out."""
    program = Program(tmp_path)
    program.add_bot(
        "shop", upstream="meta", **{"meta.app_secret": SECRET, "meta.access_token": "t"}
    )
    with program:
        asked = stop()
        asked.full_url = asked.full_url.replace("http://x", program.url)
        with urllib.request.urlopen(asked, timeout=10) as answer:
            assert answer.status == 200
        assert program.stop() == 0
    log = (tmp_path / "serve.log").read_text()
    assert "bot shop has no meta.phone_number_id: until it is set, nothing is sent" in log
    assert f"about number {NUMBER}, which no bot has" in log
    assert "optin webhooks replay --bot shop" in log
    before = succeeded(tmp_path, "check", "--bot", "shop", f"+{WHO}", "--json").json
    assert before["results"][0]["reason"] == "no_opt_in"
    told = succeeded(tmp_path, "bot", "set", "shop", f"meta.phone_number_id={NUMBER}")
    assert "'optin webhooks replay --bot shop' takes them in." in told.err
    replayed = succeeded(tmp_path, "webhooks", "replay", "--bot", "shop", "--json").json
    assert replayed == {"replayed": 1, "not_understood": 0, "skipped": 0}
    after = succeeded(tmp_path, "check", "--bot", "shop", f"+{WHO}", "--json").json
    assert after["results"][0]["reason"] == "opted_out"
