"""What is there to do for people: for whom, by when, what is it about, and who has it?

A piece of work stands as long as its reason does. It comes and goes with the facts; people claim and
finish it in a stream of its own, which this file only reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from zlib import crc32

from ledger.facts import Fact, to_minute
from ledger.nouns import cases, inquiries, messages, orders, parcels, recoveries, stock, suppliers, tasks
from ledger.nouns.cases import Case, Remedy
from ledger.nouns.cases import Status as CaseStatus
from ledger.nouns.choice import Choice
from ledger.nouns.inquiries import Inquiry
from ledger.nouns.messages import Audience, Message
from ledger.nouns.messages import Stage as MessageStage
from ledger.nouns.orders import Header, Hold, HoldReason, Order, deadlines, holds_on, left_minor
from ledger.nouns.orders.supplier_orders import Oddity, left_to_ship
from ledger.nouns.parcels import Parcel, ParcelStatus
from ledger.nouns.recoveries import Status
from ledger.nouns.reviews import ProposalState
from ledger.nouns.stock import Alert
from ledger.nouns.suppliers import Supplier
from ledger.nouns.tasks import Task
from ledger.terms.clocks import Reading
from ledger.terms.money import Money
from ledger.terms.parties import Party
from projections.machine.histories import OrderHistory, RecoveryHistory
from projections.machine.projection import From, FromPages, projection
from projections.machine.reads import FIRST, LAST, Answer, PageOf, Where, snapshot
from projections.machine.rows import Text
from projections.machine.streams import Page
from projections.machine.tables import AddedRows, Rows, Written, table

# --- tables ---------------------------------------------------------------------------------------


class Owner(StrEnum):
    """Which people it is for."""

    OPERATIONS = "operations"
    SUPPLIER_MANAGER = "supplier_manager"
    AFTER_SALES = "after_sales"


class Kind(StrEnum):
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


class State(StrEnum):
    """What people did about it."""

    FREE = "free"
    CLAIMED = "claimed"
    FINISHED = "finished"


class Item(NamedTuple):
    """A piece of work, as it is kept."""

    kind: Kind
    subject: str
    """What it is about, of which there is one at a time."""
    task_id: str
    owner: Owner
    due: datetime
    """When it should be done; when it came up, where nothing says so."""
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
    state: State
    person: Text = ""
    since: datetime | None = None
    outcome: Text = ""


ITEMS = table("work_items", Item, 2, "(owner, due, task_id)", "(due, task_id)", "(task_id)")
TASKS = table("work_tasks", Handling, 1)

# --- what is kept ---------------------------------------------------------------------------------


def _of_task(task: Task) -> list[Handling]:
    if task.finished is not None:
        last = task.finished
        return [Handling(task.task_id, State.FINISHED, last.by, last.at, last.outcome)]
    if task.claimed is not None:
        return [Handling(task.task_id, State.CLAIMED, task.claimed.by, task.claimed.at)]
    return [Handling(task.task_id, State.FREE)]


# --- what raises work -----------------------------------------------------------------------------

_HOLDS = {
    HoldReason.OUT_OF_STOCK: Owner.SUPPLIER_MANAGER,
    HoldReason.CUSTOMER_REQUEST: Owner.AFTER_SALES,
}
"""Whose work a hold is; operations' where it is not named."""


def _of_order(history: OrderHistory) -> list[Item]:
    if history.order.placed.historical:
        return []
    return [
        *_holds(history),
        *_breaches(history.order),
        *_oddities(history),
        *_chargebacks(history.order),
        *_unpayable(history.order),
    ]


