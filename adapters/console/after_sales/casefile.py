"""A case at a terminal: its data, and what somebody can do next."""

from __future__ import annotations

from datetime import datetime

from adapters.console.terminal.printer import Printer
from adapters.console.terminal.words import at, minute, money, span, units, word
from fulfilment.v1 import cases_pb2, common_pb2

_SHOWN_DIGITS = 12
"""Of a hash in a table; enough to distinguish evidence and to name it."""


def print_case(out: Printer, found: cases_pb2.Case, skus: dict[int, str], zone: str) -> None:
    """All of it, and the next step; its answer is due in the time zone of the retailer."""
    out.title(f"Case {found.case_id}", status_of(found))
    out.facts(_facts(found, zone))
    out.blank()
    _print_lines(out, found, skus)
    for heading, rows in (
        (["evidence", "type", ">bytes", "from", "handed in"], _evidence_rows(found)),
        (["reship", "units", "arrived", "failed", "ended"], _reship_rows(found)),
        (["label", "units", "to", "freight paid by", ">freight", "parcel", "sent back", "file"], _label_rows(found)),
        (["refund", "for", ">amount", ">freight kept", "granted", "paid", "reference"], _refund_rows(found)),
    ):
        if rows:
            out.blank()
            out.table(heading, rows)
    if step := next_step(found):
        out.blank()
        out.say(step)


def _facts(found: cases_pb2.Case, zone: str) -> list[tuple[str, str]]:
    late = ", too late" if found.first_answer_missed else ""
    answered = minute(found, "first_answered_at")
    ruling = ""
    if found.HasField("ruling"):
        ruling = f"{word(common_pb2.Party, found.ruling.liable)}: {', '.join(found.ruling.reasons)}"
    return [
        ("order", found.order_id),
        ("reason", word(cases_pb2.CaseReason, found.reason)),
        ("opened", minute(found, "opened_at")),
        ("first answer by", minute(found, "first_answer_by", zone)),
        ("first answered", answered + late if answered else late.removeprefix(", ")),
        ("asked for", ", ".join(found.evidence_wanted)),
        ("evidence by", minute(found, "evidence_by")),
        ("liable", ruling),
        ("remedy", word(cases_pb2.Remedy, found.remedy) if found.remedy else ""),
        ("sent instead", _exchange(found)),
        ("reship failed", word(cases_pb2.ReshipFailure, found.reship_failure) if found.reship_failure else ""),
        ("denied", word(cases_pb2.Denial, found.denial) if found.denial else ""),
        ("closed", minute(found, "closed_at")),
        ("customer wrote", found.note),
        ("ruling's note", found.ruling.note),
        ("denial's note", found.denial_note),
        ("facts", str(found.version)),
    ]


def _exchange(found: cases_pb2.Case) -> str:
    exchange = found.exchange
    priced = f", {money(exchange.price_minor, found.currency)} each" if exchange.HasField("price_minor") else ""
    return f"{exchange.sku}{priced}" if found.HasField("exchange") else ""


def _print_lines(out: Printer, found: cases_pb2.Case, skus: dict[int, str]) -> None:
    rows = [
        [
            each.line_no,
            skus.get(each.line_no, ""),
            each.supplier_id,
            each.units,
            each.undecided or "",
            each.labelled or "",
            each.received or "",
            each.inspected.restocked or "",
            each.inspected.not_restocked or "",
            each.inspected.needs_work or "",
            each.inspected.missing or "",
        ]
        for each in found.lines
    ]
    headings = ["line", "sku", "supplier", "units", "undecided", "labelled", "received", "restocked"]
    headings += ["not restocked", "needs work", "missing"]
    numbers = [f">{each}" if each not in ("sku", "supplier") else each for each in headings]
    out.table(numbers, rows, empty="It is about no units any more.")


def _evidence_rows(found: cases_pb2.Case) -> list[list[object]]:
    return [
        [
            each.sha256[:_SHOWN_DIGITS],
            word(cases_pb2.EvidenceType, each.type),
            f"{each.size_bytes:,}",
            word(common_pb2.Party, each.given_by),
            minute(each, "at"),
        ]
        for each in found.evidence
    ]


