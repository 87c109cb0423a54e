"""Series of invoice numbers: each number of a seller and year is given once, and none is left out (DOMAIN 1).

A series is a stream with one fact for each number, and a number is the place of its fact in the stream. So the log
itself, in which no stream has a place twice or leaves one out, keeps numbers without gaps, whatever is decided at once
in however many processes: a number and the document that has it are written together, or neither is.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from ledger.facts import Fact, Value
from ledger.view import View, noun


def stream(series: str) -> str:
    return f"invoice_series-{series}"


def find(view: View, series: str) -> InvoiceSeries | None:
    found: InvoiceSeries | None = view.state(stream(series))
    return found


# --- facts ----------------------------------------------------------------------------------------


class InvoiceKind(StrEnum):
    """What has a number; each kind has series of its own."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


class NumberTaken(Fact, frozen=True, tag="invoice_series.number_taken"):
    """A document of an order has the next number of the series."""

    series: str
    number: int
    order_id: str
    at: datetime

    @property
    def text(self) -> str:
        """The number as it stands on the document."""
        return f"{self.series}-{self.number:06}"


InvoiceSeriesFact = NumberTaken

# --- state ----------------------------------------------------------------------------------------


class InvoiceSeries(Value, frozen=True):
    """A series, folded from its facts."""

    last: int
    """The last number that was given."""


def evolve(series: InvoiceSeries | None, fact: InvoiceSeriesFact) -> InvoiceSeries:
    return InvoiceSeries(fact.number)


NOUN = noun("invoice_series", InvoiceSeriesFact, evolve, kept_as=InvoiceSeries)

# --- decisions ------------------------------------------------------------------------------------


def series_of(document: InvoiceKind, tax_id: str, year: int) -> str:
    """The series of a seller and year; empty for a seller without a tax id, which can give no invoice."""
    code = "".join(letter for letter in tax_id.upper() if letter.isascii() and letter.isalnum())
    kind = "C" if document is InvoiceKind.CREDIT_NOTE else ""
    return f"{code}-{kind}{year}" if code else ""


def take_number(series: InvoiceSeries | None, name: str, order_id: str, at: datetime) -> NumberTaken:
    """The next number of the series."""
    return NumberTaken(name, (series.last if series else 0) + 1, order_id, at)
