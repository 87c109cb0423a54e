"""A row for each piece of work, and one for what people did about it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from projections.machine.reads import FIRST
from projections.machine.rows import Int4, Text
from projections.machine.tables import table
from projections.work.kinds import Next, Step, WorkKind


class Owner(StrEnum):
    """Which people it is for."""

    OPERATIONS = "operations"
    SUPPLIER_MANAGER = "supplier_manager"
    AFTER_SALES = "after_sales"


class WorkState(StrEnum):
    """What people did about it."""

    FREE = "free"
    CLAIMED = "claimed"
    """A person has it."""
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
    because: Text
    next: Next
    order_id: str = ""
    supplier_order_id: str = ""
    supplier_id: str = ""
    carrier: str = ""
    number: str = ""
    sku: str = ""
    unless: tuple[str, ...] = ()
    """Subjects of the same kind that are stronger: while one of them stands, this one is not shown."""
    shown_from: datetime = FIRST
    """It is in the queue from then on: before, somebody else has time to act."""
    further_order_ids: tuple[str, ...] = ()
    """Of a parcel that holds units of several orders, those beside order_id."""
    stream: str = ""
    """The stream that raises it."""


class Handling(NamedTuple):
    """What people did about a piece of work."""

    task_id: str
    state: WorkState
    person: Text = ""
    since: datetime | None = None
    outcome: Text = ""
    team: Text = ""
    put_off_until: datetime | None = None
    comments: Int4 = 0


ITEMS = table("work_items", Item, 2, "(owner, due, task_id)", "(due, task_id)", "(task_id)", "(stream)")
TASKS = table("work_tasks", Handling, 1)
STAMP = "%Y%m%dT%H%M%SZ"


def item(
    kind: WorkKind,
    subject: str,
    owner: Owner,
    at: datetime,
    because: str,
    following: Next,
    *,
    due: datetime | None = None,
    task_id: str = "",
    **about: Any,
) -> Item:
    """Work that came up at an instant, and is due then where nothing sets that."""
    task_id = task_id or task_id_of(kind, subject, at)
    if following.step is Step.FINISH_WORK:
        following = Next(Step.FINISH_WORK, {"task_id": task_id})
    return Item(
        kind=kind,
        subject=subject,
        task_id=task_id,
        owner=owner,
        due=due or at,
        raised_at=at,
        because=because,
        next=following,
        **about,
    )


def task_id_of(kind: WorkKind, subject: str, at: datetime) -> str:
    """A task's id: the same reason that comes up again later is new work."""
    return f"{kind}-{subject}-{at:{STAMP}}"
