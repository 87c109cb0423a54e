"""What the read models list, at a terminal: as new as the log is, page by page, as a table with a limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import click
import grpc
from google.protobuf.message import Message

from adapters.console.terminal import words
from adapters.console.terminal.client import RequestRefused, Unreachable
from adapters.console.terminal.progress import WAITING, CountedBar
from adapters.console.terminal.session import Session
from fulfilment.v1 import admin_pb2, cases_pb2, common_pb2, orders_pb2, scorecards_pb2, suppliers_pb2, tracking_pb2
from fulfilment.v1.common_pb2 import PageRequest
from fulfilment.v1.supplier_reviews_pb2 import ListSuppliersRequest

Q = TypeVar("Q", bound=Message)


A = TypeVar("A", bound=Message)


_ROWS = 50
"""What a person reads at once; a program gets all."""


_PATIENCE_SECONDS = 60.0
"""How long a read model may need to catch up, for example after an import."""


_STANDSTILL_SECONDS = 600.0
"""How long what is folded aside may show no progress: others may have their turn before it."""


SUPPLIER = click.option("--supplier", metavar="SUPPLIER_ID", help="Only this supplier.")


LIMIT = click.option("--limit", type=words.whole(1), help=f"How many rows; if not said {_ROWS}, and all with --json.")


def _only_changes(ctx: click.Context, param: click.Parameter, value: int | None) -> None:
    ctx.ensure_object(Session).changed_after = value


CHANGED_AFTER = click.option(
    "--changed-after",
    type=words.POSITION,
    metavar="POSITION",
    expose_value=False,
    callback=_only_changes,
    help="Only what changed after it, with what is gone and from where to ask on; 0 begins a copy.",
)


def head(session: Session) -> int:
    """The position of the log; 0 for somebody who may not ask, such as a supplier, whose lists are a moment behind."""
    try:
        return session.client.call(session.client.admin.GetStatus, admin_pb2.GetStatusRequest()).position
    except RequestRefused as refused:
        if refused.reason != "NOT_ALLOWED":
            raise
        return 0


def ask(session: Session, rpc: grpc.UnaryUnaryMultiCallable[Q, A], request: Q) -> A:
    """The answer as of the log's newest position when it was asked."""
    asked: Any = request
    if "as_of" in asked.DESCRIPTOR.fields_by_name:
        if session.as_of is not None:
            asked.as_of.CopyFrom(session.as_of)
        if asked.HasField("as_of"):
            return ask_as_of(session, rpc, request)
    return _ask_now(session, rpc, request)


def _ask_now(session: Session, rpc: grpc.UnaryUnaryMultiCallable[Q, A], request: Q) -> A:
    asked: Any = request
    asked.at_least = asked.at_least or head(session)
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return session.client.call(rpc, request)
        except Unreachable as trouble:
            if trouble.reason != "PROJECTION_BEHIND" or time.monotonic() > give_up_at:
                raise


def supplier_names(session: Session) -> Mapping[str, str]:
    """The names that suppliers have now, by their ids; none for somebody who may not list them."""
    names: dict[str, str] = {}
    request = ListSuppliersRequest(page=PageRequest(page_size=1000))
    try:
        while True:
            answer = _ask_now(session, session.client.reports.ListSuppliers, request)
            names.update((each.supplier_id, each.name) for each in answer.suppliers)
            request.page.page_token = answer.next_page_token
            if not answer.next_page_token:
                return names
    except RequestRefused:
        return {}


def ask_as_of(session: Session, rpc: grpc.UnaryUnaryMultiCallable[Q, A], request: Q) -> A:
    """The answer; as of a moment once its read model is folded, however long that takes, as long as it goes on."""
    asked: Any = request
    if not asked.HasField("as_of"):
        return session.client.call(rpc, request)
    with CountedBar.of(session, WAITING) as bar:
        reached, give_up_at = -1, 0.0
        while True:
            try:
                return session.client.call(rpc, request)
            except Unreachable as trouble:
                if trouble.reason != "PROJECTION_BEHIND":
                    raise
                position = int(trouble.details["position"])
                if position > reached:
                    reached, give_up_at = position, time.monotonic() + _STANDSTILL_SECONDS
                elif time.monotonic() > give_up_at:
                    raise
                bar.folded(position, int(trouble.details["at_least"]))


