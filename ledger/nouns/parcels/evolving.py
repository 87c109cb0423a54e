"""How each fact changes a parcel: scans come late and out of order, and may be of an earlier use."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import reduce
from typing import assert_never

from msgspec.structs import replace

from ledger.facts import plus
from ledger.nouns.parcels.facts import (
    GIVEN_UP,
    ArrivalCorrected,
    Checkpoint,
    CheckpointRecorded,
    ClaimOpened,
    DeliveryDisputed,
    DeliveryProven,
    FirstScanBreachWithdrawn,
    FirstScanMissed,
    FoundAfterLoss,
    HandOverTakenBack,
    LossConfirmed,
    LossSuspected,
    ParcelFact,
    ParcelHandedOver,
    ParcelLinked,
    ParcelRegistered,
    ParcelStatus,
    ParcelUnitsAdded,
    ParcelVoided,
)
from ledger.nouns.parcels.state import BY_TIME, Content, Parcel, can_belong_to, uses
from ledger.terms.money import Money
from ledger.view import noun


def evolve(parcel: Parcel | None, fact: ParcelFact) -> Parcel:
    if isinstance(fact, ParcelRegistered):
        return Parcel(
            previous=left_to(parcel, fact.exists_from) if parcel is not None else None,
            carrier=fact.carrier,
            number=fact.number,
            epoch=fact.epoch,
            registered_at=fact.at,
            order_id=fact.order_id,
            supplier_order_id=fact.supplier_order_id,
            supplier_id=fact.supplier_id,
            by_line=fact.by_line,
            country=fact.country,
            first_scan_by=fact.first_scan_by,
            promised_by=fact.promised_by,
            warnings=fact.warnings,
            return_of=fact.return_of,
            exists_from=fact.exists_from,
            promised_day=fact.promised_day,
            historical=fact.historical,
            collect=fact.collect,
            exists_alone_from=fact.exists_alone_from,
            last_mile_of=fact.last_mile_of,
        )
    assert parcel is not None, "the first fact of a parcel is its registration"
    if isinstance(fact, ParcelVoided):
        return _without_units(parcel, fact) if fact.supplier_order_id else _without_use(parcel, fact)
    if isinstance(fact, _OfAnyUse) and 0 < fact.epoch < parcel.epoch:
        return _of_earlier_use(parcel, fact)
    match fact:
        case ParcelLinked():
            linked = replace(
                parcel,
                order_id=fact.order_id,
                supplier_order_id=fact.supplier_order_id,
                supplier_id=fact.supplier_id,
                by_line=fact.by_line,
                country=fact.country or parcel.country,
                first_scan_by=fact.first_scan_by,
                promised_by=fact.promised_by,
                return_of=fact.return_of,
                exists_from=fact.exists_from,
                promised_day=fact.promised_day,
                historical=fact.historical,
                collect=fact.collect,
                last_mile_of=fact.last_mile_of,
            )
            return _without_scans_of_before(linked) if fact.last_mile_of is None else _without_scans(linked)
        case ParcelUnitsAdded():
            return _with_units(parcel, fact)
        case ParcelHandedOver(last_mile=last_mile):
            return replace(parcel, last_miles=(*parcel.last_miles, last_mile))
        case HandOverTakenBack(last_mile=last_mile):
            return _without_last_mile(parcel, last_mile)
        case CheckpointRecorded(checkpoint=checkpoint):
            return _scan(parcel, checkpoint)
        case DeliveryDisputed(at=at):
            return replace(parcel, disputed_at=at, delivered_at=None, status=ParcelStatus.IN_TRANSIT)
        case ArrivalCorrected():
            return replace(parcel, status=ParcelStatus.DELIVERED, delivered_at=fact.delivered_at)
        case FirstScanMissed():
            return replace(parcel, missed=fact, withdrawn=None)
        case FirstScanBreachWithdrawn():
            return replace(parcel, withdrawn=fact)
        case LossSuspected():
            return replace(parcel, status=ParcelStatus.SUSPECTED_LOST)
        case LossConfirmed(at=at):
            return replace(parcel, status=ParcelStatus.LOST, lost_at=at)
        case FoundAfterLoss(at=at):
            return replace(parcel, lost_at=None, found_at=at)
        case DeliveryProven():
            return replace(parcel, proofs=(*parcel.proofs, fact))
        case ClaimOpened(recovery_id=recovery_id):
            return replace(parcel, claims=(*parcel.claims, recovery_id))
        case _:
            assert_never(fact)


NOUN = noun("parcel", ParcelFact, evolve)


_OfAnyUse = (
    CheckpointRecorded
    | ArrivalCorrected
    | FirstScanBreachWithdrawn
    | FoundAfterLoss
    | ParcelUnitsAdded
    | ParcelHandedOver
    | HandOverTakenBack
)


def _with_units(parcel: Parcel, fact: ParcelUnitsAdded) -> Parcel:
    """More units of one that is in it already, or of a further supplier order."""
    parcel = replace(
        parcel,
        warnings=(*parcel.warnings, *fact.warnings),
        # Somebody has something to do about it as soon as one of its orders is not an old one.
        historical=parcel.historical and fact.historical,
    )
    if fact.supplier_order_id == parcel.supplier_order_id:
        return replace(parcel, by_line=plus(parcel.by_line, fact.by_line), collect=_sum(parcel.collect, fact.collect))
    known = next((each for each in parcel.beside if each.supplier_order_id == fact.supplier_order_id), None)
    if known is None:
        promise = (fact.promised_by, fact.promised_day)
        new = Content(fact.order_id, fact.supplier_order_id, fact.by_line, *promise, fact.collect)
        return replace(parcel, beside=(*parcel.beside, new))
    more = replace(known, by_line=plus(known.by_line, fact.by_line), collect=_sum(known.collect, fact.collect))
    return replace(parcel, beside=tuple(more if each is known else each for each in parcel.beside))


def _sum(one: Money | None, other: Money | None) -> Money | None:
    """Both amounts, which are of one order and so of one currency."""
    if one is None or other is None:
        return one or other
    return replace(one, amount_minor=one.amount_minor + other.amount_minor)


def _of_earlier_use(parcel: Parcel, fact: _OfAnyUse) -> Parcel:
    """Its scans are in the history of the present use too, which is what people look up."""
    if isinstance(fact, CheckpointRecorded):
        parcel = replace(parcel, earlier=_by_time(parcel.earlier, fact.checkpoint))
    return replace(parcel, previous=evolve(parcel.previous, fact))


def _scan(parcel: Parcel, checkpoint: Checkpoint) -> Parcel:
    """Scans may come late, early and out of order: only the newest by its own time says where the parcel is."""
    if not can_belong_to(parcel, checkpoint):
        stray = parcel.stray or (checkpoint if _shows_that_it_left(parcel, checkpoint) else None)
        return replace(parcel, earlier=_by_time(parcel.earlier, checkpoint), stray=stray)
    checkpoints = _by_time(parcel.checkpoints, checkpoint)
    turns = _by_time(parcel.turns, checkpoint) if checkpoint.status in _TURNS else parcel.turns
    moved = replace(parcel, checkpoints=checkpoints, turns=turns)
    if checkpoint.status is not ParcelStatus.REGISTERED:
        first = min(checkpoint.at, parcel.first_scan_at or checkpoint.at)
        moved = replace(moved, first_scan_at=first)
    if arrivals := list(_arrivals(moved)):
        # The one told first stays: an ArrivalCorrected follows where another one is the earliest.
        delivered_at = parcel.delivered_at if parcel.delivered_at in arrivals else arrivals[0]
        return replace(moved, status=ParcelStatus.DELIVERED, delivered_at=delivered_at)
    returned = any(is_back and scan is checkpoints[-1] for scan, is_back in _deliveries(moved))
    status = ParcelStatus.RETURNED if returned else checkpoints[-1].status
    if parcel.delivered_at is None:
        # A delivery that the dispute denies is no delivery, even if its scan is the newest.
        denied = status is ParcelStatus.DELIVERED
        old = parcel.lost_at is not None and checkpoint.at <= parcel.lost_at
        if denied or old or checkpoints[-1] is not checkpoint:
            return moved
    lost_at = checkpoints[-1].at if status in GIVEN_UP else parcel.lost_at
    return replace(moved, status=status, lost_at=lost_at, delivered_at=None)


def first_arrival(parcel: Parcel) -> datetime | None:
    """The earliest delivery to the customer among the scans that are known."""
    return next(_arrivals(parcel), None)


def _by_time(scans: tuple[Checkpoint, ...], scan: Checkpoint) -> tuple[Checkpoint, ...]:
    # A tie comes after those that arrived earlier.
    place = bisect_right(scans, scan.at, key=BY_TIME)
    return (*scans[:place], scan, *scans[place:])


_TURNS = frozenset({ParcelStatus.DELIVERED, ParcelStatus.RETURNING, ParcelStatus.RETURNED})


def _arrivals(parcel: Parcel) -> Iterator[datetime]:
    """Its deliveries to the customer, the earliest first: after a dispute only a later one is."""
    since = parcel.disputed_at
    return (scan.at for scan, is_back in _deliveries(parcel) if not is_back and (since is None or scan.at > since))


def _deliveries(parcel: Parcel) -> Iterator[tuple[Checkpoint, bool]]:
    """The scans that say that it was delivered, and whether back to the sender: after a return, or on the way back
    unless the carrier says that it reached the customer (DOMAIN 4). What a customer sends back arrives like any other.
    """
    before: set[ParcelStatus] = set()
    for scan in parcel.turns:
        if scan.status is ParcelStatus.DELIVERED:
            coming_back = ParcelStatus.RETURNING in before and not scan.reached_customer
            yield scan, not parcel.return_of and (ParcelStatus.RETURNED in before or coming_back)
        before.add(scan.status)


def _without_scans_of_before(parcel: Parcel) -> Parcel:
    """Without the scans from before the parcel existed, recorded when that was not known yet."""
    if parcel.exists_from is None or all(scan.at >= parcel.exists_from for scan in parcel.checkpoints):
        return parcel
    return _scanned_again(parcel, parcel.checkpoints)


def _scanned_again(parcel: Parcel, scans: Sequence[Checkpoint]) -> Parcel:
    """The parcel folded again from these scans; a loss that no scan reported was confirmed by somebody, and stands."""
    by_scan = {scan.at for scan in parcel.checkpoints if scan.status in GIVEN_UP}
    confirmed = parcel.lost_at is not None and parcel.lost_at not in by_scan
    bare = replace(
        parcel,
        checkpoints=(),
        turns=(),
        status=ParcelStatus.LOST if confirmed else ParcelStatus.REGISTERED,
        first_scan_at=None,
        delivered_at=None,
        lost_at=parcel.lost_at if confirmed else None,
    )
    return reduce(_scan, scans, bare)


def _without_scans(parcel: Parcel) -> Parcel:
    """Its scans went over to the parcel of the first mile."""
    return replace(_scanned_again(parcel, ()), earlier=reduce(_by_time, parcel.checkpoints, parcel.earlier))


def _without_last_mile(parcel: Parcel, last_mile: tuple[str, str, int]) -> Parcel:
    others = tuple(each for each in parcel.last_miles if each != last_mile)
    own = [scan for scan in parcel.checkpoints if scan.told_under != last_mile[:2]]
    return replace(_scanned_again(parcel, own), last_miles=others)


def left_to(parcel: Parcel, until: datetime | None) -> Parcel:
    """An earlier use, without the scans that turned out to be of the next one, which began at until."""
    if until is None or all(scan.at < until for scan in parcel.checkpoints):
        return parcel
    return _scanned_again(parcel, [scan for scan in parcel.checkpoints if scan.at < until])


# --- uses that were none --------------------------------------------------------------------------


def _shows_that_it_left(parcel: Parcel, scan: Checkpoint) -> bool:
    """Whether a scan is of a parcel that was voided because nothing had left. A wrong number is somebody else's."""
    voided = parcel.voided
    return voided is not None and voided.instead is None and scan.status is not ParcelStatus.REGISTERED