def _holds(history: OrderHistory) -> Iterator[Item]:
    """Money is waited for, not worked for; of what is cancelled nothing waits."""
    order = history.order
    for hold in order.holds if order.header is not Header.CANCELLED else ():
        if hold.reason is not HoldReason.AWAITING_PAYMENT:
            # The owner may be any words; a task's id holds plain ones.
            mark = f"{crc32('/'.join((hold.owner, hold.supplier_order_id)).encode()):08x}"
            subject = f"{order.order_id}/{hold.reason}/{mark}"
            yield Item(
                Kind.HOLD,
                subject,
                _task(Kind.HOLD, subject, hold.at),
                _HOLDS.get(hold.reason, Owner.OPERATIONS),
                hold.at,
                hold.at,
                _why(hold),
                order.order_id,
                hold.supplier_order_id,
            )


def _why(hold: Hold) -> str:
    return f"{hold.reason}: {', '.join(hold.missing)}" if hold.missing else hold.reason.value


def _oddities(history: OrderHistory) -> Iterator[Item]:
    """What was packed or left when it should not have. Of a hold that is work only as long as one stands."""
    order = history.order
    for parcel in order.shipments:
        what = f"{parcel.supplier_order_id}/{parcel.carrier}/{parcel.number}/{parcel.epoch}"
        for oddity in parcel.oddities:
            yield from _oddity(order, parcel.supplier_order_id, oddity, "left", what, parcel.shipped_at)
    for each in order.supplier_orders.values():
        if each.packed_at is not None and each.unshipped:
            for oddity in each.packing_oddities:
                what = f"{each.supplier_order_id}/packed"
                yield from _oddity(order, each.supplier_order_id, oddity, "packed", what, each.packed_at)


def _oddity(order: Order, supplier_order_id: str, oddity: Oddity, done: str, what: str, at: datetime) -> Iterator[Item]:
    holds = ", ".join(sorted({hold.reason.value for hold in holds_on(order, supplier_order_id)}))
    if oddity is Oddity.ON_HOLD and not holds:
        return
    why = f"on hold: {holds}" if oddity is Oddity.ON_HOLD else f"{to_minute(at)}, before it can have been"
    subject = f"{what}/{oddity}"
    # A time that cannot be right says nothing of when there was something to do.
    raised_at = max(at, order.placed.placed_at)
    yield Item(
        Kind.ODDITY,
        subject,
        _task(Kind.ODDITY, subject, raised_at),
        Owner.OPERATIONS,
        raised_at,
        raised_at,
        f"{done} {why}",
        order.order_id,
        supplier_order_id,
        order.supplier_orders[supplier_order_id].supplier_id,
    )


def _chargebacks(order: Order) -> Iterator[Item]:
    """What banks took that was not theirs to take; somebody disputes it, or finds that they are right."""
    for each in order.chargebacks:
        if each.warnings:
            subject = f"{order.order_id}/chargeback/{each.chargeback_id}"
            because = f"chargeback {each.chargeback_id}: {'; '.join(each.warnings)}; dispute it"
            task_id = _task(Kind.ODDITY, subject, each.at)
            yield Item(Kind.ODDITY, subject, task_id, Owner.AFTER_SALES, each.at, each.at, because, order.order_id)


def _unpayable(order: Order) -> Iterator[Item]:
    """Granted refunds whose money went back otherwise since: nobody can pay them."""
    left = left_minor(order)
    for refund_id, refund in order.after_sales.refunds.items():
        amount_minor = sum(refund.amounts_minor.values())
        if refund.paid or amount_minor <= left:
            continue
        subject = f"{refund.case_id}/{refund_id}"
        news = (order.payment_at, *(chargeback.at for chargeback in order.chargebacks))
        since = max((at for at in news if at is not None), default=order.placed.placed_at)
        granted, remains = (Money(each, order.currency) for each in (amount_minor, max(left, 0)))
        because = f"refund {refund_id} of {granted} cannot be paid, {remains} is left of what came in: deny it"
        task_id = _task(Kind.CASE, subject, since)
        yield Item(Kind.CASE, subject, task_id, Owner.AFTER_SALES, since, since, because, order.order_id)


