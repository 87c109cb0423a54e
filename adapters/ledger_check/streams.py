"""Checks of streams: each is read from its first fact to its last and folded anew.

Streams are looked at in the order of their names, a slice of them at a time, so that slices can be shared between
processes and a check that ended goes on with the next one. Of a slice no more is held than one stream and a page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple, cast

from psycopg import Connection

from adapters.ledger_check.equations import order_faults, stock_faults, to_ship
from adapters.ledger_check.findings import CheckTally
from ledger.engine.registry import Registry
from ledger.engine.snapshots import code_shape
from ledger.engine.statements import in_schema
from ledger.engine.trouble import in_short
from ledger.nouns import NOUNS, orders
from ledger.nouns.cases import EvidenceAdded
from ledger.nouns.orders import Order
from ledger.nouns.stock import Stock, StockReserved
from ledger.view import EMPTY, Broken, Entry
from projections.machine.database import open_connection

PAGE = 5_000
_ORDERS_AT_ONCE = 200
LAST = "\U0010ffff"
"""Sorts after the name of every stream."""

_SAMPLES = """
    SELECT DISTINCT originator_id FROM {schema}.ledger_events WHERE notification_id IN (
        SELECT %(after)s + number * (%(head)s - %(after)s) / %(count)s FROM generate_series(1, %(count)s) AS number
    ) ORDER BY originator_id
"""
_FACTS = """
    SELECT originator_id, originator_version, notification_id, topic, state FROM {schema}.ledger_events
    WHERE originator_id > %(above)s AND originator_id <= %(to)s AND notification_id <= %(head)s
    ORDER BY originator_id, originator_version
"""
_FACTS_OF_CHANGED = """
    SELECT originator_id, originator_version, notification_id, topic, state FROM {schema}.ledger_events
    WHERE originator_id IN (
        SELECT originator_id FROM {schema}.ledger_events
        WHERE notification_id > %(after)s AND notification_id <= %(head)s
            AND originator_id > %(above)s AND originator_id <= %(to)s
    ) AND notification_id <= %(head)s
    ORDER BY originator_id, originator_version
"""
_WHOLE = """
    SELECT originator_id, originator_version, topic, state FROM {schema}.ledger_events
    WHERE originator_id = ANY(%(streams)s) AND notification_id <= %(head)s ORDER BY originator_id, originator_version
"""
# A key that was made and destroyed by the same batch of commands was never stored.
_WITHOUT_KEY = """
    SELECT position, key_id FROM unnest(%(positions)s::bigint[], %(keys)s::text[]) AS named (position, key_id)
    WHERE NOT EXISTS (SELECT FROM {schema}.ledger_keys AS kept WHERE kept.key_id = named.key_id)
        AND NOT EXISTS (
            SELECT FROM {schema}.ledger_events AS later
            WHERE later.notification_id > position AND later.notification_id <= position + 5000
                AND topic IN ('order.person_erased', 'supplier.contact_erased')
        )
"""
_WITHOUT_EVIDENCE = """
    SELECT position, sha256 FROM unnest(%(positions)s::bigint[], %(hashes)s::text[]) AS named (position, sha256)
    WHERE NOT EXISTS (SELECT FROM {schema}.ledger_evidence AS kept WHERE kept.sha256 = named.sha256)
"""
_SNAPSHOTS = """
    SELECT originator_id, version, parts, array_agg(state ORDER BY part) FROM {schema}.ledger_snapshots
    WHERE originator_id = %(stream)s AND shape = %(shape)s AND position <= %(head)s
    GROUP BY originator_id, version, parts ORDER BY version