def _reship_rows(found: cases_pb2.Case) -> list[list[object]]:
    return [
        [each.order_id, units(each.lines), units(each.arrived), units(each.failed), minute(each, "ended_at")]
        for each in found.reships
    ]


def _label_rows(found: cases_pb2.Case) -> list[list[object]]:
    return [
        [
            each.label_id,
            units(each.lines),
            each.supplier_id,
            word(common_pb2.Party, each.freight_payer),
            money(each.freight_minor, found.currency) if each.freight_minor else "",
            f"{each.carrier} {each.tracking_number}".strip(),
            minute(each, "shipped_at"),
            each.file_sha256[:_SHOWN_DIGITS],
        ]
        for each in found.labels
    ]


def _refund_rows(found: cases_pb2.Case) -> list[list[object]]:
    return [
        [
            each.refund_id,
            " + ".join([*filter(None, [units(each.lines)]), *(charge.charge_id for charge in each.charges)]),
            money(each.amount_minor, found.currency),
            money(each.freight_minor, found.currency) if each.freight_minor else "",
            minute(each, "granted_at"),
            minute(each, "paid_at"),
            each.reference,
        ]
        for each in found.refunds
    ]


def status_of(found: cases_pb2.Case) -> str:
    return word(cases_pb2.CaseStatus, found.status)


def next_step(found: cases_pb2.Case) -> str:
    """What somebody can do now, as a command."""
    name = found.case_id
    owed = next((each for each in found.refunds if not each.HasField("paid_at")), None)
    underway = next((each for each in found.reships if not each.HasField("ended_at")), None)
    match found.status:
        case cases_pb2.CASE_STATUS_OPENED | cases_pb2.CASE_STATUS_EVIDENCE_REQUESTED:
            return f"Next: fulfilment case evidence add {name} FILE, or fulfilment case review {name}"
        case cases_pb2.CASE_STATUS_UNDER_REVIEW:
            return f"Next: fulfilment case rule {name} supplier|customer|carrier|retailer --reason WORD"
        case cases_pb2.CASE_STATUS_LIABILITY_RULED:
            return f"Next: fulfilment case approve {name} reship|refund|return, or fulfilment case deny {name} REASON"
        case cases_pb2.CASE_STATUS_APPROVED | cases_pb2.CASE_STATUS_IN_REMEDY:
            if underway is not None:
                return f"Next: order {underway.order_id} has to arrive; fulfilment show {underway.order_id}"
            if owed is not None:
                amount = money(owed.amount_minor, found.currency)
                return f"Next: pay {amount}, then fulfilment case paid {name} {owed.refund_id}"
            return _next_return_step(found)
        case _:
            return ""


def _next_return_step(found: cases_pb2.Case) -> str:
    name = found.case_id
    if found.remedy == cases_pb2.REMEDY_RETURN and not found.labels:
        return f"Next: fulfilment case label {name} LABEL"
    if any(each.received < each.labelled - each.inspected.missing for each in found.lines):
        return f"Next: fulfilment case receive {name} LINE:UNITS"
    for each in found.lines:
        if each.received > each.inspected.restocked + each.inspected.not_restocked or each.inspected.needs_work:
            return f"Next: fulfilment case inspect {name} --line {each.line_no} --restocked N"
    return f"Next: fulfilment case refund {name} REFUND"


def turn(row: cases_pb2.CaseSummary, now: datetime) -> str:
    """Who has to act, and by when."""
    if row.HasField("closed_at"):
        return ""
    due, evidence_by = at(row, "first_answer_by"), at(row, "evidence_by")
    if not row.HasField("first_answered_at") and due is not None:
        late = f"{span(now - due)} late" if now > due else f"in {span(due - now)}"
        return f"we answer, {late}"
    if evidence_by is not None:
        over = "time is over" if now > evidence_by else f"in {span(evidence_by - now)}"
        return f"customer sends evidence, {over}"
    if row.granted_minor > row.paid_minor:
        return f"we pay {money(row.granted_minor - row.paid_minor, row.currency)}"
    return "we decide"
