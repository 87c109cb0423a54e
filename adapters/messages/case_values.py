"""What templates may print of a return case."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.messages.wording import Row
from adapters.messages.words import humane
from ledger.nouns.cases import Case, Label
from ledger.nouns.orders import Order
from ledger.terms.money import Money


def case_values(
    case_id: str, case: Case | None, order: Order | None, language: str, return_address: str
) -> dict[str, str | list[Row]]:
    """``return_address`` is where the goods go, line by line, as it was unsealed."""
    label = newest_label(case)
    return {
        "case": case_id,
        "case_reason": case.opened.reason.value if case else "",
        "remedy": case.remedy.value if case and case.remedy else "",
        "denial": case.denial.value if case and case.denial else "",
        "liable": case.ruling.liable.value if case and case.ruling else "",
        "exchange_sku": case.chosen.exchange.sku if case and case.chosen and case.chosen.exchange else "",
        "wanted": _wanted(case.wanted if case else (), language),
        "label": label.label_id if label else "",
        "label_file": file_name(label) if label and label.file else "",
        "return_to": return_address if label else "",
        "freight_payer": label.freight_payer.value if label else "",
        "freight": _money(label.freight_minor, order) if label and label.freight_minor else "",
        **_refunds(case),
    }


def newest_label(case: Case | None) -> Label | None:
    """What the customer sends its goods back with."""
    return next(reversed(case.labels.values()), None) if case is not None else None


def file_name(label: Label) -> str:
    """What the file of a label is called where it is attached."""
    ending = "png" if label.file is not None and label.file.content_type == "image/png" else "pdf"
    return f"return-label-{label.label_id}.{ending}"


LABELLED = "return_labelled"
"""The step of a case that the customer gets its label with."""


def _wanted(words: Sequence[str], language: str) -> list[Row]:
    return [{"what": humane(word, language)} for word in words]


def _money(amount_minor: int, order: Order | None) -> str:
    return str(Money(amount_minor, order.currency)) if order is not None else ""


def _refunds(case: Case | None) -> dict[str, str]:
    """The money of the case: granted in all, and what was taken off for sending the goods back."""
    refunds = list(case.refunds.values()) if case is not None else []
    if case is None or not refunds:
        return {"granted": "", "freight_kept": ""}
    kept = sum(each.freight_minor for each in refunds)
    granted = sum(each.amount_minor for each in refunds)
    return {
        "granted": str(Money(granted, case.currency)),
        "freight_kept": str(Money(kept, case.currency)) if kept else "",
    }
