"""`optin proof`: one contact's evidence, to be handed out (R14)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from optin.cli.options import BOT, DATABASE, with_store
from optin.domain.errors import StartupError
from optin.usecases.prove import Prove
from optin.web.history import whose
from optin.web.proof import proof_json
from optin.web.proof_page import page


@click.command()
@click.argument("identity")
@BOT
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="FILE.json or FILE.html, instead of JSON on standard output.",
)
@click.option("--html", is_flag=True, help="A page to print, whatever the file is called.")
@click.option("--whole", is_flag=True, help="Every commit up to the head, however many.")
@DATABASE
@click.option("--json", "as_json", is_flag=True, help="JSON, whatever the file is called.")
def proof(
    identity: str,
    bot_id: str,
    out: Path | None,
    html: bool,
    whole: bool,
    database: str | None,
    as_json: bool,
) -> None:
    """Write what was recorded about a contact, what was sent, and its place in the hash chain.

    The JSON holds all that a third party needs to check it without this program.
    """
    if html and as_json:
        raise click.UsageError("--html and --json can not be combined.")
    who = whose(identity)
    made = with_store(database, lambda store: Prove(store).prove(bot_id, who, whole=whole))
    as_page = html or (not as_json and out is not None and out.suffix in (".html", ".htm"))
    text = page(made) if as_page else json.dumps(proof_json(made), indent=2) + "\n"
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.write_text(text, "utf-8", "replace")
    except OSError as failed:
        raise StartupError(f"{out} can not be written: {failed.strerror}.") from None
    print(f"{out}: {len(made.entries)} entries, {len(made.messages)} messages.", file=sys.stderr)
