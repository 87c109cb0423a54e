"""The review of the trade at a terminal: the same rows as a table, JSON, CSV and Parquet, over a real socket."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import grpc
import pytest
from pyarrow import parquet

from adapters.console.reports import trade
from adapters.console.reports.trade_page import Head, page
from fulfilment.v1 import common_pb2, rates_pb2, supplier_orders_pb2, trade_pb2
from tests.support.service import (
    Client,
    Service,
    context,
    fields_of,
    stamp,
)
from tests.support.terminal import Console

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def service(service: Service) -> Service:
    with Client(service.address) as client:
        _trades(client)
    return service


def _trades(client: Client) -> None:
    """Four days ago two orders were sent: one left in time, one did not leave."""
    client.approve(at=NOW - 30 * DAY, acknowledge_within_hours=24, dispatch_within_hours=48, first_scan_within_hours=24)
    client.feed(10)
    for number in ("way", "late"):
        client.place(number, placed_at=stamp(NOW - 4 * DAY))
        sent = supplier_orders_pb2.SendSupplierOrderRequest(
            context=context(), supplier_order_id=f"shop/{number}/1", at=stamp(NOW - 4 * DAY)
        )
        client.orders.SendSupplierOrder(sent)
    client.orders.ShipSupplierOrder(
        supplier_orders_pb2.ShipSupplierOrderRequest(
            context=context(),
            supplier_order_id="shop/way/1",
            carrier="DHL",
            tracking_number="jd 1",
            at=stamp(NOW - 3 * DAY),
        )
    )


@pytest.fixture
def ff(service: Service) -> Console:
    return Console(service.address)


def test_the_same_rows_stand_in_every_format(ff: Console, service: Service, tmp_path: Path):
    as_csv, as_parquet = tmp_path / "review.csv", tmp_path / "review.parquet"
    written = ff("report", "review", "--by", "carrier", "--csv", str(as_csv), "--parquet", str(as_parquet))
    assert written.code == 0, written.err
    with Client(service.address) as client:
        request = trade_pb2.ReviewTradeRequest(group_by=trade_pb2.TRADE_GROUP_CARRIER)
        columns, rows = trade.flat(client.reports.ReviewTrade(request).rows)
    assert [(row["key"], row["dispatches_due"], row["dispatched_on_time"]) for row in rows] == [
        ("", 1, 0),
        ("dhl", 1, 1),
    ]
    with as_csv.open(newline="") as file:
        assert list(csv.DictReader(file)) == [{name: str(row[name]) for name in columns} for row in rows]
    assert parquet.read_table(as_parquet).to_pylist() == rows
    rows = ff("report", "review", "--by", "carrier", "--json").json
    assert [(row["key"], row["dispatches_due"]) for row in rows] == [("", 1), ("dhl", 1)]


def test_the_table_shows_rates_with_what_they_are_made_of_and_no_data_as_such(ff: Console):
    out = ff("report", "review").out
    assert "all together" in out
    assert "50.0 (1 of 2)" in out
    assert "no data" in out
    assert "Nothing was counted" in ff("report", "review", "--channel", "other").out


def test_a_period_that_ends_before_it_begins_is_refused(service: Service):
    request = trade_pb2.ReviewTradeRequest(since=stamp(NOW), until=stamp(NOW - DAY))
    with Client(service.address) as client, pytest.raises(grpc.RpcError) as caught:
        client.reports.ReviewTrade(request)
    assert fields_of(caught.value) == ["since"]


# --- the page -------------------------------------------------------------------------------------

HOSTILE = '<script>alert("1")</script>'


class _Page(HTMLParser):
    """Every tag with its attributes, and the text between tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        return sum(each == tag for each, _ in self.tags)


def figures(key: str, **more: Any) -> trade_pb2.TradeFigures:
    cost = trade_pb2.AfterSalesCost(
        liable=common_pb2.PARTY_SUPPLIER, amount=common_pb2.Money(amount_minor=123456, currency="EUR")
    )
    counts = {
        "orders": 9, "dispatches_due": 8, "dispatched_on_time": 6, "parcels_due": 7, "parcels_on_time": 7,
        "orders_delivered": 7, "cases": 1, "reviews": 2, "score_sum": 9, "costs": [cost],
    }  # fmt: skip
    return trade_pb2.TradeFigures(key=key, **{**counts, **more})


ON_TIME = rates_pb2.RATE_NAME_ON_TIME_DISPATCH
TARGETS: dict[int, rates_pb2.Rate] = {
    ON_TIME: rates_pb2.Rate(name=ON_TIME, target_basis_points=7500),
    rates_pb2.RATE_NAME_ON_TIME_DELIVERY: rates_pb2.Rate(target_basis_points=10_000, target_is_strict=True),
    rates_pb2.RATE_NAME_SATISFACTION: rates_pb2.Rate(),
}
HEAD = Head(
    trade_pb2.TRADE_GROUP_SKU,
    "shop-one",
    "From then to now",
    f"supplier {HOSTILE}",
    "drawn 2026-03-02 12:00Z",
    7,
    TARGETS,
)


def test_the_page_says_whose_it_is_when_it_was_drawn_and_what_each_figure_should_be():
    html = page(HEAD, [figures("tea")], figures(""))
    text = _Page(html).text
    assert "Tenant shop-one · From then to now" in text
    assert "drawn 2026-03-02 12:00Z" in text
    tiles = html[html.index('<div class="tiles">') : html.index("<section>")]
    assert re.findall(r"<small>([^<]*: \w+|report only)</small>", tiles) == [
        "at least 75 %: ok",
        "more than 100 %: breach",
        "report only",
        "report only",
    ]
    assert "The target is at least 75 %." in text
    assert [text.count(f"target {each}") for each in (75, 100)] == [1, 1]


