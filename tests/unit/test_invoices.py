"""Commercial invoices: what stands on them, and the paper that customs reads."""

from __future__ import annotations

import asyncio
import os
from io import BytesIO
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pypdf import PdfReader

from adapters.invoices import commercial_pdf as invoice_pdf
from adapters.invoices.drawing import drawn
from fulfilment.v1 import common_pb2, shipping_pb2
from ledger.decisions.customs import CustomsDataMissing
from ledger.decisions.invoice import (
    Invoice,
    NothingToInvoice,
    NotItsParcel,
    draw_up,
)
from ledger.facts import LineNo
from ledger.nouns.orders import CustomsLine
from ledger.nouns.orders.supplier_orders import Stage, UnknownSupplierOrder
from ledger.nouns.policies import Seller
from ledger.terms.money import Money
from ledger.terms.places import Destination
from ledger.terms.shipping import Incoterm
from tests.support.scenario import (
    FIRST,
    HOUR,
    NOON,
    Scenario,
    accept,
    line,
    refused,
    reject,
)

TEA: dict[str, Any] = {"title": "Tea", "hs_code": "090210", "origin": "CN", "weight_grams": 100}
MUG: dict[str, Any] = {"title": "Mug", "hs_code": "691200", "origin": "CN", "weight_grams": 250}


def sent_abroad() -> Scenario:
    """3 of tea and 2 mugs from China to Germany, sent."""
    scenario = Scenario()
    scenario.approve("acme", country="CN")
    scenario.feed(10, "tea")
    scenario.feed(10, "mug")
    scenario.place(line(2, "mug", 2, **MUG), line(1, "tea", 3, **TEA), incoterm=Incoterm.DAP)
    scenario.later(hours=1)
    scenario.send()
    return scenario


def invoice(scenario: Scenario, parcel: tuple[str, str] | None = None, seller: Seller | None = None) -> Invoice:
    return draw_up(scenario.order(), FIRST, scenario.supplier(), seller, parcel)


# --- what stands on it ----------------------------------------------------------------------------


def test_an_invoice_adds_up_what_a_supplier_order_sends():
    drawn = invoice(sent_abroad())
    assert (drawn.number, drawn.issued_at, drawn.incoterm) == (FIRST, NOON + HOUR, Incoterm.DAP)
    assert [(each.line.title, each.units, each.value_minor, each.weight_grams) for each in drawn.lines] == [
        ("Tea", 3, 1500, 300),
        ("Mug", 2, 1000, 500),
    ]
    assert (drawn.units, drawn.weight_grams, drawn.total) == (5, 800, Money(2500, "EUR"))


def test_what_was_rejected_or_cancelled_does_not_stand_on_it():
    scenario = sent_abroad()
    scenario.answer({1: accept(3), 2: reject(2)})
    scenario.cancel({1: 1})
    scenario.answer_cancel(agreed=True)
    assert [(each.line.line_no, each.units) for each in invoice(scenario).lines] == [(1, 2)]


def test_the_invoice_of_one_parcel_names_only_what_is_in_it():
    scenario = sent_abroad()
    scenario.ship({1: 2})
    scenario.later(hours=5)
    scenario.ship({1: 1, 2: 2}, number="P2")
    drawn = invoice(scenario, ("dhl", "P2"))
    assert (drawn.number, drawn.issued_at, drawn.total) == (f"{FIRST}-P2", scenario.now, Money(1500, "EUR"))
    assert [each.number for each in invoice(scenario).shipments] == ["P1", "P2"]


def test_a_declared_value_stands_on_it_instead_of_the_price():
    scenario = sent_abroad()
    scenario.complete_customs(CustomsLine(LineNo(1), declared_value_minor=300))
    assert invoice(scenario).total == Money(1900, "EUR")


def test_there_is_no_invoice_while_customs_data_is_missing():
    scenario = sent_abroad()
    scenario.place(line(1, "tea", 1), order_id="shopify/2", destination=Destination("CN"))
    with refused(CustomsDataMissing, "lacks what customs asks for: incoterm, lines\\[0\\].title"):
        draw_up(scenario.order("shopify/2"), "shopify/2/1", scenario.supplier(), None)


def test_there_is_no_invoice_of_what_is_not_sent():
    scenario = sent_abroad()
    scenario.answer({1: reject(3), 2: reject(2)})
    with refused(NothingToInvoice, f"supplier order {FIRST} is rejected", stage=Stage.REJECTED):
        invoice(scenario)


def test_there_is_no_invoice_of_another_parcel_or_an_unknown_supplier_order():
    scenario = sent_abroad()
    with refused(NotItsParcel, f"supplier order {FIRST} has no parcel P9 of dhl"):
        invoice(scenario, ("dhl", "P9"))
    with refused(UnknownSupplierOrder, "there is no supplier order shopify/1/7"):
        draw_up(scenario.order(), "shopify/1/7", scenario.supplier(), None)


# --- on paper -------------------------------------------------------------------------------------


