"""What Prometheus is shown: all figures of this process, by a look at plain numbers and at no database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from adapters.access.callers import Caller
from adapters.metrics.calls import CallCounts
from adapters.metrics.copies import ReplicaStandings
from adapters.metrics.exposition import Exposition
from adapters.metrics.process import LoopLag, taken
from adapters.metrics.standing import Standings, TenantStanding, in_few
from adapters.tenants import Tenants
from fulfilment import __version__


class Watched(NamedTuple):
    """What the figures are of."""

    role: str
    tenants: Tenants
    standings: Standings
    copies: ReplicaStandings | None
    """Of a process that reads exports from a replica."""
    calls: CallCounts | None = None
    """Of a process that is called over gRPC."""
    beside: Mapping[str, int] = {}
    """The ids of the processes that this one has started, by their roles."""
    more: Callable[[Exposition, Caller], Awaitable[None]] | None = None
    """What else a process tells of itself."""


def watched(role: str, tenants: Tenants, **more: Any) -> Watched:
    """What the figures of a process are of; ``more`` is what not every process has."""
    standings = Standings(tenants)
    copies = None if tenants.replica is None else ReplicaStandings(tenants, tenants.replica, standings)
    return Watched(role, tenants, standings, copies, **more)


class Scrape:
    """Writes the page."""

    def __init__(self, watched: Watched, loop_lag: LoopLag) -> None:
        self._watched = watched
        self._loop_lag = loop_lag

    async def text(self, caller: Caller) -> str:
        """The figures of the process, and those of the tenants that are granted to the caller."""
        page = Exposition()
        page.family("fulfilment_info", "gauge", "The version of the service; always 1.").add(
            1, version=__version__, role=self._watched.role
        )
        if self._watched.calls is not None:
            write_calls(page, self._watched.calls)
        if self._watched.tenants.serving:  # else it decides nothing, as a projector
            self._writers(page)
            self._book(page)
        self._pools(page)
        self._process(page)
        if self._watched.more is not None:
            await self._watched.more(page, caller)
        found = self._watched.standings.by_tenant
        shown = in_few((name, self._standing(name)) for name in sorted(found) if caller.may_use(name))
        _standing(page, shown)
        if self._watched.copies is not None and self._watched.copies.answers is not None:
            _replica(page, answers=self._watched.copies.answers, standings=shown)
        return page.text()

    def _standing(self, tenant: str) -> TenantStanding:
        found, copies = self._watched.standings.by_tenant[tenant], self._watched.copies
        return found if copies is None else found._replace(copy=copies.lags.get(tenant))

    def _writers(self, page: Exposition) -> None:
        measures, serving = self._watched.tenants.measures, self._watched.tenants.serving
        page.gauge(
            "fulfilment_commands_waiting", "Commands in the queues.", sum(each.ledger.waiting for each in serving)
        )
        page.histogram("fulfilment_queue_seconds", "How long commands waited in their queue.", measures.queued)
        page.histogram("fulfilment_batch_commands", "Commands of a batch.", measures.batches)
        family = page.family(
            "fulfilment_batch_seconds",
            "histogram",
            "How long batches took to open (lock and read), to decide, and to commit (append and make durable).",
        )
        for stage, histogram in (
            ("open", measures.opening),
            ("decide", measures.deciding),
            ("commit", measures.committing),
        ):
            family.spread(histogram, stage=stage)
        page.counter(
            "fulfilment_batch_retries_total",
            "Batches tried again because the database was in trouble.",
            measures.retries,
        )
        page.counter(
            "fulfilment_batches_overtaken_total",
            "Batches decided again because the one before was not committed or another process wrote between.",
            measures.overtaken,
        )

    def _book(self, page: Exposition) -> None:
        shelves = [each.ledger.book.shelf for each in self._watched.tenants.serving]
        page.gauge("fulfilment_book_streams", "Folded streams in memory.", sum(map(len, shelves)))
        held = sum(each.memory_bytes for each in shelves)
        page.gauge("fulfilment_book_bytes", "About what they take.", held)
        measures = self._watched.tenants.measures
        family = page.family("fulfilment_book_lookups_total", "counter", "Streams that batches were known to touch.")
        family.add(measures.found, found="yes")
        family.add(measures.missed, found="no")

    def _pools(self, page: Exposition) -> None:
        found = [(name, pool.get_stats()) for name, pool in self._watched.tenants.pools.items()]
        for name, kind, key, meaning in (
            ("fulfilment_pool_connections", "gauge", "pool_size", "Connections to the database."),
            ("fulfilment_pool_connections_most", "gauge", "pool_max", "How many there can be."),
            ("fulfilment_pool_connections_idle", "gauge", "pool_available", "Of them, those that nobody uses."),
            ("fulfilment_pool_waiting", "gauge", "requests_waiting", "Who waits for a connection."),
            ("fulfilment_pool_requests_total", "counter", "requests_num", "How often a connection was asked for."),
            ("fulfilment_pool_errors_total", "counter", "requests_errors", "How often none came in time."),
        ):
            family = page.family(name, kind, meaning)
            for pool, stats in found:
                family.add(stats.get(key, 0), pool=pool)

    def _process(self, page: Exposition) -> None:
        found = list(taken(self._watched.role, self._watched.beside))
        family = page.family("fulfilment_cpu_seconds_total", "counter", "Processor time of each process.")
        for each in found:
            family.add(each.cpu_seconds, role=each.role)
        family = page.family("fulfilment_memory_bytes", "gauge", "Resident memory of each process.")
        for each in found:
            family.add(each.memory_bytes, role=each.role)
        family = page.family("fulfilment_threads", "gauge", "Threads of each process.")
        for each in found:
            family.add(each.threads, role=each.role)
        page.histogram(
            "fulfilment_loop_lag_seconds", "How late the event loop comes to its work.", self._loop_lag.seconds
        )


def write_calls(page: Exposition, counts: CallCounts) -> None:
    """The calls of this process."""
    called = sorted((rpc, calls) for rpc, calls in counts.by_rpc.items() if any(calls.seconds.counts))
    family = page.family("fulfilment_calls_total", "counter", "Calls that have ended, by how they ended.")
    for rpc, calls in called:
        for outcome, count in calls.by_outcome():
            family.add(count, rpc=rpc, code=outcome.code, reason=outcome.reason)
    family = page.family("fulfilment_call_seconds", "histogram", "How long calls took; of a stream, until its end.")
    for rpc, calls in called:
        family.spread(calls.seconds, rpc=rpc)


def _standing(page: Exposition, standings: Mapping[str, TenantStanding]) -> None:
    def by_tenant(name: str, meaning: str, value: Callable[[TenantStanding], float]) -> None:
        family = page.family(name, "gauge", meaning)
        for tenant, standing in standings.items():
            family.add(value(standing), tenant=tenant)

    def by_state(name: str, meaning: str, counts: Callable[[TenantStanding], Mapping[str, int]]) -> None:
        family = page.family(name, "gauge", meaning)
        for tenant, standing in standings.items():
            for state, count in counts(standing).items():
                family.add(count, tenant=tenant, state=state)

    by_tenant("fulfilment_log_position", "The newest position of the log.", lambda each: each.position)
    for name, meaning, field in (
        ("fulfilment_projection_lag_facts", "Facts that a read model is behind the log.", "lag"),
        ("fulfilment_projection_lag_seconds", "Since when the oldest fact that it lacks is recorded.", "lag_seconds"),
        ("fulfilment_projection_stands", "Whether an error keeps it from going on.", "stands"),
    ):
        family = page.family(name, "gauge", meaning)
        for tenant, standing in standings.items():
            for model, figures in standing.models.items():
                family.add(getattr(figures, field), tenant=tenant, projection=model)
    by_state("fulfilment_outbox_messages", "Messages that are not sent yet.", lambda each: each.messages)
    by_state("fulfilment_inbox_deliveries", "Deliveries of foreign systems that are open.", lambda each: each.inbox)
    by_tenant("fulfilment_clocks_late", "What has run out and was not noticed; up to 500.", lambda each: each.late)
    by_tenant("fulfilment_clocks_late_seconds", "For how long the first of it.", lambda each: each.late_seconds)


def _replica(page: Exposition, *, answers: bool, standings: Mapping[str, TenantStanding]) -> None:
    page.gauge("fulfilment_replica_answers", "Whether exports of each tenant are answered from the replica.", answers)
    copied = {tenant: standing.copy for tenant, standing in standings.items() if standing.copy is not None}
    family = page.family("fulfilment_replica_lag_facts", "gauge", "Facts that the replica for exports lacks.")
    for tenant, lag in copied.items():
        family.add(lag.facts, tenant=tenant)
    family = page.family(
        "fulfilment_replica_lag_seconds", "gauge", "Since when the oldest fact that it lacks is recorded."
    )
    for tenant, lag in copied.items():
        family.add(lag.seconds, tenant=tenant)