def _breaches(order: Order) -> Iterator[Item]:
    """Only while what the clock waits for has not happened: what came late needs nobody any more."""
    for each in deadlines(order):
        if each.is_missed and each.missed_at is not None and not each.over:
            subject = f"{each.object_id}/{each.clock}"
            supplier_order_id = "" if each.object_id == order.order_id else each.object_id
            yield Item(
                Kind.BREACH,
                subject,
                _task(Kind.BREACH, subject, each.missed_at),
                Owner.OPERATIONS,
                each.due,
                each.missed_at,
                "; ".join([each.clock.value, *_rerouting(order, each)]),
                order.order_id,
                supplier_order_id,
                each.supplier_id,
            )


def _rerouting(order: Order, missed: Reading) -> Iterator[str]:
    """What came of giving the units to another supplier: why there is still something to do."""
    supplier_order = order.supplier_orders.get(missed.object_id)
    sought = order.sought.get((missed.object_id, missed.clock))
    if supplier_order is None:
        return
    left = left_to_ship(supplier_order)
    if supplier_order.reroute_asked:
        yield "asked to give its units up and has not answered"
    elif sought is not None and sought.by_line.keys() & left.keys():
        yield "did not give its units up"
    if sought is not None and sought.unserved:
        yield f"nobody else qualifies for {', '.join(_unserved(each, sought.supplier_id) for each in sought.unserved)}"


def _unserved(choice: Choice, supplier_id: str) -> str:
    """How many units of which SKU, and what the others have against them."""
    others = [each for each in choice.considered if each.supplier_id != supplier_id]
    against = ", ".join(f"{each.supplier_id} {str(each.against).replace('_', ' ')}" for each in others)
    return f"{choice.units} of {choice.sku}" + (f" ({against})" if against else "")


_TROUBLE = {
    ParcelStatus.CUSTOMS_HELD: Owner.OPERATIONS,
    ParcelStatus.SUSPECTED_LOST: Owner.OPERATIONS,
    ParcelStatus.DAMAGED: Owner.AFTER_SALES,
    ParcelStatus.RETURNING: Owner.AFTER_SALES,
    ParcelStatus.RETURNED: Owner.AFTER_SALES,
    ParcelStatus.REFUSED: Owner.AFTER_SALES,
    ParcelStatus.LOST: Owner.AFTER_SALES,
    ParcelStatus.DESTROYED: Owner.AFTER_SALES,
}
"""Whose work a parcel in this state is."""


def _of_parcel(parcel: Parcel) -> list[Item]:
    """Only of the present use of a number."""
    if parcel.historical:
        return []
    items = [_trouble(parcel)] if parcel.status in _TROUBLE else []
    missed = parcel.missed
    if missed is not None and parcel.first_scan_missed and parcel.first_scan_at is None:
        items.append(_parcel(parcel, Kind.BREACH, "first_scan", Owner.OPERATIONS, missed.due, missed.at))
    return items


def _trouble(parcel: Parcel) -> Item:
    since = parcel.last_seen_at
    # A delivery that was none may be newer, and says nothing.
    for scan in reversed([each for each in parcel.checkpoints if each.status is not ParcelStatus.DELIVERED]):
        if scan.status is not parcel.status:
            break
        since = scan.at
    return _parcel(parcel, Kind.PARCEL, parcel.status.value, _TROUBLE[parcel.status], since, since)


def _parcel(parcel: Parcel, kind: Kind, because: str, owner: Owner, due: datetime, raised_at: datetime) -> Item:
    subject = f"{parcel.carrier}/{parcel.number}/{parcel.epoch}/{because}"
    return Item(
        kind,
        subject,
        _task(kind, subject, raised_at),
        owner,
        due,
        raised_at,
        because,
        parcel.order_id,
        parcel.supplier_order_id,
        parcel.supplier_id,
        parcel.carrier,
        parcel.number,
    )


