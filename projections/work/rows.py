"""A row for each piece of work, and one for what people did about it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from projections.machine.rows import Text
from projections.machine.tables import table


class Owner(StrEnum):
    """Which people it is for."""

    OPERATIONS = "operations"
    SUPPLIER_MANAGER = "supplier_manager"
    AFTER_SALES = "after_sales"


class WorkKind(StrEnum):
    """What raises work."""

    HOLD = "hold"
    """An order waits."""
    BREACH = "breach"
    """A clock ran out and what it waits for has still not happened."""
    PARCEL = "parcel"
    """A parcel is held, damaged, lost or on its way back."""
    STOCK = "stock"
    """A level needs somebody: oversold, low, running out, sold out, stale."""
    INQUIRY = "inquiry"
    """A question waits for the retailer's answer, or for that of a supplier that is late."""
    RECOVERY = "recovery"
    """A cost is to be recovered, and the next step is the retailer's."""
    SUSPENSION = "suspension"
    """It is proposed to suspend a supplier."""
    MESSAGE = "message"
    """A message was given up."""
    ODDITY = "oddity"
    """Something happened that should not have."""
    CASE = "case"
    """The next step of a return case is the retailer's."""
    REFUND = "refund"
    """Money is owed to a customer beside the refunds of cases."""
    STOCK_UP = "stock_up"
    """A supplier has not answered what it was asked to have ready, or does not have it."""
    DRAFT = "draft"
    """A supplier order is to be sent."""
    INVOICE = "invoice"
    """A supplier's invoice asks too much, or a dispute about it is to be settled."""
    LISTING = "listing"
    """A SKU is to be taken off sale in every shop: nobody has a unit of it."""


class WorkState(StrEnum):
    """What people did about it."""

    FREE = "free"
    CLAIMED = "claimed"
    FINISHED = "finished"


class Item(NamedTuple):
    """A piece of work, as it is kept."""

    kind: WorkKind
    subject: str
    """What it is about, of which there is one at a time."""
    task_id: str
    owner: Owner
    due: datetime
    """When it should be done; if nothing sets that, when it came up."""
    raised_at: datetime
    because: Text = ""
    order_id: str = ""
    supplier_order_id: str = ""
    supplier_id: str = ""
    carrier: str = ""
    number: str = ""
    sku: str = ""


class Handling(NamedTuple):
    """What people did about a piece of work."""

    task_id: str
    state: WorkState
    person: Text = ""
    since: datetime | None = None
    outcome: Text = ""


ITEMS = table("work_items", Item, 2, "(owner, due, task_id)", "(due, task_id)", "(task_id)")
TASKS = table("work_tasks", Handling, 1)
STAMP = "%Y%m%dT%H%M%SZ"


def task_id_of(kind: WorkKind, subject: str, at: datetime) -> str:
    """A task's id: the same reason that comes up again later is new work."""
    return f"{kind}-{subject}-{at:{STAMP}}"
