"""Decisions on goods that come back: labels, what was received, what was found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ledger.facts import LineNo, Units
from ledger.nouns.cases.facts import CaseFact, Inspection, ReturnLabelled, ReturnReceived
from ledger.nouns.cases.refusals import (
    InspectedBefore,
    LabelledDifferently,
    NothingToSendBack,
    NotMissing,
    OverInspected,
    OverReceived,
    ReceivedBefore,
    SentBackOtherwise,
    UnknownLabel,
    require_lines,
)
from ledger.nouns.cases.reships import require_remedy
from ledger.nouns.cases.state import Case
from ledger.terms.parties import Party


def label(case: Case, labelled: ReturnLabelled) -> Sequence[CaseFact]:
    """Units are to come back. The same label again records nothing, unless its file is new."""
    require_lines(case, labelled.by_line)
    present = case.labels.get(labelled.label_id)
    if present is not None:
        if present.by_line != labelled.by_line:
            raise LabelledDifferently(labelled.label_id)
        return [] if labelled.file in (None, present.file) else [labelled]
    require_remedy(case)
    if not labelled.by_line:
        raise NothingToSendBack(case.case_id)
    return [labelled]


def ship_back(case: Case, label_id: str, carrier: str, number: str) -> bool:
    """Whether it is new that a label's units left the customer."""
    present = case.labels.get(label_id)
    if present is None:
        raise UnknownLabel(case.case_id, label_id)
    if present.shipped_at is None:
        require_remedy(case)
        return True
    if (present.carrier, present.number) != (carrier, number):
        raise SentBackOtherwise(label_id, present.carrier, present.number)
    return False


def receive(case: Case, by_line: Units, at: datetime) -> Sequence[CaseFact]:
    """So many units have come back in all. The same figures again record nothing."""
    require_lines(case, by_line)
    if all(case.received.get(line_no, 0) == units for line_no, units in by_line.items()):
        return []
    require_remedy(case)
    for line_no, units in by_line.items():
        if units > case.labelled(line_no):
            raise OverReceived(line_no, units, case.labelled(line_no))
        if units < case.received.get(line_no, 0):
            raise ReceivedBefore(line_no, units, case.received[line_no])
    return [ReturnReceived(case.case_id, by_line, at)]


def inspect(case: Case, by_line: dict[LineNo, Inspection], undelivered: Units) -> Units:
    """What became of the returned units in all; returns how many units of each line are newly restocked.

    Undelivered counts units that are told of for the first time and came back without having arrived: what became of
    those is recorded in a case of any status.
    """
    require_lines(case, by_line)
    if all(case.inspection(line_no) == inspection for line_no, inspection in by_line.items()):
        return {}
    if by_line.keys() - undelivered.keys() - case.undelivered.keys():
        require_remedy(case)
    for line_no, inspection in by_line.items():
        _require_possible(case, line_no, inspection, case.received.get(line_no, 0) + undelivered.get(line_no, 0))
    newly = {n: inspection.restocked - case.inspection(n).restocked for n, inspection in by_line.items()}
    return {line_no: units for line_no, units in newly.items() if units}


def _require_possible(case: Case, line_no: LineNo, inspection: Inspection, received: int) -> None:
    before = case.inspection(line_no)
    if inspection.looked_at > received:
        raise OverInspected(line_no, inspection.looked_at, received)
    if inspection.missing > (not_received := max(case.labelled(line_no) - received, 0)):
        raise NotMissing(line_no, inspection.missing, not_received)
    for what, now, then in (
        ("restocked", inspection.restocked, before.restocked),
        ("not restocked", inspection.not_restocked, before.not_restocked),
        ("inspected", inspection.units, before.units),
    ):
        if now < then:
            raise InspectedBefore(line_no, now, then, what)


def freight_payer(case: Case, free_return_within_days: int) -> Party:
    """Who pays for the return: the liable party, but not the customer within the window for free returns."""
    assert case.ruling is not None, "goods come back after a ruling"
    liable, delivered_at = case.ruling.liable, case.opened.delivered_at
    if liable is Party.CUSTOMER and delivered_at is not None:
        within = case.opened.at <= delivered_at + timedelta(days=free_return_within_days)
        if free_return_within_days and within:
            return Party.RETAILER
    return liable