def _of_inquiry(inquiry: Inquiry) -> list[Item]:
    """Those that the retailer has to answer, and those that a supplier has not answered in time."""
    asked = inquiry.asked
    ours = asked.asked_of is Party.RETAILER
    if not inquiry.is_open or not (ours or inquiry.is_missed):
        return []
    from_customer = ours and asked.asked_by is Party.CUSTOMER
    item = Item(
        Kind.INQUIRY,
        inquiry.inquiry_id,
        f"{Kind.INQUIRY}-{inquiry.inquiry_id}",
        Owner.AFTER_SALES if from_customer else Owner.SUPPLIER_MANAGER,
        asked.answer_by or asked.at,
        asked.at,
        f"{asked.topic}, asked by {asked.asked_by}" if ours else f"{asked.topic}, not answered by {asked.asked_of}",
        asked.order_id,
        asked.supplier_order_id,
        asked.supplier_id,
    )
    return [item]


_NEXT_STEPS = {
    Status.DISPUTED: "settle the dispute",
    Status.ELIGIBLE: "collect documents",
    Status.DOCUMENTED: "file the claim",
    Status.DENIED: "appeal or write off",
}
"""What the retailer is to do about a recovery in this state; in the others somebody else is."""


def _of_recovery(history: RecoveryHistory) -> list[Item]:
    recovery = history.recovery
    step = _NEXT_STEPS.get(recovery.status, "")
    if recovery.status is Status.PROPOSED and recovery.is_answer_missed:
        step = "press for an answer"
    if not step:
        return []
    about, due = recovery.subject, recovery.due or recovery.opened.at
    mark = f"{recovery.status}-{due:{_STAMP}}"
    item = Item(
        Kind.RECOVERY,
        recovery.recovery_id,
        f"{Kind.RECOVERY}-{recovery.recovery_id}-{mark}",
        Owner.SUPPLIER_MANAGER if about.supplier_id and not about.carrier else Owner.AFTER_SALES,
        due,
        recovery.opened.at,
        step,
        about.order_id,
        about.supplier_order_id,
        about.supplier_id,
        about.carrier,
        about.number,
    )
    return [item]


def _of_case(case: Case) -> list[Item]:
    step = _next_step(case)
    if not step:
        return []
    opened, answered = case.opened, case.first_answered_at is not None
    # A case that was closed and opened again comes to the same steps anew.
    mark = f"{step.replace(' ', '_')}-{len(case.refunds)}-{case.closed_at or opened.at:{_STAMP}}"
    item = Item(
        Kind.CASE,
        case.case_id,
        f"{Kind.CASE}-{case.case_id}-{mark}",
        Owner.AFTER_SALES,
        opened.at if answered else opened.first_answer_by,
        opened.at,
        step if answered else f"answer the customer, then {step}",
        case.order_id,
    )
    return [item]


def _next_step(case: Case) -> str:
    """What the retailer is to do; empty while it is the customer's turn, a carrier's or a supplier's."""
    match case.status:
        case CaseStatus.OPENED:
            return "look at it"
        case CaseStatus.EVIDENCE_REQUESTED:
            return "look at the evidence" if case.unseen else ""
        case CaseStatus.UNDER_REVIEW:
            return "rule on liability"
        case CaseStatus.LIABILITY_RULED:
            return "approve a remedy or deny it"
        case CaseStatus.APPROVED:
            return f"carry out the {case.remedy}" if case.remedy else ""
        case CaseStatus.IN_REMEDY if any(n > case.inspection(line).looked_at for line, n in case.received.items()):
            return "inspect what came back"
        case CaseStatus.IN_REMEDY if case.undecided or (case.todo and case.remedy is Remedy.REFUND):
            return "decide the refund"
        case CaseStatus.IN_REMEDY if any(refund.paid_at is None for refund in case.refunds.values()):
            return "pay the refund"
        case _:
            return ""


