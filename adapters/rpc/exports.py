"""ExportService: tables of the contract for reporting, row by row, all of one moment."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from time import monotonic
from typing import NamedTuple

from msgspec.structs import replace
from psycopg.sql import Composed

from adapters.database.postgres import open_pool
from adapters.database.replica import Lag, lag_of
from adapters.rpc import shapes
from adapters.rpc.calls import Call
from adapters.rpc.faults import fault, require
from adapters.rpc.queries import Queries
from adapters.tenants import Tenants
from fulfilment.v1 import exports_pb2 as pb
from ledger.refusals import RateLimited, StorageUnavailable
from projections import PROJECTIONS
from projections.machine.projection import Projection, named
from projections.machine.reads import Snapshot, Where, snapshot
from projections.reporting import REPORT_TABLES, ReportTable
from projections.reporting.exporting import SETTINGS, RowEncoding, copy_of
from projections.reporting.views import CONTRACT_VERSION

EXPORTS_OF_A_TENANT = 2
EXPORTS_AT_ONCE = 6
"""Of all tenants: each has a connection of its own beside those that queries share."""
EXPORT_SECONDS = 3600.0
READER_SECONDS = 60.0
"""What reads and takes nothing keeps rebuilds and the database's housekeeping waiting."""
_SOON_MILLISECONDS = 5000
_WAY_TO_COMMANDS = 9
"""How many times as long as for some rows an export then waits where commands are under way."""
_LONGEST_WAY_SECONDS = 1.0

_TABLES = {each.name: each for each in REPORT_TABLES}
_encoding = shapes.enum(pb.RowEncoding, RowEncoding, unspecified=RowEncoding.CSV)


class WantedTable(NamedTuple):
    """A table, and the position after which its rows are wanted."""

    table: ReportTable
    after: int


class ExportQueries(Queries):
    """ExportService."""

    def __init__(self, tenants: Tenants) -> None:
        super().__init__(tenants)
        self._running: Counter[str] = Counter()

    async def ListReportTables(self, request: pb.ListReportTablesRequest, call: Call) -> pb.ListReportTablesResponse:
        await self.tenant(call)
        return pb.ListReportTablesResponse(contract_version=CONTRACT_VERSION, tables=map(_described, REPORT_TABLES))

    async def ExportTables(self, request: pb.ExportTablesRequest, call: Call) -> AsyncIterator[pb.ExportTablesResponse]:
        wanted, encoding = _wanted(request.tables), _encoding(request.encoding, "encoding")
        if request.HasField("as_of"):
            require(not any(each.after for each in wanted), "as_of", "is given beside after: it has all rows")
            call = replace(call, as_of=await self.moment(request, call))
        where = await self.where(request, call)
        where = where._replace(at_least=max(where.at_least, *(each.after for each in wanted)))
        with self._turn(call.tenant):
            async with self._source(where) as source, snapshot(source, *_read_models(wanted)) as found:
                await found.rows(SETTINGS, {"timeout": f"{EXPORT_SECONDS:.0f}s"})
                lag = await lag_of(self.tenants.pool, where.schema, found.position)
                watch = ReaderWatch(found)
                for table, after in wanted:
                    async for answer in self._table(found, copy_of(table, after, encoding, where), table.name, lag):
                        with watch.waiting():
                            yield answer

    @asynccontextmanager
    async def _source(self, where: Where) -> AsyncIterator[Where]:
        """The same by a connection beside those that queries share, and wait for: to the replica, if there is one.

        What is folded aside is read where it is folded.
        """
        replica, primary, began = self.tenants.replica, self.tenants.pool, monotonic()
        opened = (
            open_pool(str(primary.conninfo), max_size=1)
            if replica is None or where.as_of
            else replica.reading(primary, where.schema)
        )
        async with opened as pool:
            left = max(0.0, where.patience_seconds - (monotonic() - began))
            yield where._replace(pool=pool, whole=primary, patience_seconds=left)

    async def _table(
        self, found: Snapshot, copy: Composed, table: str, lag: Lag
    ) -> AsyncIterator[pb.ExportTablesResponse]:
        answer = partial(
            pb.ExportTablesResponse,
            position=found.position,
            contract_version=CONTRACT_VERSION,
            table=table,
            facts_behind=lag.facts,
            seconds_behind=round(lag.seconds),
        )
        clock = asyncio.get_running_loop().time
        began = clock()
        async for piece in found.copied(copy):
            if self.tenants.closing:
                raise StorageUnavailable("the service is shutting down")
            took = clock() - began
            yield answer(rows=piece.data, row_count=piece.rows)
            await self._give_way(took)
            began = clock()
        yield answer(table_ends=True)

    async def _give_way(self, took: float) -> None:
        """Leaves the processor to commands while some are decided; the database waits as well, until rows are read."""
        if any(each.ledger.book.shelf.is_busy for each in self.tenants.serving):
            await asyncio.sleep(min(took * _WAY_TO_COMMANDS, _LONGEST_WAY_SECONDS))

    @contextmanager
    def _turn(self, tenant: str) -> Iterator[None]:
        """Counts an export while it runs; raises RateLimited."""
        if self._running[tenant] >= EXPORTS_OF_A_TENANT:
            raise RateLimited("exports of a tenant at once", EXPORTS_OF_A_TENANT, _SOON_MILLISECONDS)
        if self._running.total() >= EXPORTS_AT_ONCE:
            raise RateLimited("exports of all tenants at once", EXPORTS_AT_ONCE, _SOON_MILLISECONDS)
        self._running[tenant] += 1
        try:
            yield
        finally:
            self._running[tenant] -= 1


