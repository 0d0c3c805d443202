"""`optin bot token rotate`: new tokens for many bots, while the old ones still work (H4)."""

from __future__ import annotations

import sys
from typing import Any

import click

from optin.cli.options import DATABASE, JSON, with_store
from optin.cli.output import print_json, print_table, shown_time
from optin.cli.token_rows import token_json
from optin.domain.errors import StoreUnavailable
from optin.ports.store import Store
from optin.usecases.rotate_tokens import LONGEST_OVERLAP, MOST, OVERLAP, Rotated, checked_overlap
from optin.wiring.making import rotate_tokens


@click.command()
@click.argument("bot_ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everybody", is_flag=True, help="Every bot.")
@click.option("--after", metavar="ID", default="", help="With --all: only bots behind this id.")
@click.option("--region", default="", help="With --all: only bots of this region.")
@click.option(
    "--overlap",
    metavar="SECONDS",
    type=click.IntRange(0, LONGEST_OVERLAP),
    default=OVERLAP,
    show_default=True,
    help="How long the old tokens still work.",
)
@DATABASE
@JSON
def rotate(
    bot_ids: tuple[str, ...],
    everybody: bool,
    after: str,
    region: str,
    overlap: int,
    database: str | None,
    as_json: bool,
) -> int:
    """Give each token of these bots a successor, and print it, once.

    Old tokens die by themselves after the overlap. One that was to die already gets no successor.
    """
    if everybody == bool(bot_ids) or ((after or region) and not everybody):
        raise click.UsageError("Name bots, or give --all; --after and --region go with --all.")
    checked_overlap(overlap)

    async def act(store: Store) -> tuple[list[Rotated], str | None]:
        if bot_ids:
            return await _named(store, bot_ids, overlap)
        return await _all(store, after, overlap, region)

    results, behind = with_store(database, act)
    if as_json:
        print_json({"results": list(map(_as_json, results))})
    else:
        _print(results)
    for each in results:
        if each.failed is not None:
            print(f"Bot {each.bot_id}: {each.failed}", file=sys.stderr)
    if behind is not None:
        print(f"The database failed. Go on with --all --after {behind}", file=sys.stderr)
    return int(behind is not None or any(each.failed for each in results))


async def _named(
    store: Store, bot_ids: tuple[str, ...], overlap: int
) -> tuple[list[Rotated], str | None]:
    """Every call of the use case takes a bounded number."""
    results: list[Rotated] = []
    for begin in range(0, len(bot_ids), MOST):
        some = bot_ids[begin : begin + MOST]
        try:
            results += await rotate_tokens(store).rotate(some, overlap)
        except StoreUnavailable as failed:
            if not results:
                raise
            results += [Rotated(bot_id, failed=failed) for bot_id in bot_ids[begin:]]
            break
    return results, None


async def _all(
    store: Store, after: str, overlap: int, region: str
) -> tuple[list[Rotated], str | None]:
    """Page after page. What was done is told though the database fails on the way: nobody else
    knows these tokens. Then also the cursor from which to go on."""
    results: list[Rotated] = []
    while True:
        try:
            page, following = await rotate_tokens(store).page(after, MOST, overlap, region)
        except StoreUnavailable:
            if not results:
                raise
            return results, after
        results += page
        if not following:
            return results, None
        after = following


def _as_json(result: Rotated) -> dict[str, Any]:
    if result.failed is not None:
        why = {"code": result.failed.code, "details": str(result.failed)}
        return {"bot_id": result.bot_id, "status": "failed", **why}
    tokens = [
        {
            "token": fresh.text,
            **token_json(fresh.token),
            "replaces": {"token_id": old.token_id, "revoked": shown_time(old.revoked)},
        }
        for fresh, old in result.replaced
    ]
    return {"bot_id": result.bot_id, "status": "rotated", "tokens": tokens}


def _print(results: list[Rotated]) -> None:
    rows = [
        (each.bot_id, fresh.text, old.token_id, shown_time(old.revoked) or "-")
        for each in results
        for fresh, old in each.replaced
    ]
    print_table(("BOT", "NEW TOKEN, NOT SHOWN AGAIN", "REPLACES", "WHICH WORKS UNTIL"), rows)
