"""Whose connections wait for messages, as CLIENT LIST tells.

Kombu 5.7 names all connections of a worker when `broker_transport_options` holds `client_name`; the name must contain the
node name. A consumer that fetches sits in a blocking BRPOP, which Redis flags `b`; a frozen one falls idle within a
second (measured: docs/explanation/the-cycle.md).
"""

import re
from collections import defaultdict
from typing import Any

from celeriac.core.model import Clients, Consumer, Nameless

NODE = re.compile(r"[^\s:]+@[^\s:]+")
FRESH_S = 5.0
OURS = "celeriac-"


def clients(listed: list[dict[str, Any]]) -> Clients:
    """Return each worker's connections by node name, as far as connections carry names, and count the rest.

    Kombu's broadcasts are subscriptions to patterns; subscriptions to a single channel are of somebody who waits for the
    result of a task.
    """
    by_node: dict[str, list[dict[str, Any]]] = defaultdict(list)
    subscribed = fetching = 0
    for client in listed:
        name = client.get("name", "")
        if node := NODE.search(name):
            by_node[node.group()].append(client)
        elif not name.startswith(OURS):
            subscribed += int(client.get("psub", 0)) > 0
            fetching += client.get("cmd") == "brpop" and "b" in client.get("flags", "")
    return Clients({node: _consumer(group) for node, group in by_node.items()}, Nameless(subscribed, fetching))


def _consumer(group: list[dict[str, Any]]) -> Consumer:
    fetches = [one for one in group if one.get("cmd") == "brpop"]
    blocked = any("b" in one.get("flags", "") for one in group)
    lately = any(float(one["idle"]) < FRESH_S for one in fetches)
    return Consumer(
        connections=len(group),
        fetching=blocked or lately,
        # What Redis sends to a subscriber counts as life of that connection, so only the others tell of the worker.
        idle_s=min(float(one["idle"]) for one in ([one for one in group if not _subscribes(one)] or group)),
        listening=any(map(_subscribes, group)),
    )


def _subscribes(client: dict[str, Any]) -> bool:
    return "P" in client.get("flags", "")