def test_the_cost_stands_over_its_many_columns_with_a_legend_under_it():
    html = page(HEAD, [figures(f"sku-{n}") for n in range(12)], figures(""))
    (cost,) = re.findall(r'<div class="stacked">.*?</figcaption>', html, re.DOTALL)
    assert cost.endswith('</svg><figcaption><span><i class="late"></i>supplier</span></figcaption>')
    assert ">EUR</text>" in cost


def test_no_bar_ends_at_the_end_of_its_axis():
    (drawn, *_) = re.findall(r"<svg.*?</svg>", page(HEAD, [figures("tea")], figures("")), re.DOTALL)
    bar = re.search(r'<rect class="bar[^"]*" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn)
    figure = re.search(r'<text x="([\d.]+)"[^>]*>75.0 %</text>', drawn)
    assert bar is not None
    assert figure is not None
    assert float(bar[1]) + float(bar[2]) < float(figure[1]) - 12


def test_the_page_has_a_chart_for_each_figure_with_the_figures_beside_it_and_fetches_nothing():
    html = page(HEAD, [figures("tea"), figures("深圳 $x_1$")], figures(""))
    found = _Page(html)
    assert [found.count(tag) for tag in ("svg", "table", "h2")] == [5, 5, 5]
    assert "75.0 %" in found.text
    assert "1,234.56 EUR" in found.text
    assert '<td class="n">1,234.56</td>' in html
    assert "深圳 $x_1$" in found.text
    assert not {"script", "img", "link", "iframe", "object", "image"} & {tag for tag, _ in found.tags}
    links = [value for _, attributes in found.tags for name, value in attributes.items() if name in ("src", "href")]
    assert all(value and value.startswith("#") for value in links)
    assert not re.search(r"https?:|//|@import|url\((?!#)", html)


def test_what_comes_from_outside_is_only_ever_text():
    found = _Page(page(HEAD, [figures(HOSTILE), figures("</text></svg><b>")], figures("")))
    assert found.count("script") == found.count("b") == 0
    assert found.text.count(HOSTILE) >= 5
    assert found.count("svg") == 5


def test_ids_of_the_page_are_unique_and_all_that_is_referred_to_is_there():
    html = page(HEAD, [figures("tea"), figures("mug")], figures(""))
    ids = [attributes["id"] for _, attributes in _Page(html).tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", html)) | set(re.findall(r'href="#([^"]+)"', html)) <= set(ids)


def test_a_figure_without_data_is_shown_as_such_and_is_not_drawn():
    nothing = dict.fromkeys(("dispatches_due", "dispatched_on_time"), 0)
    found = _Page(page(HEAD, [figures("tea", **nothing)], figures("", **nothing)))
    assert (found.count("svg"), found.count("table")) == (4, 4)
    assert "No data in this period." in found.text
    assert "no data" in found.text
    empty = _Page(page(HEAD, [], trade_pb2.TradeFigures()))
    assert (empty.count("svg"), empty.count("h2")) == (0, 5)


def test_charts_show_the_keys_with_most_orders_and_the_tables_show_all():
    rows = [figures(f"sku-{n:02}", orders=n) for n in range(30)]
    html = page(HEAD, rows, figures(""))
    drawn = html[html.index("<svg") : html.index("</svg>")]
    assert "sku-29" in drawn
    assert "sku-09" not in drawn
    assert html.count("<td>sku-09</td>") == 5
    assert "A chart shows 20 of 30 at most: those with most orders of which there are data." in html
    assert html.index("<td>sku-29</td>") < html.index("<td>sku-28</td>") < html.index("<td>sku-00</td>")


def test_what_has_no_data_takes_no_place_of_a_chart_and_has_a_name():
    rows = [figures(f"sku-{n:02}", orders=30 - n) for n in range(25)]
    rows[3] = figures("sku-03", orders=27, dispatches_due=0, dispatched_on_time=0)
    rows.append(figures("", orders=99, dispatches_due=0, dispatched_on_time=0))
    html = page(HEAD, rows, figures(""))
    drawn = html[html.index("<svg") : html.index("</svg>")]
    assert re.findall(r">(sku-\d\d|\(no sku\))</text>", drawn) == [f"sku-{n:02}" for n in range(21) if n != 3]
    assert "<td>(no sku)</td>" in html


def test_of_many_periods_the_latest_are_drawn_in_the_order_of_time():
    rows = [figures(f"2026-W{n:02}", orders=30 - n) for n in range(1, 31)]
    html = page(HEAD._replace(group_by=trade_pb2.TRADE_GROUP_WEEK), rows, figures(""))
    drawn = html[html.index("<svg") : html.index("</svg>")]
    assert drawn.index("2026-W11") < drawn.index("2026-W30")
    assert "2026-W10" not in drawn
    assert "A chart shows 20 of 30 at most: the latest of which there are data." in html
    assert html.index("<td>2026-W01</td>") < html.index("<td>2026-W30</td>")


def test_a_chart_begins_at_nought_and_bars_of_no_length_are_not_drawn():
    found = _Page(page(HEAD, [figures("tea", cases=0)], figures("", cases=0)))
    assert (found.count("svg"), found.count("table")) == (4, 5)
    assert "−" not in found.text


def test_the_console_draws_the_page(ff: Console, tmp_path: Path):
    as_html = tmp_path / "review.html"
    written = ff("report", "review", "--by", "supplier", "--channel", "shop", "--html", str(as_html))
    assert written.code == 0, written.err
    found = _Page(as_html.read_text())
    assert "Review of the trade by supplier" in found.text
    assert "channel shop" in found.text
    assert "1 of 2" in found.text
    assert found.count("svg") == 1