"""
_KEY_ID = re.compile(rb'(?<!\\)"key_id":"([^"\\]+)"')


class Slice(NamedTuple):
    """Streams whose names are above one and up to another."""

    above: str
    to: str


class Range(NamedTuple):
    """Which facts of which tenant are looked at."""

    schema: str
    after: int
    """Streams without a fact after this position are not looked at."""
    head: int


def slices(connection: Connection[Any], of: Range, count: int) -> list[Slice]:
    """The streams in that many parts or fewer, each with about as many facts."""
    asked = {"after": of.after, "head": of.head, "count": count}
    names = [name for (name,) in connection.execute(in_schema(_SAMPLES, of.schema), asked).fetchall()]
    bounds = ["", *names[:-1], LAST]
    return [Slice(*pair) for pair in pairwise(bounds)]


def check_slice(conninfo: str, of: Range, part: Slice) -> CheckTally:
    """What is wrong with the streams of a slice."""
    with open_connection(conninfo) as connection:
        connection.execute("SET default_transaction_read_only = on")
        tally = CheckTally()
        with tally.timed("streams"):
            _SliceCheck(connection, of, tally).run(part)
        return tally


class _SliceCheck:
    def __init__(self, connection: Connection[Any], of: Range, tally: CheckTally) -> None:
        self._connection = connection
        self._of = of
        self._tally = tally
        self._registry = Registry(NOUNS)
        self._stream, self._version, self._position, self._entry = "", 0, 0, EMPTY
        self._stock = False
        self._snapshots: list[tuple[int, int, list[bytes]]] = []
        """Those of the stream that are still to be compared, the oldest first."""
        self._reserved: dict[str, dict[tuple[str, str], tuple[int, int]]] = {}
        """By order: how many units of which item are reserved, and the position of the stock."""
        self._keys: dict[str, tuple[int, str]] = {}
        """Where each key that the page names stands first."""
        self._evidence: list[tuple[int, str, str]] = []

    def run(self, part: Slice) -> None:
        template = _FACTS_OF_CHANGED if self._of.after else _FACTS
        values = {"above": part.above, "to": part.to, "after": self._of.after, "head": self._of.head}
        # A cursor of the server, in a transaction as long as the slice: on a standby a longer one would be ended.
        with self._connection.transaction(), self._connection.cursor("facts") as cursor:
            cursor.execute(in_schema(template, self._of.schema), values, binary=True)
            while rows := cursor.fetchmany(PAGE):
                self._tally.look("facts", len(rows))
                for row in rows:
                    self._take(*row)
                self._look_up()
        self._end()
        self._look_up()
        self._compare_reservations()

    # --- a stream ---

    def _begin(self, stream: str) -> None:
        self._end()
        self._stream, self._version, self._position, self._entry = stream, 0, 0, EMPTY
        self._stock = stream.startswith("stock-")
        self._snapshots = []
        if self._registry.is_restorable(stream):
            asked = {"stream": stream, "shape": code_shape(), "head": self._of.head}
            found = self._connection.execute(in_schema(_SNAPSHOTS, self._of.schema), asked, binary=True).fetchall()
            self._snapshots = [(version, parts, states) for _, version, parts, states in found]

    def _take(self, stream: str, version: int, position: int, topic: str, state: bytes) -> None:
        if stream != self._stream:
            self._begin(stream)
        if version != self._version + 1:
            self._find("versions", f"version {version} follows {self._version}", position)
        self._version = version
        if position <= self._position:
            self._find("versions", f"version {version} stands before the one that it follows", position)
        self._position = position
        if b'"key_id"' in state:
            for key_id in _KEY_ID.findall(state):
                self._keys.setdefault(key_id.decode(), (position, stream))
        self._fold(version, position, topic, state)
        if self._snapshots:
            self._compare_snapshots(version)

    def _fold(self, version: int, position: int, topic: str, state: bytes) -> None:
        entry = self._entry
        if type(entry.state) is Broken:
            return None
        try:
            fact = self._registry.decode(topic, state)
            self._entry = Entry(version, self._registry.fold(self._stream, entry.state, fact))
        except Exception as error:  # noqa: BLE001 - whatever a damaged fact does
            self._entry = Entry(version, Broken(error))
            return self._find("facts", f"{topic} cannot be read or folded: {in_short(error)}", position)
        if self._stock:
            if type(fact) is StockReserved and self._entry.state.available < 0:
                short = -self._entry.state.available
                what = f"oversold by {short}: {fact.units} reserved for {fact.reservation_id}"
                self._find("stock", what, position)
        elif type(fact) is EvidenceAdded:
            self._evidence.append((position, self._stream, fact.sha256))

    def _end(self) -> None:
        """Looks at what a stream came to."""
        if not self._stream:
            return
        self._tally.look("versions")
        state = self._entry.state
        for version, _, _ in self._snapshots:
            self._find("snapshots", f"there is one of version {version}, and {self._version} facts", self._position)
        if isinstance(state, Order):
            self._tally.look("orders")
            self._recount("orders", lambda: order_faults(state))
        elif isinstance(state, Stock):
            self._tally.look("stock")
            self._recount("stock", lambda: stock_faults(state))
            self._note_reservations(state)

    def _recount(self, check: str, faults: Any) -> None:
        try:
            for what in faults():
                self._find(check, what, self._position)
        except Exception as error:  # noqa: BLE001 - whatever a damaged state does
            self._find(check, f"cannot be recounted: {in_short(error)}", self._position)

    def _find(self, check: str, what: str, position: int) -> None:
        self._tally.find(check, what, position, self._stream)

    def _compare_snapshots(self, version: int) -> None:
        while self._snapshots and self._snapshots[0][0] <= version:
            taken, number, stored = self._snapshots.pop(0)
            self._tally.look("snapshots")
            if taken != version or len(stored) != number or not self._is_kept(stored):
                self._find("snapshots", f"that of version {taken} is not what its facts come to", self._position)

    def _is_kept(self, stored: list[bytes]) -> bool:
        if type(self._entry.state) is Broken:
            return False
        return list(self._registry.keep(self._stream, self._entry.state)) == stored

    # --- what a page names ---

    def _look_up(self) -> None:
        """Whether what the page names is there: the keys of what it seals, and evidence."""
        keys, self._keys = self._keys, {}
        if keys:
            self._tally.look("keys", len(keys))
            asked = {"positions": [position for position, _ in keys.values()], "keys": list(keys)}
            for position, key_id in self._connection.execute(in_schema(_WITHOUT_KEY, self._of.schema), asked):
                self._tally.find("keys", f"its key {key_id} is not there", position, keys[key_id][1])
        evidence, self._evidence = self._evidence, []
        if evidence:
            self._tally.look("evidence", len(evidence))
            streams = {position: stream for position, stream, _ in evidence}
            asked = {"positions": list(streams), "hashes": [sha256 for _, _, sha256 in evidence]}
            for position, sha256 in self._connection.execute(in_schema(_WITHOUT_EVIDENCE, self._of.schema), asked):
                self._tally.find("evidence", f"its evidence {sha256} is not there", position, streams[position])

    # --- reservations beside orders ---

    def _note_reservations(self, state: Stock) -> None:
        supplier_id, _, sku = self._stream.removeprefix("stock-").partition("/")
        for order_id, reservation in state.reservations.items():
            if "/" in order_id:  # else a checkout's
                item = self._reserved.setdefault(order_id, {})
                item[supplier_id, sku] = (reservation.units, self._position)
                if len(self._reserved) >= _ORDERS_AT_ONCE:
                    self._compare_reservations()

    def _compare_reservations(self) -> None:
        """No more is reserved for an order than it has to ship."""
        reserved, self._reserved = self._reserved, {}
        if not reserved:
            return
        names = {orders.stream(order_id): order_id for order_id in reserved}
        self._tally.look("reservations", sum(map(len, reserved.values())))
        for stream, entry in self._folded(names):
            if not isinstance(entry.state, Order):
                continue  # a cart with such a name, or an order that is found to be broken by itself
            left = to_ship(entry.state)
            for item, (units, position) in reserved[names[stream]].items():
                if not 0 < units <= left.get(item, 0):
                    what = f"{units} of {item[1]} reserved for {names[stream]}, {left.get(item, 0)} to ship"
                    self._tally.find("reservations", what, position, f"stock-{'/'.join(item)}")

    def _folded(self, streams: Iterable[str]) -> Iterator[tuple[str, Entry]]:
        names = list(streams)
        asked = {"streams": names, "head": self._of.head}
        rows = self._connection.execute(in_schema(_WHOLE, self._of.schema), asked, binary=True).fetchall()
        return iter(self._registry.fold_rows(names, cast("Any", rows)).items())