def on_paper(lines: int = 2, **more: Any) -> shipping_pb2.CommercialInvoice:
    issued_at = Timestamp()
    issued_at.FromJsonString("2026-03-03T19:00:00Z")
    goods = [
        shipping_pb2.InvoiceLine(
            line_no=n, sku=f"TEA-{n:03}", title=f"Green tea & honey No. {n} 龙井绿茶", hs_code="09021000", origin="CN",
            units=n, unit_value_minor=1990, value_minor=1990 * n, weight_grams=130 * n,
        )
        for n in range(1, lines + 1)
    ]  # fmt: skip
    fields: dict[str, Any] = {
        "number": "shopify/1001/1-RB123456785CN",
        "issued_at": issued_at,
        "order_id": "shopify/1001",
        "seller": shipping_pb2.InvoiceParty(name="Morgenrot Handels GmbH", country="DE", tax_id="IM2760000742"),
        "shipper": shipping_pb2.InvoiceParty(
            name="杭州茶叶有限公司", address=["浙江省杭州市西湖区龙井路1号"], country="CN"
        ),
        "buyer": shipping_pb2.InvoiceParty(name="Łukasz Żółć", address=["ul. Świętojańska 5", "81-368 Gdynia"]),
        "incoterm": shipping_pb2.INCOTERM_DDP,
        "lines": goods,
        "units": sum(each.units for each in goods),
        "weight_grams": sum(each.weight_grams for each in goods),
        "total": common_pb2.Money(amount_minor=sum(each.value_minor for each in goods), currency="EUR"),
        "parcels": ["china-post RB123456785CN"],
    }
    return shipping_pb2.CommercialInvoice(**{**fields, **more})


def pages(message: shipping_pb2.CommercialInvoice) -> list[str]:
    """What a reader of the PDF reads, page by page."""
    reader = PdfReader(BytesIO(invoice_pdf.draw(message)))
    assert {tuple(float(side) for side in page.mediabox[2:]) for page in reader.pages} == {(595.2756, 841.8898)}
    return [page.extract_text() for page in reader.pages]


def test_the_paper_says_everything_that_customs_asks_for():
    (text,) = pages(on_paper())
    for fields in (
        "COMMERCIAL INVOICE", "shopify/1001/1-RB123456785CN", "2026-03-03", "shopify/1001", "DDP", "EUR",
        "Morgenrot Handels GmbH", "Tax ID IM2760000742", "Łukasz Żółć", "ul. Świętojańska 5", "81-368 Gdynia",
        "Green tea & honey No. 2", "09021000", "CN", "19.90", "39.80", "0.260", "59.70", "0.390",
        "duties and taxes are paid by the seller", "china-post RB123456785CN", "Page 1 of 1",
    ):  # fmt: skip
        assert fields in text, f"{fields!r} does not stand on the paper"


def test_chinese_is_set_in_a_font_that_has_it():
    (text,) = pages(on_paper(1))
    assert "杭州茶叶有限公司" in text
    assert "浙江省杭州市西湖区龙井路1号" in text.replace("\n", "")
    assert "龙井绿茶" in text


def test_a_long_invoice_repeats_its_header_and_totals_once_at_the_end():
    texts = pages(on_paper(80))
    assert len(texts) > 2
    assert all("Description of goods" in text for text in texts)
    assert [f"Page {n} of {len(texts)}" in text for n, text in enumerate(texts, 1)] == [True] * len(texts)
    total = f"{1990 * 80 * 81 // 2 / 100:,.2f}"
    assert [text.count(total) for text in texts] == [0] * (len(texts) - 1) + [1]
    assert sum(text.count("SKU TEA-") for text in texts) == 80


def test_money_without_cents_is_written_without_a_point():
    yen = common_pb2.Money(amount_minor=5970, currency="JPY")
    (text,) = pages(on_paper(total=yen))
    assert "5,970" in text
    assert "1,990" in text


def test_words_that_look_like_markup_and_words_without_end_are_only_words():
    odd = shipping_pb2.InvoiceParty(name="<b>Bobby</b> & <para>", address=["x" * 200])
    (text,) = pages(on_paper(buyer=odd))
    assert "<b>Bobby</b> & <para>" in text


def test_a_forgotten_buyer_leaves_an_empty_place():
    (text,) = pages(on_paper(buyer=shipping_pb2.InvoiceParty(country="DE")))
    assert "(not known)" in text


async def test_drawing_a_long_invoice_takes_nothing_of_the_process_that_answers_calls():
    paper = on_paper(1000)
    began = os.times()
    pdf = await drawn(paper)
    taken = [now - then for now, then in zip(os.times(), began, strict=True)]
    ours, of_the_drawing = sum(taken[:2]), sum(taken[2:4])
    assert ours < of_the_drawing / 4, "drawn in a thread it is all ours"
    assert len(PdfReader(BytesIO(pdf)).pages) > 30


async def test_who_stops_waiting_for_an_invoice_leaves_the_next_nothing_to_wait_for():
    waiting = asyncio.create_task(drawn(on_paper(1000)))
    await asyncio.sleep(0.3)
    waiting.cancel()
    async with asyncio.timeout(20):
        assert (await drawn(on_paper(1))).startswith(b"%PDF")


def test_the_same_invoice_is_the_same_bytes():
    assert invoice_pdf.draw(on_paper()) == invoice_pdf.draw(on_paper())


@pytest.mark.parametrize("term", [shipping_pb2.INCOTERM_DDP, shipping_pb2.INCOTERM_DAP])
def test_the_paper_says_who_pays_the_duty(term: shipping_pb2.Incoterm.ValueType):
    (text,) = pages(on_paper(incoterm=term))
    payer = "seller" if term == shipping_pb2.INCOTERM_DDP else "buyer"
    assert f"duties and taxes are paid by the {payer}" in text
