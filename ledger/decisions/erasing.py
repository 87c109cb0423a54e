"""Erasing a person: the streams that held it say so, and the keys of all that was sealed about it end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.decisions.docket import order_changes, order_in
from ledger.facts import Change, Value, changes_of
from ledger.nouns import erasures, orders, suppliers
from ledger.nouns.erasures import ErasureRecorded, KeptBecause, StillKept
from ledger.nouns.orders import Order, PersonalDataHeld, PersonErased
from ledger.nouns.suppliers import ContactErased, Standing, Supplier
from ledger.refusals import Forbidden, UnknownPerson, sentence_only
from ledger.view import View

_IN_USE = (Standing.APPROVED, Standing.SUSPENDED)


class PersonKept(Forbidden, reason="PERSON_KEPT"):
    says = "nothing was erased: {why}; {instead}"
    order_id: str
    supplier_id: str
    why: str = sentence_only()
    instead: str = sentence_only()


class Belongings(Value, frozen=True):
    """Where a person is known from, as its contacts or an order told."""

    order_ids: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    """Whose keys are the person's beside those of the orders and suppliers: pseudonyms of before."""
    supplier_ids: tuple[str, ...] = ()
    """Suppliers whose contact it is."""


class Parts(NamedTuple):
    """What of a person is erased, and what stays."""

    orders: Sequence[Order]
    kept: Sequence[StillKept]
    suppliers: Sequence[Supplier]
    subjects: Sequence[str]
    """Whose keys end."""

    @property
    def streams(self) -> list[str]:
        """Whose commands are not recognised by what they said any more."""
        of_orders = [orders.stream(each.order_id) for each in self.orders]
        return [*of_orders, *(suppliers.stream(each.supplier_id) for each in self.suppliers)]


def parts(view: View, found: Belongings, even_if_open: bool, now: datetime) -> Parts:
    """Parts what can be erased from what has to stay: open orders, unless they go as well, and legal holds."""
    every = _found(view, together(view, found.order_ids))
    kept = [each for order in every if (each := _kept(order, even_if_open, now)) is not None]
    staying = {each.order_id for each in kept}
    gone = [order for order in every if order.order_id not in staying]
    shared = {subject for order in every if order.order_id in staying for subject in order.subjects}
    in_use, of_suppliers = _suppliers(view, found.supplier_ids, even_if_open)
    kept += [StillKept("", KeptBecause.SUPPLIER_IN_USE, supplier_id=each.supplier_id) for each in in_use]
    subjects = [
        *(subject for subject in found.subjects if subject not in shared and not orders.anchored(subject)),
        *(orders.anchor(order.order_id) for order in gone),
        *(suppliers.stream(each.supplier_id) for each in of_suppliers),
    ]
    return Parts(gone, kept, of_suppliers, list(dict.fromkeys(subjects)))


def _suppliers(view: View, supplier_ids: Sequence[str], even_if_open: bool) -> tuple[list[Supplier], list[Supplier]]:
    """Those whose contact stays, and those whose contact goes."""
    streams = list(map(suppliers.stream, supplier_ids))
    view.need(*streams)
    found: list[Supplier] = [state for stream in streams if (state := view.state(stream)) is not None]
    in_use = [] if even_if_open else [each for each in found if each.standing in _IN_USE]
    return in_use, [each for each in found if each not in in_use]


def _kept(order: Order, even_if_open: bool, now: datetime) -> StillKept | None:
    held_until = order.personal_data_held_until
    if held_until is not None and held_until > now:
        return StillKept(order.order_id, KeptBecause.LEGAL_HOLD, held_until)
    is_open = not order.header.is_over or order.after_sales.open_cases
    return StillKept(order.order_id, KeptBecause.OPEN_ORDER) if is_open and not even_if_open else None


class Asked(NamedTuple):
    """Who asks to erase, and how much there is."""

    erasure_id: str
    by: str
    even_if_open: bool
    counts: Mapping[str, int]


def erase(view: View, found: Belongings, asked: Asked, now: datetime) -> list[Change]:
    """What goes says so; raises UnknownPerson if there is nothing, and PersonKept if all has to stay."""
    erased = parts(view, found, asked.even_if_open, now)
    keys = asked.counts.get("keys", 0)
    if not keys:
        raise kept_all(erased.kept) if erased.kept else UnknownPerson
    counts = {kind: count for kind, count in asked.counts.items() if count}
    recorded = ErasureRecorded(asked.erasure_id, asked.by, now, counts, tuple(erased.kept))
    return [
        *changes_of(erasures.stream(asked.erasure_id), [recorded]),
        *(
            change
            for order in erased.orders
            for change in order_changes(order.order_id, [PersonErased(order.order_id, asked.by, now, keys)])
        ),
        *(
            change
            for each in erased.suppliers
            for change in changes_of(
                suppliers.stream(each.supplier_id), [ContactErased(each.supplier_id, asked.by, now)]
            )
        ),
    ]


def kept_all(kept: Sequence[StillKept]) -> PersonKept:
    """Why nothing could be erased, by the first order that stays."""
    first = kept[0]
    instead = (
        "end the hold first, by HoldPersonalData until now"
        if first.because is KeptBecause.LEGAL_HOLD
        else "wait until that ends, or ask for it with even_if_open"
    )
    return PersonKept(order_id=first.order_id, supplier_id=first.supplier_id, why=first.why, instead=instead)


def hold(view: View, held: PersonalDataHeld) -> list[Change]:
    """What is kept of the order's customer stays until then. The same again records nothing."""
    order = order_in(view, held.order_id)
    known = order.personal_data_held_until
    return [] if known == held.until else order_changes(held.order_id, [held])


def together(view: View, order_ids: Iterable[str]) -> list[str]:
    """These orders, and all that are of the same units: they go to the same person."""
    order_ids = list(order_ids)
    paid = _found(view, dict.fromkeys(order.paid_order_id for order in _found(view, order_ids)))
    together = [order_id for order in paid for order_id in (order.order_id, *order.after_sales.reships)]
    return list(dict.fromkeys([*order_ids, *together]))


def _found(view: View, order_ids: Iterable[str]) -> list[Order]:
    order_ids = list(order_ids)
    view.need(*map(orders.stream, order_ids))
    return [order for order_id in order_ids if (order := orders.find(view, order_id)) is not None]