def _of_supplier(supplier: Supplier) -> list[Item]:
    return [
        Item(
            Kind.SUSPENSION,
            f"{supplier.supplier_id}/{name}",
            _task(Kind.SUSPENSION, f"{supplier.supplier_id}/{name}", proposal.proposed_at),
            Owner.SUPPLIER_MANAGER,
            proposal.proposed_at,
            proposal.proposed_at,
            f"{name} misses its target",
            supplier_id=supplier.supplier_id,
        )
        for name, proposal in supplier.reviews.proposals.items()
        if proposal.state is ProposalState.OPEN
    ]


_READERS = {
    Audience.CUSTOMER: Owner.AFTER_SALES,
    Audience.SUPPLIER: Owner.SUPPLIER_MANAGER,
    Audience.STAFF: Owner.OPERATIONS,
}
"""Who sees to it that somebody is told whom no message reaches."""


def _of_message(message: Message) -> list[Item]:
    if message.stage is not MessageStage.GIVEN_UP or message.given_up_at is None:
        return []
    about, at = message.asked.about, message.given_up_at
    item = Item(
        Kind.MESSAGE,
        message.message_id,
        _task(Kind.MESSAGE, message.message_id, at),
        _READERS[message.asked.audience],
        at,
        at,
        message.error,
        about.order_id,
        about.supplier_order_id,
        about.supplier_id,
        about.carrier,
        about.number,
    )
    return [item]


_STAMP = "%Y%m%dT%H%M%SZ"


def _task(kind: Kind, subject: str, at: datetime) -> str:
    """A task's id: the same reason that comes up again later is new work."""
    return f"{kind}-{subject}-{at:{_STAMP}}"


# --- stock ----------------------------------------------------------------------------------------

_LEVELS = {
    Alert.OVERSOLD: Owner.OPERATIONS,
    Alert.LOW: Owner.SUPPLIER_MANAGER,
    Alert.RUNNING_OUT: Owner.SUPPLIER_MANAGER,
    Alert.SOLD_OUT: Owner.SUPPLIER_MANAGER,
    Alert.STALE: Owner.SUPPLIER_MANAGER,
}


def _of_stock(page: Page) -> list[Written]:
    """What a page changes of the alerts that stand: the first one stays until its end, however often it is recorded."""
    raised: dict[tuple[Kind, str], Item | None] = {}
    ended = set()
    for position, fact, _ in page.facts.get(stock.NOUN.prefix, ()):
        if (item := _alert(position, fact)) is not None:
            if raised.get((item.kind, item.subject)) is None:
                raised[item.kind, item.subject] = item
        elif (subject := _ended(fact)) is not None:
            ended.add((Kind.STOCK, subject))
            raised[Kind.STOCK, subject] = None
    gone = Rows(ITEMS)
    gone.gone = sorted(ended)
    return [gone, AddedRows(ITEMS, (item for item in raised.values() if item is not None))]


def _alert(position: int, fact: Fact) -> Item | None:
    match fact:
        case stock.Oversold(shortfall=shortfall, reservations=reservations):
            alert, why = Alert.OVERSOLD, f"{shortfall} short: {', '.join(reservations[:5])}"
        case stock.StockLow(available=available, threshold=threshold):
            alert, why = Alert.LOW, f"{available} left, {threshold} wanted"
        case stock.StockRunningOut(available=available, cover_days=days):
            alert, why = Alert.RUNNING_OUT, f"{available} left, which last {days} days at most"
        case stock.SoldOut():
            alert, why = Alert.SOLD_OUT, "take it off sale"
        case stock.FeedStale():
            alert, why = Alert.STALE, "no feed came"
        case _:
            return None
    return Item(
        Kind.STOCK,
        _level(fact, alert),
        f"{Kind.STOCK}-{alert}-{position}",
        _LEVELS[alert],
        fact.at,
        fact.at,
        f"{alert}: {why}",
        supplier_id=fact.supplier_id,
        sku=fact.sku,
    )