class ReaderWatch:
    """Ends what the database does for an export that takes too long, or whose reader takes nothing.

    A statement's own timeout does not end one that waits until somebody reads what it has written.
    """

    def __init__(self, found: Snapshot) -> None:
        self._found, self._loop = found, asyncio.get_running_loop()
        self._until = self._loop.time() + EXPORT_SECONDS

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While the reader has a message and takes it; raises RateLimited if it was too slow."""
        given_at = self._loop.time()
        ending = self._loop.call_at(min(self._until, given_at + READER_SECONDS), self._found.abandon)
        try:
            yield
        finally:
            ending.cancel()
        now = self._loop.time()
        if now > self._until:
            raise RateLimited("seconds for an export", round(EXPORT_SECONDS), _SOON_MILLISECONDS)
        if now > given_at + READER_SECONDS:
            raise RateLimited("seconds until an export is read on", round(READER_SECONDS), _SOON_MILLISECONDS)


def _wanted(tables: Sequence[pb.TableToExport]) -> list[WantedTable]:
    if not tables:
        return [WantedTable(each, 0) for each in REPORT_TABLES]
    found: dict[str, WantedTable] = {}
    for number, each in enumerate(tables):
        table = _TABLES.get(each.table)
        if table is None:
            fault(f"tables[{number}].table", f"there is no such table; there are {', '.join(_TABLES)}")
            continue
        require(each.table not in found, f"tables[{number}].table", f"{each.table} is there twice")
        require(each.after >= 0, f"tables[{number}].after", f"{each.after} is below 0")
        found[each.table] = WantedTable(table, each.after)
    return list(found.values())


def _read_models(wanted: Sequence[WantedTable]) -> list[Projection]:
    """Those whose rows the tables show; names of suppliers and what went are of the first."""
    names = dict.fromkeys(["reporting", *(name for each in wanted for name in each.table.read_models)])
    return [named(PROJECTIONS, name) for name in names]


def _described(table: ReportTable) -> pb.ExportedTable:
    return pb.ExportedTable(
        table=table.name,
        meaning=table.meaning,
        columns=[
            pb.ExportedColumn(
                column=each.name, type=each.kind, nullable=each.may_be_null, unit=each.unit, meaning=each.meaning
            )
            for each in table.columns
        ],
        key=table.key_columns,
        always_whole=table.always_whole,
    )
