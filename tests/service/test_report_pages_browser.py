"""The pages of reports in a real browser: narrow, wide, dark and as print, with nothing, one row and 500 suppliers.

They need Chromium and the extra ``browser``, and are skipped where one of them is missing. REPORT_PAGE_PICTURES names a
folder for pictures of what was looked at.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fulfilment.v1 import batch_pb2, stock_pb2, supplier_orders_pb2, suppliers_pb2
from tests.support.service import Client, Service, context, order, stamp
from tests.support.terminal import Console

playwright = pytest.importorskip("playwright.sync_api", reason="the extra browser is not installed")
axe_script = pytest.importorskip("axe_playwright_python.base", reason="the extra browser is not installed")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("there is no Chromium", allow_module_level=True)

PICTURES = os.environ.get("REPORT_PAGE_PICTURES", "")
WIDTHS = (700, 1200, 1600)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
NAMES = (
    "Süßwarengroßhandel Müller & Söhne GmbH",
    "深圳市龙华区恒发电子科技有限公司",
    "Acme <b>Ltd</b>",
    "Übergrößenmöbelspedition Donaudampfschifffahrtsgesellschaft",
)
REPORTS = (
    "report summary",
    "report money",
    "report suppliers",
    "report rates",
    "report rank --rate on_time_dispatch",
    "report trend --all --rate on_time_dispatch",
    "report counted --rate on_time_dispatch",
    "report late",
    "report due",
    "report breaches",
    "report clocks",
    "report orders",
    "report review --by supplier",
    "report review --by week",
    "supplier statement lieferant-000",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def folder(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of every report: without any data, with one order, and with 500 suppliers."""
    folder = Path(PICTURES) if PICTURES else tmp_path_factory.mktemp("reports")
    folder.mkdir(exist_ok=True)
    with Client(service.address) as client:
        _write(service, folder, "empty")
        client.approve(at=NOW - 90 * DAY, dispatch_within_hours=48, acknowledge_within_hours=24)
        client.feed(10)
        _batch(client, _trade("acme", 0, 2))
        _write(service, folder, "one")
        _trades(client)
        _write(service, folder, "many")
    return folder


def _trades(client: Client) -> None:
    """500 suppliers with long names, 60 of which have orders that leave in time and late, over eight weeks."""
    suppliers = [f"lieferant-{n:03}" for n in range(500)]
    commands: list[dict[str, Any]] = []
    since = stamp(NOW - 90 * DAY)
    for n, supplier_id in enumerate(suppliers):
        known: dict[str, Any] = {"supplier_id": supplier_id, "at": since}
        registered = suppliers_pb2.RegisterSupplierRequest(context=context(), name=NAMES[n % len(NAMES)], **known)
        commands.append({"register_supplier": registered})
        if n < 60:
            matches: dict[str, Any] = {"material_matches": True, "packaging_matches": True, "manual_matches": True}
            agreement = suppliers_pb2.Agreement(
                effective_from=since, dispatch_within_hours=48, acknowledge_within_hours=24
            )
            item = stock_pb2.Item(supplier_id=supplier_id, sku="tea")
            fed = stock_pb2.RecordFeedRequest(context=context(), item=item, quantity=100, feed_version=1)
            commands += [
                {"review_sample": suppliers_pb2.ReviewSampleRequest(context=context(), **known, **matches)},
                {"agree_terms": suppliers_pb2.AgreeTermsRequest(context=context(), agreement=agreement, **known)},
                {"approve_supplier": suppliers_pb2.ApproveSupplierRequest(context=context(), **known)},
                {"record_feed": fed},
            ]
    _batch(client, commands)
    for n, supplier_id in enumerate(suppliers[:60]):
        _batch(client, [each for k in range(6) for each in _trade(supplier_id, 7 * k + n % 7, k if n % 3 else 0)])


def _trade(supplier_id: str, days_ago: int, days_taken: int) -> list[dict[str, Any]]:
    """An order of a supplier, sent at once; it leaves after so many days."""
    number, at = f"{supplier_id}-{days_ago}", NOW - (days_ago + 8) * DAY
    placed = order(number, placed_at=stamp(at))
    placed.lines[0].supplier_id = supplier_id
    of: dict[str, Any] = {"supplier_order_id": f"shop/{number}/1"}
    shipped = supplier_orders_pb2.ShipSupplierOrderRequest(
        context=context(), carrier="DHL", tracking_number=f"JD{number}", at=stamp(at + days_taken * DAY + DAY / 2), **of
    )
    return [
        {"place_order": placed},
        {"send_supplier_order": supplier_orders_pb2.SendSupplierOrderRequest(context=context(), at=stamp(at), **of)},
        {"ship_supplier_order": shipped},
    ]


def _batch(client: Client, commands: list[dict[str, Any]]) -> None:
    for begin in range(0, len(commands), 500):
        batch = [batch_pb2.BatchCommand(**each) for each in commands[begin : begin + 500]]
        answer = client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=batch))
        refused = [each.refusal for each in answer.outcomes if each.HasField("refusal")]
        assert not refused, refused[0]


def _write(service: Service, folder: Path, what: str) -> None:
    ff = Console(service.address)
    for report in REPORTS:
        shown = ff(*report.split(), "--html", str(folder / f"{_name(report)}-{what}.html"))
        assert shown.code == 0, shown.err


def _name(report: str) -> str:
    return report.replace(" --", "-").replace(" ", "-")


@pytest.mark.parametrize("what", ["empty", "one", "many"])
@pytest.mark.parametrize("report", REPORTS)
def test_a_page_fits_at_every_width_in_light_and_dark_and_can_be_read_by_everybody(
    browser: Any, folder: Path, report: str, what: str
):
    for width in WIDTHS:
        for scheme in ("light", "dark") if width == 1200 else ("light",):
            page = _opened(browser, folder, f"{_name(report)}-{what}", width, scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(_BEYOND) == []
            if width == 1200:
                page.evaluate(axe_script.AXE_SCRIPT)
                found = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
                assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
            page.context.close()


def test_a_page_is_printed_whole_on_paper(browser: Any, folder: Path):
    for report in ("report rank --rate on_time_dispatch", "report review --by supplier"):
        page = _opened(browser, folder, f"{_name(report)}-many", 1200, "light")
        page.emulate_media(media="print")
        assert page.evaluate(
            "[...document.querySelectorAll('.figures')].every(e => e.scrollHeight <= e.clientHeight + 1)"
        )
        data = page.pdf(format="A4", prefer_css_page_size=True)
        if PICTURES:
            (folder / f"{_name(report)}.pdf").write_bytes(data)
        page.context.close()


def test_nothing_that_a_supplier_is_called_is_markup(browser: Any, folder: Path):
    page = _opened(browser, folder, "report-rank-rate-on_time_dispatch-many", 1200, "light")
    assert page.locator("td b").count() == 0
    assert page.locator("td", has_text="Acme <b>Ltd</b>").count() == 125


_BEYOND = """
    [...document.querySelectorAll('svg text')].filter(text => {
        const frame = text.ownerSVGElement.getBoundingClientRect(), box = text.getBoundingClientRect()
        return box.left < frame.left - 1 || box.right > frame.right + 1
    }).map(text => text.textContent)
"""
"""Texts of charts that stand out of them."""


def _opened(browser: Any, folder: Path, name: str, width: int, scheme: str) -> Any:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"file://{folder / name}.html")
    if PICTURES:
        page.screenshot(path=str(folder / f"{name}-{width}-{scheme}.png"), full_page=True)
    return page
