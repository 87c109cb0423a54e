"""A parcel that goes on under a number of another carrier: scans under either move the one parcel (DOMAIN 4).

The number of the first mile has the parcel, and all its scans; that of the last mile names it. Both obey the rules of
reused numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from ledger.decisions import delivery
from ledger.decisions.ahead import Ahead
from ledger.facts import Change, changes_of
from ledger.nouns import parcels, policies
from ledger.nouns.parcels import Checkpoint, HandOverTakenBack, Parcel, ParcelHandedOver, ParcelRegistered
from ledger.view import View

Number = tuple[str, str]
"""A carrier and a tracking number."""


def one_parcel(view: View, carrier: str, number: str) -> Parcel:
    """The parcel under a number: that of the first mile, where it is a number of a last mile."""
    found = parcels.known(parcels.find(view, carrier, number), carrier, number)
    first = parcels.first_mile_of(found)
    if first is None:
        return found
    view.need(parcels.stream(*first[:2]))
    parcel = parcels.known(parcels.find(view, *first[:2]), *first[:2])
    return parcel if parcel.epoch == first[2] else found


def first_mile(view: View, carrier: str, number: str) -> Number:
    """The carrier and number of the parcel under a number."""
    parcel = one_parcel(view, carrier, number)
    return parcel.carrier, parcel.number


# --- scans ----------------------------------------------------------------------------------------


def record_checkpoints(
    view: View, carrier: str, number: str, scans: Sequence[Checkpoint], at: datetime, now: datetime
) -> list[Change]:
    """Scans of a number, in any order, each for the parcel that it is of; one may hand the parcel over."""
    named = parcels.known(parcels.find(view, carrier, number), carrier, number)
    ahead, changes = Ahead(view), list[Change]()
    for of, own in _by_parcel(named, scans).items():
        view.need(parcels.stream(*of))
        changes += ahead.add(delivery.record_checkpoints(ahead, *of, own, at, now))
        for scan in sorted((each for each in own if each.handed_over_to is not None), key=lambda each: each.at):
            parcel = parcels.find(ahead, *of)
            if parcel is not None and scan.handed_over_to and any(map(scan.same_scan, parcel.checkpoints)):
                changes += ahead.add(hand_over(ahead, *of, scan.handed_over_to, scan.at, now))
    return changes


def _by_parcel(named: Parcel, scans: Sequence[Checkpoint]) -> dict[Number, list[Checkpoint]]:
    """Scans of a number by the one whose parcel they are of; those of no use of it stay with it, as history."""
    found = defaultdict[Number, list[Checkpoint]](list)
    own = (named.carrier, named.number)
    for scan in scans:
        use = next((use for use in parcels.uses(named) if parcels.can_belong_to(use, scan)), None)
        first = parcels.first_mile_of(use)
        found[own if first is None else first[:2]].append(scan if first is None else replace(scan, told_under=own))
    return found


# --- handing over ---------------------------------------------------------------------------------


def hand_over(view: View, carrier: str, number: str, last: Number, at: datetime, now: datetime) -> list[Change]:
    """The parcel goes on under another carrier's number. What that number's scans say counts at once, from when the
    parcel existed. The same again records nothing."""
    parcel = one_parcel(view, carrier, number)
    first = (parcel.carrier, parcel.number)
    if parcel.voided is not None:
        raise parcels.ParcelIsVoid(carrier, number, parcel.voided.at, parcel.voided.left_as)
    if last == first or last in [each[:2] for each in parcel.last_miles]:
        return []
    view.need(parcels.stream(*last), policies.stream())
    before = parcels.find(view, *last)
    of = (*first, parcel.epoch)
    registration = ParcelRegistered(
        *last, epoch=0, at=at, exists_from=parcel.exists_from, last_mile_of=of, warnings=_told_before(before, parcel)
    )
    use, facts = delivery.registered(view, registration)
    ahead = Ahead(view)
    changes = ahead.add(changes_of(parcels.stream(*last), facts))
    changes += ahead.add(
        changes_of(parcels.stream(*first), [ParcelHandedOver(*of, last_mile=(*last, use.epoch), at=at)])
    )
    changes += ahead.add(delivery.give_up_scans(ahead, before, use, now))
    known = before.checkpoints if before is not None else ()
    # Their texts were sealed for another person, or for nobody.
    scans = [replace(scan, message=None, told_under=last) for scan in known if parcels.can_belong_to(use, scan)]
    return [*changes, *(delivery.record_checkpoints(ahead, *first, scans, at, now) if scans else ())]


def pass_on(view: View, number: Parcel, at: datetime, now: datetime) -> list[Change]:
    """Scans of a number that turned out to be those of a last mile go to its parcel, which may have them already."""
    first, last = parcels.first_mile_of(number), (number.carrier, number.number)
    if first is None:
        return []
    view.need(parcels.stream(*first[:2]))
    parcel = one_parcel(view, *last)
    others = [scan for use in parcels.uses(number.previous) if use.voided is None for scan in use.checkpoints]
    scans = [
        replace(scan, told_under=last)
        for scan in number.earlier
        if parcels.can_belong_to(number, scan)
        and parcels.can_belong_to(parcel, scan)
        and not any(map(scan.same_scan, others))
    ]
    return delivery.record_checkpoints(view, *first[:2], scans, at, now) if scans else []


def _told_before(last: Parcel | None, parcel: Parcel) -> tuple[str, ...]:
    """A warning where goods were reported under the last mile's number that are perhaps in the parcel."""
    if last is None or not last.order_id or last.voided is not None or parcel.order_id not in ("", last.order_id):
        return ()
    if abs(last.registered_at - parcel.registered_at) > parcels.TOLD_LATE:
        return ()
    of, to = (f"{each.carrier} {each.number}" for each in (last, parcel))
    return (f"{of} was reported for {last.supplier_order_id}: if that is in this parcel, correct its number to {to}",)


def take_back(view: View, use: Parcel, because: str, by: str, at: datetime, now: datetime) -> list[Change]:
    """A number was none of a parcel's last miles: without the scans under it, the parcel is as if that had not been
    told. They are kept with the number."""
    first, last = use.last_mile_of, (use.carrier, use.number)
    assert first is not None, "a number of a last mile"
    stream = parcels.stream(*first[:2])
    view.need(stream)
    before = parcels.known(parcels.find(view, *first[:2]), *first[:2])
    fact = HandOverTakenBack(*first, last_mile=(*last, use.epoch), because=because, by=by, at=at)
    states = before, parcels.evolve(before, fact)
    was, without = (next(each for each in parcels.uses(state) if each.epoch == first[2]) for state in states)
    ahead = Ahead(view)
    changes = ahead.add([*changes_of(stream, [fact]), *delivery.reach(view, [(was, without)], [fact], now)])
    scans = [replace(scan, message=None, told_under=None) for scan in was.checkpoints if scan.told_under == last]
    return [*changes, *(delivery.record_checkpoints(ahead, *last, scans, at, now) if scans else ())]
