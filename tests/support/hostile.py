"""Payloads that somebody broke, and what must hold of their translation: whole commands, or a reason, and no crash."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from adapters.edges.meaning import NotUnderstood, Understood
from adapters.rpc.commands import Edge
from adapters.rpc.services import READERS
from ledger.engine.keyring import KeyRing
from ledger.engine.sealing import Sealer

NASTY: list[Any] = [
    *(None, True, -1, 0, 10**30, 1.5, float("nan"), float("inf"), "", " ", [], {}, [[[]]] * 3, [None], {"a": {}}),
    *("x" * 5000, "\0", "\u202e\u200b", "\ud800", "０１", "../../etc", "é" * 200, "1 " * 60, "[]", "NaN", "1e400"),
    *("1970-01-01T00:00:00Z", "0001-01-01", "9999-12-31T23:59:59-14:00", "2026-02-30", "2026-03-01T25:00:00Z"),
    *("2026-03-01T10:00:00+99:00", "2026-03-01 10:00:00", "2026-03-01", "20260301", "2026-W09-7", "1772000000"),
    *("Delivered_002", "Exception_006", "delivered", "customs_held", "payment", "carrier:x y", "3", "304", "501"),
]
WRONG = st.one_of(st.sampled_from(NASTY), st.text(max_size=20), st.integers(), st.floats())


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of each value in a payload."""
    found = [path] if path else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [each for key, held in inner for each in places(held, (*path, key))]


def put(value: Any, path: tuple[Any, ...], new: Any, *, drop: bool = False) -> Any:
    value = json.loads(json.dumps(value))
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    if drop:
        del holder[path[-1]]
    else:
        holder[path[-1]] = new
    return value


EDGE = Edge(Sealer(KeyRing.new()).of("tenant_shop"), datetime(2100, 1, 1, tzinfo=UTC), "edge", "", [])


def require_whole(found: Understood) -> None:
    """Every command is one that the contract takes as it is: its reader raises Malformed for anything else."""
    for each in found.wanted:
        READERS[type(each.request)].read(each.request, EDGE)
        assert "" not in (each.object_id, each.version)


def survives(understand: Callable[[], Understood]) -> None:
    """It is understood whole, or not at all and with a reason."""
    try:
        found = understand()
    except NotUnderstood as reason:
        found = Understood(ignored=str(reason))
    assert found != Understood()
    require_whole(found)


def plain(payload: Any) -> bytes:
    return json.dumps(payload).encode("utf-8", "replace")


def swapped(payload: Any, data: st.DataObject) -> Any:
    """The payload with two values in each other's place; None if one was within the other."""
    first, second = (data.draw(st.sampled_from(places(payload))) for _ in range(2))
    values = []
    for path in (first, second):
        value = payload
        for key in path:
            value = value[key]
        values.append(value)
    try:
        return put(put(payload, first, values[1]), second, values[0])
    except (KeyError, IndexError, TypeError):
        return None


def broken(payload: Any, data: st.DataObject) -> Any:
    """The payload with several values wrong or missing."""
    for _ in range(data.draw(st.integers(2, 4))):
        if not (found := places(payload)):
            break
        payload = put(payload, data.draw(st.sampled_from(found)), data.draw(WRONG), drop=data.draw(st.booleans()))
    return payload


HOSTILE: dict[str, bytes] = {
    "depth": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "depth of lists": b"[" * 100_000,
    "not a number": b'{"event":NaN,"msg":NaN,"data":NaN}',
    "a huge number": b'{"ts":' + b"9" * 5000 + b"}",
    "a name twice": b'{"event":"a","event":"b","msg":{"tracking_number":"1","tracking_number":"2","slug":"dhl"}}',
    "latin-1": '{"event":"é"}'.encode("latin-1"),
    "utf-16": '{"event":"x"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "nothing": b"",
    "zeros": b"\0" * 100,
    "a form": b"param=%7B%7D&sign=" + b"A" * 5000,
    "a form of many fields": b"&".join(b"a=1" for _ in range(5000)),
    "a list": b"[]",
    "a text": b'"x"',
}
"""Bytes that are nothing of anybody."""