def _ended(fact: Fact) -> str | None:
    """The alert that a fact ends."""
    match fact:
        case stock.AlertEnded(alert=alert):
            return _level(fact, alert)
        case stock.BackInStock():
            return _level(fact, Alert.SOLD_OUT)
        case stock.FeedFresh():
            return _level(fact, Alert.STALE)
        case _:
            return None


def _level(fact: Any, alert: Alert) -> str:
    return f"{fact.supplier_id}/{fact.sku}/{alert}"


# --- all of it ------------------------------------------------------------------------------------

WORK = projection(
    "work",
    6,
    From(orders.NOUN, ITEMS, _of_order),
    From(parcels.NOUN, ITEMS, _of_parcel),
    From(inquiries.NOUN, ITEMS, _of_inquiry),
    From(recoveries.NOUN, ITEMS, _of_recovery),
    From(cases.NOUN, ITEMS, _of_case),
    From(suppliers.NOUN, ITEMS, _of_supplier),
    From(messages.NOUN, ITEMS, _of_message),
    FromPages((ITEMS,), _of_stock),
    From(tasks.NOUN, TASKS, _of_task),
)

# --- questions ------------------------------------------------------------------------------------


class Work(NamedTuple):
    """A piece of work, and who has it."""

    task_id: str
    kind: Kind
    owner: Owner
    due: datetime
    raised_at: datetime
    because: str
    order_id: str
    supplier_order_id: str
    supplier_id: str
    carrier: str
    number: str
    sku: str
    claimed_by: str
    claimed_at: datetime | None


_LIST = """
    SELECT i.task_id, i.kind, i.owner, i.due, i.raised_at, i.because, i.order_id, i.supplier_order_id, i.supplier_id,
        i.carrier, i.number, i.sku, coalesce(t.person, '') AS claimed_by, t.since AS claimed_at
    FROM {work_items} AS i LEFT JOIN {work_tasks} AS t ON t.task_id = i.task_id
    WHERE {condition} i.due < %(until)s AND (i.due, i.task_id) > (%(after_due)s, %(after_id)s)
        AND (t.state IS NULL OR t.state <> 'finished')
        AND (NOT %(unclaimed)s OR t.state IS NULL OR t.state = 'free')
        AND (%(claimed_by)s = '' OR t.person = %(claimed_by)s)
        AND (%(order_id)s = '' OR i.order_id = %(order_id)s)
    ORDER BY i.due, i.task_id LIMIT %(limit)s
"""
_EXISTS = "SELECT 1 FROM {work_items} WHERE task_id = %(task_id)s LIMIT 1"


async def list_work(
    where: Where,
    page: PageOf,
    owner: Owner | None = None,
    until: datetime | None = None,
    *,
    unclaimed: bool = False,
    claimed_by: str = "",
    order_id: str = "",
) -> Answer[Work]:
    """What is to be done and not finished, of an owner or of all, due before an instant, the most urgent first."""
    after_due, after_id = page.after(tuple[datetime, str]) or (FIRST, "")
    parameters = {
        "owner": owner.value if owner else "",
        "until": until or LAST,
        "unclaimed": unclaimed,
        "claimed_by": claimed_by,
        "order_id": order_id,
        "after_due": after_due,
        "after_id": after_id,
        "limit": page.limit,
    }
    query = _LIST.replace("{condition}", "i.owner = %(owner)s AND" if owner else "")
    async with snapshot(where, WORK) as at:
        found = await at.each(query, parameters, Work)
        rows, token = page.cut(found, [(row.due, row.task_id) for row in found])
        return Answer(rows, at.position, token)


async def exists(where: Where, task_id: str) -> bool:
    """Whether there is such work; finished or not."""
    async with snapshot(where, WORK) as at:
        return bool(await at.rows(_EXISTS, {"task_id": task_id}))
