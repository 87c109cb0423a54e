"""Obligations and work: what is due from whom, as reporting jobs read it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple

from ledger.nouns import tasks
from ledger.nouns.tasks import Task
from projections.machine.histories import OrderHistory
from projections.machine.projection import From, FromPages, Stamped, key_of
from projections.machine.streams import Page
from projections.machine.tables import AddedRows, Rows, Written, stamped_table
from projections.obligations import OBLIGATIONS_OF, Obligation
from projections.reporting.declaring import GONE, Means, made, shown
from projections.work.projection import ITEMS_OF, of_task
from projections.work.rows import Item
from projections.work.stock import of_stock

# --- obligations ----------------------------------------------------------------------------------


class ReportedObligation(NamedTuple):
    """One row for each clock of each object: what somebody has to do by when, and what became of it."""

    object_id: Annotated[
        str, Means("Of the supplier order, order, inquiry, case, …; carrier/number/epoch of a parcel.")
    ]
    clock: Annotated[str, Means("Which clock it is.")]
    supplier_id: Annotated[str, Means("The supplier that is obliged, or whose parcel it is; empty if none.")]
    owner: Annotated[str, Means("Who is obliged: supplier, carrier or retailer.")]
    due: Annotated[datetime, Means("By when.")]
    state: Annotated[str, Means("open, met, missed or withdrawn.")]
    met_at: Annotated[datetime | None, Means("When it was done.")]
    stopped_since: Annotated[datetime | None, Means("Since when the clock stands still.")]
    missed_at: Annotated[datetime | None, Means("When it was recorded that it was missed.")]
    withdrawn_at: Annotated[datetime | None, Means("When it turned out to be no breach after all.")]


class ReportedBreach(ReportedObligation):
    """One row for each clock that was missed, those that turned out to be no breach too."""


OBLIGATIONS = made("obligations", ReportedObligation, 3)
BREACHES = shown(
    "breaches", ReportedBreach, 3, "reporting", "{schema}.reporting_obligations AS t WHERE t.missed_at IS NOT NULL"
)


def _reported(make: Callable[[Any], Sequence[Obligation]]) -> Callable[[Any], list[ReportedObligation]]:
    def rows(history: Any) -> list[ReportedObligation]:
        # Those of an order are made for the clock task as well.
        found = history.cached(make) if type(history) is OrderHistory else make(history)
        return [
            ReportedObligation(
                object_id=each.object_id,
                clock=each.clock,
                supplier_id=each.supplier_id,
                owner=each.owner,
                due=each.due,
                state=each.state,
                met_at=each.met_at,
                stopped_since=each.stopped_since,
                missed_at=each.missed_at,
                withdrawn_at=each.withdrawn_at,
            )
            for each in found
        ]

    return rows


# --- work -----------------------------------------------------------------------------------------


class WorkItem(NamedTuple):
    """A piece of work, without what people did about it."""

    kind: str
    subject: str
    task_id: str
    owner: str
    due: datetime
    raised_at: datetime
    shown_from: datetime
    order_id: str | None
    supplier_order_id: str | None
    supplier_id: str | None
    carrier: str | None
    number: str | None
    sku: str | None


class Handled(NamedTuple):
    """What people did about a piece of work; who did is not for reports."""

    task_id: str
    state: str
    since: datetime | None
    put_off_until: datetime | None


class ReportedWork(NamedTuple):
    """One row for each piece of work that stands; its row goes with its reason."""

    kind: Annotated[str, Means("What kind of work.")]
    subject: Annotated[str, Means("What it is about, of which there is one of the kind at a time.")]
    task_id: Annotated[str, Means("Its id.")]
    owner: Annotated[str, Means("Which people it is for.")]
    due: Annotated[datetime, Means("When it should be done.")]
    raised_at: Annotated[datetime, Means("When it came up.")]
    shown_from: Annotated[datetime, Means("From when it is in the queue; until then somebody else has time to act.")]
    order_id: Annotated[str | None, Means("The order.")]
    supplier_order_id: Annotated[str | None, Means("The supplier order.")]
    supplier_id: Annotated[str | None, Means("The supplier.")]
    carrier: Annotated[str | None, Means("Of the parcel.")]
    number: Annotated[str | None, Means("Of the parcel.")]
    sku: Annotated[str | None, Means("The SKU.")]
    state: Annotated[str, Means("free, claimed or finished.")]
    since: Annotated[datetime | None, Means("Since when.")]
    put_off_until: Annotated[datetime | None, Means("Until when people put it off.")]


ITEMS = stamped_table("reporting_work", WorkItem, 2)
HANDLED = stamped_table("reporting_work_handled", Handled, 1)
WORK = shown(
    "work",
    ReportedWork,
    2,
    "reporting",
    "{schema}.reporting_work AS t LEFT JOIN {schema}.reporting_work_handled AS h ON h.task_id = t.task_id",
    position="greatest(t.position, h.position)",
    state="coalesce(h.state, 'free' COLLATE \"C\")",
    since="h.since",
    put_off_until="h.put_off_until",
)


def _items(make: Callable[[Any], Sequence[Item]]) -> Callable[[Any], list[WorkItem]]:
    def rows(history: Any) -> list[WorkItem]:
        found = history.cached(make) if type(history) is OrderHistory else make(history)
        return [_item(each) for each in found]

    return rows


def _item(each: Item) -> WorkItem:
    return WorkItem(
        kind=each.kind,
        subject=each.subject,
        task_id=each.task_id,
        owner=each.owner,
        due=each.due,
        raised_at=each.raised_at,
        shown_from=each.shown_from,
        order_id=each.order_id or None,
        supplier_order_id=each.supplier_order_id or None,
        supplier_id=each.supplier_id or None,
        carrier=each.carrier or None,
        number=each.number or None,
        sku=each.sku or None,
    )


def _handled(task: Task) -> list[Handled]:
    return [Handled(each.task_id, each.state, each.since, each.put_off_until) for each in of_task(task)]


def _of_stock(page: Page) -> list[Written]:
    """Work that the stock of a SKU makes comes and goes with single facts."""
    ended, added = of_stock(page)
    gone, lines = Rows(ITEMS), Rows(GONE)
    gone.gone = ended.gone
    lines.changed = [_gone_line(key, page.position) for key in ended.gone]
    return [gone, lines, AddedRows(ITEMS, ((*_item(each), page.position) for each in added.rows))]


def _gone_line(key: tuple[Any, ...], position: int) -> tuple[Any, ...]:
    return (ITEMS.name, key_of(key), position)


SOURCES: tuple[From[Any] | FromPages | Stamped, ...] = (
    *(Stamped(each.noun, OBLIGATIONS.rows_table, _reported(each.rows), GONE) for each in OBLIGATIONS_OF),
    *(Stamped(each.noun, ITEMS, _items(each.rows), GONE) for each in ITEMS_OF),
    FromPages((ITEMS, GONE), _of_stock),
    Stamped(tasks.NOUN, HANDLED, _handled, GONE),
)