def _without_units(parcel: Parcel, fact: ParcelVoided) -> Parcel:
    """Units of one supplier order were not in a parcel; those of the others were."""
    if parcel.epoch != fact.epoch:
        assert parcel.previous is not None, "some use has the epoch"
        return replace(parcel, previous=_without_units(parcel.previous, fact))
    first, *rest = (each for each in parcel.contents if each.supplier_order_id != fact.supplier_order_id)
    return replace(
        parcel,
        order_id=first.order_id,
        supplier_order_id=first.supplier_order_id,
        by_line=first.by_line,
        promised_by=first.promised_by,
        promised_day=first.promised_day,
        collect=first.collect,
        beside=tuple(rest),
        taken_out=(*parcel.taken_out, fact),
    )


def _without_use(parcel: Parcel, fact: ParcelVoided) -> Parcel:
    """The number's other uses, with the scans of this one that can be theirs; then it, and others that were none."""
    found = list(uses(parcel))
    wrong = next(use for use in found if use.epoch == fact.epoch)
    live = [use for use in found if use.voided is None]
    after = live.index(wrong)
    others = [*live[:after], *live[after + 1 :]]
    if after and after == len(live) - 1:
        # The next use was bounded by this one alone.
        others[after - 1] = _existing_from(others[after - 1], others[after - 1].exists_alone_from)
    rest: list[Checkpoint] = []
    for scan in wrong.checkpoints:
        of = next((n for n, use in enumerate(others) if can_belong_to(use, scan)), None)
        if of is None:
            rest.append(scan)
        else:
            # Its text was sealed for another person.
            others[of] = _with_scan(others[of], replace(scan, message=None))
    void = _void(wrong, fact, rest)
    return _chained([*others, void, *(use for use in found if use.voided is not None)])


