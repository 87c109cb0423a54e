"""Commercial invoices as PDF: A4, the header of the table on every page, Chinese in the reader's own fonts."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from functools import cache, partial
from html import escape
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from fulfilment.v1 import shipping_pb2
from ledger.terms.money import amount

_PLAIN, _BOLD = "DejaVuSans", "DejaVuSans-Bold"
"""They hold Latin, Greek and Cyrillic, come with matplotlib, and are embedded as far as they are used."""
_EAST_ASIAN = {
    "STSong-Light": "\u2e80-\u303f\u3400-\u9fff\uf900-\ufaff\uff00-\uffef",
    "HeiseiMin-W3": "\u3040-\u30ff",
    "HYSMyeongJo-Medium": "\u1100-\u11ff\uac00-\ud7af",
}
"""Chinese, Japanese kana, Korean: fonts that every reader of PDF brings, and the characters that each sets."""
_RUNS = re.compile("|".join(f"([{characters}]+)" for characters in _EAST_ASIAN.values()))
_FONT_OF_RUN = tuple(_EAST_ASIAN)

INK, _GREY, RULE, BAND = HexColor("#1d2733"), HexColor("#66707c"), HexColor("#c9d0d8"), HexColor("#eef1f5")
MARGIN = 18 * mm
WIDTH = A4[0] - 2 * MARGIN
_COLUMNS = (9 * mm, 58 * mm, 24 * mm, 14 * mm, 13 * mm, 18 * mm, 18 * mm, 20 * mm)

_TERMS = {
    shipping_pb2.INCOTERM_DDP: ("DDP", "delivered duty paid: duties and taxes are paid by the seller"),
    shipping_pb2.INCOTERM_DAP: ("DAP", "delivered at place: duties and taxes are paid by the buyer"),
}


def draw(invoice: shipping_pb2.CommercialInvoice) -> bytes:
    """The invoice on A4. The same invoice gives the same bytes."""
    register_fonts()
    return pages(f"Commercial invoice {invoice.number}", invoice.seller.name or invoice.shipper.name, _content(invoice))


def pages(title: str, author: str, content: list[Any]) -> bytes:
    """A document on A4 whose title and number stand on each page."""
    out = BytesIO()
    document = SimpleDocTemplate(
        out,
        pagesize=A4,
        # The frame pads its text by six points, which the tables do without.
        leftMargin=MARGIN - 6,
        rightMargin=MARGIN - 6,
        topMargin=16 * mm,
        bottomMargin=20 * mm,
        title=title,
        author=author,
        invariant=1,
    )
    document.build(content, canvasmaker=partial(_NumberedPages, label=title))
    return out.getvalue()


@cache
def register_fonts() -> None:
    found = find_spec("matplotlib")
    assert found is not None, "matplotlib, which brings the letters, is installed"
    folder = Path(str(found.origin)).parent / "mpl-data" / "fonts" / "ttf"
    for name in (_PLAIN, _BOLD):
        registerFont(TTFont(name, folder / f"{name}.ttf"))
    for name in _EAST_ASIAN:
        registerFont(UnicodeCIDFont(name))


# --- words ----------------------------------------------------------------------------------------


def _style(size: float, font: str = _PLAIN, **more: Any) -> ParagraphStyle:
    return ParagraphStyle(
        f"{font}-{size}-{sorted(more)}",
        fontName=font,
        fontSize=size,
        leading=size * 1.35,
        **{"textColor": INK, **more},
    )


TITLE = _style(17, _BOLD)
LABEL = _style(6.5, _BOLD, textColor=_GREY)
TEXT = _style(8)
STRONG = _style(8, _BOLD)
SMALL = _style(7, textColor=_GREY)
HEAD = _style(7, _BOLD)
HEAD_RIGHT = _style(7, _BOLD, alignment=TA_RIGHT)
RIGHT = _style(8, alignment=TA_RIGHT)
STRONG_RIGHT = _style(8, _BOLD, alignment=TA_RIGHT)


def set_text(text: str, style: ParagraphStyle) -> Paragraph:
    """Text in one paragraph; each script in a font that has it."""
    marked = _RUNS.sub(_in_its_font, escape(text, quote=False))
    # Chinese is broken between any two characters; words beside it are kept whole.
    unspaced = " " not in text and _RUNS.search(text) is not None
    return Paragraph(marked, ParagraphStyle(style.name, style, wordWrap="CJK") if unspaced else style)


def _in_its_font(run: re.Match[str]) -> str:
    assert run.lastindex is not None, "one of the scripts matched"
    return f'<font name="{_FONT_OF_RUN[run.lastindex - 1]}">{run[0]}</font>'


def _kilograms(grams: int) -> str:
    return f"{grams / 1000:,.3f}"


# --- the page -------------------------------------------------------------------------------------


def _content(invoice: shipping_pb2.CommercialInvoice) -> list[Any]:
    return [
        set_text("COMMERCIAL INVOICE", TITLE),
        Spacer(0, 4 * mm),
        _facts(invoice),
        Spacer(0, 5 * mm),
        _parties(invoice),
        Spacer(0, 6 * mm),
        _goods(invoice),
        Spacer(0, 5 * mm),
        KeepTogether(_declaration(invoice)),
    ]


def _facts(invoice: shipping_pb2.CommercialInvoice) -> Table:
    term, _ = _TERMS[invoice.incoterm]
    facts = [
        ("INVOICE NO.", invoice.number),
        ("DATE", invoice.issued_at.ToDatetime().strftime("%Y-%m-%d")),
        ("ORDER", invoice.order_id),
        ("TERMS (INCOTERMS 2020)", term),
        ("CURRENCY", invoice.total.currency),
    ]
    widths = [0.31 * WIDTH, 0.13 * WIDTH, 0.22 * WIDTH, 0.22 * WIDTH, 0.12 * WIDTH]
    cells = [[set_text(label, LABEL), set_text(value, STRONG)] for label, value in facts]
    table = Table([cells], colWidths=widths)
    table.setStyle(plain_style([("LINEABOVE", (0, 0), (-1, 0), 1.2, INK), ("TOPPADDING", (0, 0), (-1, 0), 5)]))
    return table


def _parties(invoice: shipping_pb2.CommercialInvoice) -> Table:
    parties = [("SHIPPER / EXPORTER", invoice.shipper), ("CONSIGNEE / BUYER", invoice.buyer)]
    if invoice.HasField("seller"):
        parties.insert(0, ("SELLER", invoice.seller))
    table = Table([[party(label, who) for label, who in parties]], colWidths=[WIDTH / len(parties)] * len(parties))
    table.setStyle(plain_style([("BOX", (0, 0), (-1, -1), 0.5, RULE), ("INNERGRID", (0, 0), (-1, -1), 0.5, RULE)], 5))
    return table


def party(label: str, who: shipping_pb2.InvoiceParty) -> list[Any]:
    tax_id = [f"Tax ID {who.tax_id}"] if who.tax_id else []
    lines = [*who.address, who.country, *who.contact, *tax_id]
    return [
        set_text(label, LABEL),
        Spacer(0, 1 * mm),
        set_text(who.name or "(not known)", STRONG),
        *(set_text(line, TEXT) for line in lines if line),
    ]


def _goods(invoice: shipping_pb2.CommercialInvoice) -> Table:
    currency = invoice.total.currency
    head = (
        ("No.", "Description of goods", "HS code", "Origin"),
        ("Qty", "Net kg", f"Unit {currency}", f"Total {currency}"),
    )
    rows = [[*(set_text(word, HEAD) for word in head[0]), *(set_text(word, HEAD_RIGHT) for word in head[1])]]
    rows += [_goods_row(line, currency) for line in invoice.lines]
    rows.append(_total_row(invoice))
    table = Table(rows, colWidths=_columns(), repeatRows=1)
    table.setStyle(
        plain_style(
            [
                ("BACKGROUND", (0, 0), (-1, 0), BAND),
                ("LINEBELOW", (0, 1), (-1, -2), 0.4, RULE),
                ("LINEABOVE", (0, -1), (-1, -1), 1.2, INK),
                # The total never stands alone on a page.
                ("NOSPLIT", (0, -2), (-1, -1)),
            ],
            3,
        )
    )
    return table


def _columns() -> Sequence[float]:
    """The description takes what the others leave."""
    others = sum(_COLUMNS) - _COLUMNS[1]
    return (_COLUMNS[0], WIDTH - others, *_COLUMNS[2:])


def _goods_row(line: shipping_pb2.InvoiceLine, currency: str) -> list[Any]:
    return [
        set_text(str(line.line_no), TEXT),
        [set_text(line.title, TEXT), set_text(f"SKU {line.sku}", SMALL)],
        set_text(line.hs_code, TEXT),
        set_text(line.origin, TEXT),
        set_text(f"{line.units:,}", RIGHT),
        set_text(_kilograms(line.weight_grams), RIGHT),
        set_text(amount(line.unit_value_minor, currency), RIGHT),
        set_text(amount(line.value_minor, currency), RIGHT),
    ]


def _total_row(invoice: shipping_pb2.CommercialInvoice) -> list[Any]:
    total = amount(invoice.total.amount_minor, invoice.total.currency)
    return [
        "",
        set_text("Total", STRONG),
        "",
        "",
        set_text(f"{invoice.units:,}", STRONG_RIGHT),
        set_text(_kilograms(invoice.weight_grams), STRONG_RIGHT),
        set_text(invoice.total.currency, STRONG_RIGHT),
        set_text(total, STRONG_RIGHT),
    ]


def _declaration(invoice: shipping_pb2.CommercialInvoice) -> list[Any]:
    term, meaning = _TERMS[invoice.incoterm]
    words = [
        f"{term}, {meaning}.",
        "We declare that this invoice is true and correct and shows the full value of the goods.",
    ]
    if invoice.parcels:
        words.insert(0, f"Shipped as {', '.join(invoice.parcels)}.")
    lines = Table([[set_text("Signature", LABEL), "", set_text("Place and date", LABEL)]], colWidths=shares(45, 10, 45))
    rule = ("LINEABOVE", (0, 0), (0, 0), 0.6, INK), ("LINEABOVE", (2, 0), (2, 0), 0.6, INK)
    lines.setStyle(plain_style(rule))
    return [*(set_text(sentence, TEXT) for sentence in words), Spacer(0, 16 * mm), lines]


def shares(*percent: int) -> list[float]:
    return [WIDTH * each / 100 for each in percent]


def plain_style(more: Iterable[tuple[Any, ...]], padding: float = 0) -> TableStyle:
    return TableStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), padding),
            ("RIGHTPADDING", (0, 0), (-1, -1), max(padding, 3)),
            ("TOPPADDING", (0, 0), (-1, -1), 3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
            *more,
        ]
    )


class _NumberedPages(Canvas):
    """Writes "page 1 of 3" under every page, which is known only at the end."""

    def __init__(self, *arguments: Any, label: str, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._label = label
        self._pages: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - reportlab names it
        self._pages.append(dict(self.__dict__))
        self._startPage()  # type: ignore[attr-defined] # as reportlab says how to count pages

    def save(self) -> None:
        for number, page in enumerate(self._pages, 1):
            self.__dict__.update(page)
            self.setFont(_PLAIN, 7)
            self.setFillColor(_GREY)
            self.drawString(MARGIN, 11 * mm, self._label)
            self.drawRightString(A4[0] - MARGIN, 11 * mm, f"Page {number} of {len(self._pages)}")
            super().showPage()
        super().save()


if __name__ == "__main__":
    os.nice(10)  # commands come first
    sys.stdout.buffer.write(draw(shipping_pb2.CommercialInvoice.FromString(sys.stdin.buffer.read())))
