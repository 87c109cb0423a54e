"""What belongs to an order as rows of its file: lines, parcels, cases, recoveries, questions, messages, evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from adapters.rpc.finding.order_page import Cell, Row, Section
from adapters.sentences import SentenceReader, catalogue, value_in_words
from ledger.facts import to_minute
from ledger.nouns.cases import Case
from ledger.nouns.inquiries import Inquiry
from ledger.nouns.messages import Message
from ledger.nouns.orders import Order
from ledger.nouns.parcels import Parcel
from ledger.nouns.recoveries import Recovery

_BUCKETS = ("open", "backordered", "assigned", "shipped", "delivered", "cancelled", "lost", "returned")


class OrderBelongings(NamedTuple):
    """What belongs to an order, folded."""

    order: Order
    parcels: Sequence[Parcel]
    cases: Sequence[Case]
    recoveries: Mapping[str, Recovery]
    inquiries: Mapping[str, Inquiry]
    messages: Mapping[str, Message]
    kept: frozenset[str]
    """The hashes of evidence whose bytes are there."""


class Tables(NamedTuple):
    """Tells what belongs to an order."""

    reader: SentenceReader

    def sections(self, of: OrderBelongings) -> Iterator[Section]:
        yield self._section("lines", "line sku title_of quantity price buckets", self._lines(of.order))
        yield self._section(
            "supplier_orders", "supplier_order supplier state units sent dispatch_by", self._supplier_orders(of.order)
        )
        yield self._section("parcels", "parcel state units delivered scans", map(self._parcel, of.parcels))
        yield self._section("cases", "case state reason units liable remedy refunds", map(self._case, of.cases))
        yield self._section(
            "recoveries",
            "recovery kind of_whom state amount agreed received",
            self._each(self._recovery, of.recoveries),
        )
        yield self._section("inquiries", "inquiry asked topic at answered", self._each(self._inquiry, of.inquiries))
        yield self._section(
            "messages", "message kind audience state sent channel", self._each(self._message, of.messages)
        )
        yield self._section("evidence", "case sha256 type size given_by at kept", self._evidence(of))

    def at(self, at: datetime | None) -> Cell:
        """In the reader's zone, and in UTC below it."""
        if at is None:
            return Cell("")
        here, _, utc = self.reader.moment(at).partition(" (")
        here = here.removesuffix(self.reader.zone).rstrip()  # which the head of the file names
        return Cell(here, [("more", utc.removesuffix(")"))] if utc else [])

    def text(self, name: str, value: Any) -> str:
        return value_in_words(name, value, self.reader)

    def word(self, name: str) -> str:
        return catalogue(self.reader.language)["file"][name]

    def _section(self, name: str, columns: str, rows: Iterable[Row]) -> Section:
        return Section(name, columns.split(), list(rows))

    def _each(self, row: Any, found: Mapping[str, Any]) -> Iterator[Row]:
        return (row(its_id, each) for its_id, each in found.items())

    def _lines(self, order: Order) -> Iterator[Row]:
        for line_no, line in order.lines.items():
            buckets = order.buckets.get(line_no)
            counts = [(name, getattr(buckets, name)) for name in _BUCKETS] if buckets is not None else []
            places = [f"{self.word(_BUCKET_WORDS.get(name, name))} {count}" for name, count in counts if count]
            yield {
                "line": str(line_no),
                "sku": line.sku,
                "title_of": line.title,
                "quantity": str(line.quantity),
                "price": self.reader.money(line.unit_price_minor, order.currency),
                "buckets": self.reader.phrase("list").join(places),
            }

    def _supplier_orders(self, order: Order) -> Iterator[Row]:
        for each in order.supplier_orders.values():
            yield {
                "supplier_order": each.supplier_order_id,
                "supplier": self.reader.supplier(each.supplier_id),
                "state": self.text("stage", each.stage),
                "units": self.text("by_line", {line_no: share.given for line_no, share in each.shares.items()}),
                "sent": self.at(each.sent_at),
                "dispatch_by": self.at(each.dispatch_by),
            }

    def _parcel(self, parcel: Parcel) -> Row:
        scans = [
            (
                "more",
                " ".join(filter(None, [to_minute(each.at), self.text("status", each.status), each.city, each.country])),
            )
            for each in parcel.checkpoints
        ]
        return {
            "parcel": Cell(f"{self.reader.carrier(parcel.carrier)} {parcel.number}", [("more", parcel.return_of)]),
            "state": self.text("status", parcel.status),
            "units": self.text("by_line", parcel.by_line),
            "delivered": self.at(parcel.delivered_at),
            "scans": Cell("", scans),
        }

    def _case(self, case: Case) -> Row:
        ruling = case.ruling
        refunds = [
            ("more", f"{its_id}: {self.reader.money(each.amount_minor, case.currency)}{self._paid(each.paid_at)}")
            for its_id, each in case.refunds.items()
        ]
        return {
            "case": case.case_id,
            "state": self.text("status", case.status),
            "reason": self.text("reason", case.opened.reason),
            "units": self.text("by_line", case.by_line),
            "liable": Cell(self.text("liable", ruling.liable), [("more", self.text("because", ruling.because))])
            if ruling is not None
            else "",
            "remedy": self.text("remedy", case.remedy) or self.text("because", case.denial),
            "refunds": Cell("", refunds),
        }

    def _paid(self, at: datetime | None) -> str:
        return f", {self.reader.word('paid')} {to_minute(at)}" if at is not None else ""

    def _recovery(self, recovery_id: str, recovery: Recovery) -> Row:
        opened = recovery.opened
        whom = self.text("supplier_id", opened.subject.supplier_id) or self.text("carrier", opened.subject.carrier)
        money = [sum(each.amount_minor for each in recovery.costs), recovery.agreed_minor]
        money.append(sum(each.amount_minor for each in recovery.received))
        costs, agreed, received = (self.reader.money(each, opened.currency) for each in money)
        return {
            "recovery": recovery_id,
            "kind": self.text("kind", opened.kind),
            "of_whom": whom,
            "state": self.text("status", recovery.status),
            "amount": costs,
            "agreed": agreed,
            "received": received,
        }

    def _inquiry(self, inquiry_id: str, inquiry: Inquiry) -> Row:
        asked = inquiry.asked
        return {
            "inquiry": inquiry_id,
            "asked": f"{self.text('asked_by', asked.asked_by)} → {self.text('asked_of', asked.asked_of)}",
            "topic": self.text("topic", asked.topic),
            "at": self.at(asked.at),
            "answered": self.at(inquiry.answers[0].at if inquiry.answers else None),
        }

    def _message(self, message_id: str, message: Message) -> Row:
        return {
            "message": Cell(message_id, [("more", message.reference)]),
            "kind": self.text("kind", message.asked.kind),
            "audience": self.text("audience", message.asked.audience),
            "state": Cell(self.text("stage", message.stage), [("more", message.because or message.error)]),
            "sent": self.at(message.sent_at),
            "channel": message.channel,
        }

    def _evidence(self, of: OrderBelongings) -> Iterator[Row]:
        for case in of.cases:
            for each in case.evidence.values():
                yield {
                    "case": case.case_id,
                    "sha256": each.sha256,
                    "type": each.content_type,
                    "size": f"{each.size_bytes:,}",
                    "given_by": self.text("given_by", each.given_by),
                    "at": self.at(each.at),
                    "kept": self.word("yes" if each.sha256 in of.kept else "erased"),
                }


_BUCKET_WORDS = {"delivered": "delivered_units"}