def _existing_from(use: Parcel, at: datetime | None) -> Parcel:
    """Scans that were kept as of an earlier use may be its own after all."""
    if use.last_mile_of is not None:
        # Its parcel says from when scans are its own.
        return replace(use, exists_from=at, exists_alone_from=None)
    if at is None:
        return use
    own = [scan for scan in use.earlier if scan.at >= at]
    earlier = tuple(scan for scan in use.earlier if scan.at < at)
    return reduce(_with_scan, own, replace(use, exists_from=at, exists_alone_from=None, earlier=earlier))


def _with_scan(use: Parcel, scan: Checkpoint) -> Parcel:
    if any(each.same_scan(scan) for each in use.checkpoints):
        return use
    if use.last_mile_of is not None:
        # The parcel of the first mile has it.
        return replace(use, earlier=_by_time(use.earlier, scan))
    return _scanned_again(use, _by_time(use.checkpoints, scan))


def _void(wrong: Parcel, fact: ParcelVoided, scans: Sequence[Checkpoint]) -> Parcel:
    return replace(
        wrong,
        voided=fact,
        status=ParcelStatus.VOID,
        checkpoints=(),
        turns=(),
        earlier=reduce(_by_time, scans, wrong.earlier),
        first_scan_at=None,
        delivered_at=None,
        disputed_at=None,
        lost_at=None,
        found_at=None,
        stray=None,
    )


def _chained(found: Sequence[Parcel]) -> Parcel:
    """These uses of a number, the present one first."""
    *newer, oldest = found
    return reduce(
        lambda previous, use: replace(use, previous=previous), reversed(newer), replace(oldest, previous=None)
    )
