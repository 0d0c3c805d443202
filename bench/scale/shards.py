"""Bots of very different sizes on shards and nodes, simulated: `python -m bench.scale.shards`.

Bots are of sizes that follow Zipf's law; a bot's traffic goes with its size, but no bot sends or
hears more than one provider's number can. A bot is on the shard that its id's hash names, as with
Citus; shards are dealt out to nodes in turn.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

BOTS, CONTACTS = 100_000, 2_000_000_000
#: What one business number can do at most, messages a second (WhatsApp).
MOST_OF_ONE = 1_000.0


@dataclass(frozen=True)
class Spread:
    """How far the fullest shard and node stand above the mean, 1.0 being even; `biggest`: the
    share of all contacts that the biggest bot has."""

    shard_contacts: float
    node_contacts: float
    node_traffic: float
    biggest: float


def zipf(bots: int, skew: float) -> list[float]:
    """Each bot's share of all contacts, the biggest first."""
    weights = [rank**-skew for rank in range(1, bots + 1)]
    total = sum(weights)
    return [weight / total for weight in weights]


def spread(shards: int, nodes: int, skew: float, traffic: float, bots: int = BOTS) -> Spread:
    """Where everything comes to lie. `traffic`: operations a second of all bots together."""
    shares = zipf(bots, skew)
    on_shard, asked_of = [0.0] * shards, [0.0] * shards
    for number, share in enumerate(shares):
        shard = _hash(number) * shards >> 32
        on_shard[shard] += share
        asked_of[shard] += min(share * traffic, MOST_OF_ONE)
    return Spread(
        max(on_shard) * shards / sum(on_shard),
        _fullest(on_shard, nodes),
        _fullest(asked_of, nodes),
        shares[0],
    )


def _hash(number: int) -> int:
    return int.from_bytes(hashlib.sha256(b"bot-%d" % number).digest()[:4], "big")


def _fullest(of_shards: list[float], nodes: int) -> float:
    on_node = [sum(of_shards[node::nodes]) for node in range(nodes)]
    return max(on_node) * nodes / sum(on_node)


def main() -> None:
    """Prints a row for each arrangement."""
    print("skew  shards  nodes  biggest bot  fullest shard, node  busiest node (x mean)")
    for skew in (0.6, 0.8, 1.0):
        for shards, nodes in ((32, 8), (128, 8), (128, 16), (512, 16), (1024, 16)):
            s = spread(shards, nodes, skew, 30_000)
            print(
                f"{skew:4} {shards:7} {nodes:6} {s.biggest:11.2%} {s.shard_contacts:11.2f}"
                f" {s.node_contacts:9.2f} {s.node_traffic:12.2f}"
            )


if __name__ == "__main__":
    main()
