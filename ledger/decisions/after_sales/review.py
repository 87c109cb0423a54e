"""Steps of a case before its remedy: answers, evidence, the ruling, its end, and its reopening."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from ledger.decisions.after_sales.docket import CaseDocket, take
from ledger.facts import Change, Sealed, minus
from ledger.nouns import cases, policies, suppliers
from ledger.nouns.cases import Denial
from ledger.nouns.orders import after_sales
from ledger.nouns.policies import policy_at
from ledger.terms.clocks import Clock
from ledger.terms.parties import Party
from ledger.view import View


def answer(view: View, case_id: str, at: datetime, now: datetime) -> list[Change]:
    """The customer was informed that somebody looks at its case."""
    docket = CaseDocket(view, case_id, now)
    docket.add(cases.answer(docket.case, at))
    return docket.close()


def request_evidence(view: View, case_id: str, wanted: tuple[str, ...], at: datetime, now: datetime) -> list[Change]:
    """Ask the customer for evidence, until a day that the retailer's terms give."""
    docket = CaseDocket(view, case_id, now)
    due = at + timedelta(days=policy_at(policies.find(view), at).evidence_within_days)
    docket.add(cases.request_evidence(docket.case, wanted, due, at))
    return docket.close()


def add_evidence(view: View, added: cases.EvidenceAdded, now: datetime) -> list[Change]:
    """Adds evidence, whose bytes are stored already, to the case."""
    docket = CaseDocket(view, added.case_id, now)
    docket.add(cases.add_evidence(docket.case, added))
    return docket.close()


def start_review(view: View, case_id: str, at: datetime, now: datetime) -> list[Change]:
    """The review of a case starts."""
    docket = CaseDocket(view, case_id, now)
    docket.add(cases.start_review(docket.case, at))
    return docket.close()


def rule(view: View, ruling: cases.LiabilityRuled, now: datetime) -> list[Change]:
    """Who is liable, on which evidence."""
    docket = CaseDocket(view, ruling.case_id, now)
    docket.add(cases.rule(docket.case, with_due(docket, ruling)))
    return docket.close()


def with_due(docket: CaseDocket, ruling: cases.LiabilityRuled) -> cases.LiabilityRuled:
    """With when the suppliers that are liable must have resolved the case: from the first ruling that says so on."""
    if ruling.liable is not Party.SUPPLIER:
        return ruling
    before = docket.case.ruling
    if before is not None and before.liable is Party.SUPPLIER:
        return replace(ruling, resolve_by=before.resolve_by)
    # A case that was opened again is no further chance for a supplier that was late with it.
    late = {missed.supplier_id for missed in docket.case.late if missed.clock is Clock.RESOLUTION}
    names = sorted(set(docket.case.opened.suppliers.values()) - late)
    docket.view.need(*map(suppliers.stream, names))
    found = ((name, suppliers.find(docket.view, name)) for name in names)
    agreed = ((name, each.agreement_at(ruling.at)) for name, each in found if each is not None)
    due = {name: each.resolve_by(ruling.at) for name, each in agreed if each is not None}
    return replace(ruling, resolve_by={name: at for name, at in due.items() if at is not None})


def deny(view: View, case_id: str, because: Denial, note: Sealed | None, at: datetime, now: datetime) -> list[Change]:
    """The case is denied; its units can be in another case."""
    docket = CaseDocket(view, case_id, now)
    docket.add(cases.deny(docket.case, because, note, at))
    return docket.close()


def cancel(view: View, case_id: str, by: Party, because: str, at: datetime, now: datetime) -> list[Change]:
    """Cancel the case, before goods or money moved."""
    docket = CaseDocket(view, case_id, now)
    awaited = docket.case.all_awaited
    if docket.add(cases.cancel(docket.case, by, because, at)) and awaited:
        docket.add_to_order([after_sales.ReturnGivenUp(docket.order.order_id, case_id, awaited, at)])
    return docket.close()


def reopen(view: View, case_id: str, evidence: tuple[str, ...], at: datetime, now: datetime) -> list[Change]:
    """Reopen the case for new evidence, with its units unless another case has them meanwhile."""
    docket = CaseDocket(view, case_id, now)
    case = docket.case
    whole = case.opened.by_line
    docket.add(cases.reopen(case, whole, evidence, at))
    again = minus(whole, case.by_line)
    docket.add_to_order(take(docket.order, case_id, case.opened.reason, again, at))
    return docket.close()