class ListedRows(Iterator[Any]):
    """The rows of all pages, page by page as they are taken."""

    def __init__(self, session: Session, rpc: grpc.UnaryUnaryMultiCallable[Q, A], request: Q, field: str) -> None:
        self.answer: Any = None
        """The first page, once a row was asked for."""
        self._rows = self._pages(session, rpc, request, field)

    def __next__(self) -> Any:
        return next(self._rows)

    def _pages(self, session: Session, rpc: Any, request: Any, field: str) -> Iterator[Any]:
        request.page.page_size = 1000
        if session.changed_after is not None:
            request.page.changed_after = session.changed_after
        while True:
            answer: Any = ask(session, rpc, request)
            if self.answer is None and not getattr(answer, field) and not answer.next_page_token:
                _require_all_known(session, request)
            self.answer = self.answer or answer
            if session.changed_after is not None:
                session.changes.MergeFrom(answer.changes)
            yield from getattr(answer, field)
            request.page.page_token = answer.next_page_token
            if not answer.next_page_token:
                return


def _require_all_known(session: Session, request: Any) -> None:
    """All that a list is narrowed down to."""
    named = {field.name: value for field, value in request.ListFields() if isinstance(value, str)}
    as_of = "as_of" in request.DESCRIPTOR.fields_by_name and request.HasField("as_of")
    require_known(session, request.as_of if as_of else None, **named)


def require_known(session: Session, as_of: common_pb2.AsOf | None = None, **named: str) -> None:
    """Says what does not exist, where the answer would only be that nothing is of it; not to whoever may not look."""
    client, reports = session.client, session.client.reports
    things: Mapping[str, Sequence[tuple[Any, Any]]] = {
        # Those who only read reports may ask by one of these.
        "supplier_id": (
            (client.suppliers.GetSupplier, suppliers_pb2.GetSupplierRequest),
            (reports.GetRates, scorecards_pb2.GetRatesRequest),
        ),
        "order_id": (
            (client.orders.GetOrder, orders_pb2.GetOrderRequest),
            (reports.GetTracking, tracking_pb2.GetTrackingRequest),
        ),
        "case_id": ((client.cases.GetCase, cases_pb2.GetCaseRequest),),
    }
    for field in [each for each in things if named.get(each)]:
        for rpc, asks in things[field]:
            try:
                ask(session, rpc, asks(**{field: named[field]}, as_of=as_of))
                break
            except RequestRefused as refused:
                if refused.reason != "NOT_ALLOWED":
                    raise


def rows_of(session: Session, rpc: grpc.UnaryUnaryMultiCallable[Q, A], request: Q, field: str) -> ListedRows:
    return ListedRows(session, rpc, request, field)


def print_rows(
    session: Session,
    found: Iterable[Any],
    limit: int | None,
    columns: list[str],
    row: Callable[[Any], list[Any]],
    empty: str,
    as_json: Callable[[Any], dict[str, Any]] = words.as_json,
) -> None:
    if session.changed_after is not None:
        _print_changes(session, list(found), limit, columns, row, as_json)
        return
    if session.json:
        session.out.json([as_json(each) for each in islice(found, limit)])
        return
    most = limit or _ROWS
    taken = list(islice(found, most + 1))
    session.out.table(columns, [row(each) for each in taken[:most]], empty)
    if len(taken) > most:
        session.out.say(f"... and more; --limit {most * 10} shows more of them, --json all.", style="dim")


def _print_changes(
    session: Session,
    rows: list[Any],
    limit: int | None,
    columns: list[str],
    row: Callable[[Any], list[Any]],
    as_json: Callable[[Any], dict[str, Any]],
) -> None:
    """All of them, since whoever asks goes on where they end."""
    if limit is not None:
        raise click.UsageError("--limit would leave changes out, which --changed-after asks for.")
    gone, until = session.changes.gone, session.changes.until
    if session.json:
        session.out.json({"rows": [as_json(each) for each in rows], "gone": list(gone), "until": until})
        return
    session.out.table(columns, [row(each) for each in rows], "Nothing changed that is here.")
    if gone:
        session.out.say(f"Not here, any more or at all: {', '.join(gone)}.")
    session.out.say(f"Changes up to position {until}; --changed-after {until} goes on from there.", style="dim")
