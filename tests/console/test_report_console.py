"""The windows of reports, in words and by bounds, what is told where nothing is in them, and reports as pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from fulfilment.v1 import (
    admin_pb2,
    common_pb2,
    money_totals_pb2,
    obligations_pb2,
    rates_pb2,
    scorecards_pb2,
    statements_pb2,
    supplier_orders_pb2,
    totals_pb2,
    tracking_pb2,
    trade_pb2,
)
from tests.support.access import administer, knows, until
from tests.support.service import Client, Service, context, fields_of, stamp
from tests.support.terminal import Console
from tests.support.trading import Trade, first_of, parcel_of
from tests.support.waiting import wait_for

DAY = timedelta(days=1)
NOW = datetime.now(UTC).replace(microsecond=0)
PLACED = datetime.combine((NOW - 4 * DAY).date(), datetime.min.time(), UTC).replace(hour=23, minute=30)
ON_TIME = rates_pb2.RATE_NAME_ON_TIME_DISPATCH
"""Half an hour before midnight in UTC, and so the day after in Shanghai."""


@pytest.fixture(scope="module")
def service(service: Service) -> Service:
    with Client(service.address) as client:
        _trades(client)
    return service


def _trades(client: Client) -> None:
    """Some four days ago two orders were sent: one left in time, one too late."""
    client.approve(at=NOW - 30 * DAY, acknowledge_within_hours=24, dispatch_within_hours=48, first_scan_within_hours=24)
    client.feed(10)
    for number in ("way", "late"):
        client.place(number, placed_at=stamp(PLACED))
        sent = supplier_orders_pb2.SendSupplierOrderRequest(
            context=context(), supplier_order_id=f"shop/{number}/1", at=stamp(PLACED)
        )
        client.orders.SendSupplierOrder(sent)
    for number, days in (("way", 1), ("late", 3)):
        shipped = supplier_orders_pb2.ShipSupplierOrderRequest(
            context=context(),
            supplier_order_id=f"shop/{number}/1",
            carrier="DHL",
            tracking_number=f"jd {days}",
            at=stamp(PLACED + days * DAY),
        )
        client.orders.ShipSupplierOrder(shipped)


@pytest.fixture
def ff(service: Service) -> Console:
    return Console(service.address)


@pytest.fixture
def client(service: Service) -> Any:
    with Client(service.address) as client:
        yield client


def day(offset: int = 0) -> str:
    return f"{(PLACED + offset * DAY).date()}"


def asked(client: Client) -> dict[str, tuple[Any, Any, Any]]:
    """Every report that has a time: its RPC, what asks for it in a window, and whether its answer has something."""
    reports = client.reports
    rated = lambda found: any(each.denominator for each in found)  # noqa: E731

    def window(words: str, zone: str = "") -> common_pb2.NamedWindow:
        return common_pb2.NamedWindow(words=words, time_zone=zone)

    def of_rates(words: str, zone: str = "") -> scorecards_pb2.Window:
        return scorecards_pb2.Window(named=window(words, zone))

    return {
        "rates": (
            reports.GetRates,
            lambda *said: scorecards_pb2.GetRatesRequest(window=of_rates(*said)),
            lambda answer: rated(answer.scorecard.rates),
        ),
        "all rates": (
            reports.ListRates,
            lambda *said: scorecards_pb2.ListRatesRequest(window=of_rates(*said)),
            lambda answer: rated(each for card in answer.scorecards for each in card.rates),
        ),
        "ranking": (
            reports.RankSuppliers,
            lambda *said: scorecards_pb2.RankSuppliersRequest(by=ON_TIME, window=of_rates(*said)),
            lambda answer: any(next(each for each in answer.columns if each.name == ON_TIME).denominators),
        ),
        "trend": (
            reports.GetTrend,
            lambda *said: scorecards_pb2.GetTrendRequest(
                name=ON_TIME, period=of_rates(*said), step=scorecards_pb2.TREND_STEP_WEEK
            ),
            lambda answer: rated(answer.rates),
        ),
        "counted": (
            reports.ListRateCases,
            lambda *said: scorecards_pb2.ListRateCasesRequest(name=ON_TIME, window=of_rates(*said)),
            lambda answer: bool(answer.cases),
        ),
        "review": (
            reports.ReviewTrade,
            lambda *said: trade_pb2.ReviewTradeRequest(window=window(*said)),
            lambda answer: bool(answer.rows),
        ),
        "statement": (
            reports.GetStatement,
            lambda *said: statements_pb2.GetStatementRequest(supplier_id="acme", window=window(*said)),
            lambda answer: answer.units_without_cost or any(each.totals for each in answer.balances),
        ),
        "entries": (
            reports.ListStatementEntries,
            lambda *said: statements_pb2.ListStatementEntriesRequest(supplier_id="acme", window=window(*said)),
            lambda answer: bool(answer.entries),
        ),
        "breaches": (
            reports.ListBreaches,
            lambda *said: obligations_pb2.ListBreachesRequest(window=window(*said)),
            lambda answer: bool(answer.breaches),
        ),
        "clocks": (
            reports.CountObligations,
            lambda *said: obligations_pb2.CountObligationsRequest(window=window(*said)),
            lambda answer: bool(answer.counts),
        ),
        "orders": (
            reports.ListOrders,
            lambda *said: tracking_pb2.ListOrdersRequest(window=window(*said)),
            lambda answer: bool(answer.orders),
        ),
        "summary": (
            reports.GetSummary,
            lambda *said: totals_pb2.GetSummaryRequest(window=window(*said)),
            lambda answer: answer.orders,
        ),
        "suppliers": (
            reports.ListSupplierTotals,
            lambda *said: totals_pb2.ListSupplierTotalsRequest(window=window(*said)),
            lambda answer: bool(answer.totals),
        ),
        "money": (
            reports.GetMoneyTotals,
            lambda *said: money_totals_pb2.GetMoneyTotalsRequest(window=window(*said)),
            lambda answer: bool(answer.totals),
        ),
    }


def test_every_report_takes_a_window_in_words_and_tells_it_and_where_there_is_something_if_nothing_is_in_it(
    client: Client,
):
    client.read_up_to(client.admin.GetStatus(admin_pb2.GetStatusRequest()).position)
    for name, (rpc, request, has_something) in asked(client).items():
        found = rpc(request("30d"))
        assert has_something(found), name
        assert not found.window.HasField("latest"), name
        empty = rpc(request("2020-W09"))
        assert not has_something(empty), name
        window = empty.window
        assert (window.since.ToDatetime(), window.until.ToDatetime()) == (
            datetime(2020, 2, 24),  # noqa: DTZ001
            datetime(2020, 3, 2),  # noqa: DTZ001
        ), name
        assert PLACED - 30 * DAY <= window.earliest.ToDatetime(tzinfo=UTC) <= window.latest.ToDatetime(tzinfo=UTC), name
        assert window.latest.ToDatetime(tzinfo=UTC) <= NOW + 400 * DAY, name
        with pytest.raises(grpc.RpcError) as caught:
            rpc(request("last-weak"))
        (field,) = fields_of(caught.value)
        assert field in ("window.words", "window.named.words", "period.named.words"), name


def test_the_day_of_an_order_is_that_of_the_zone(client: Client):
    client.read_up_to(client.admin.GetStatus(admin_pb2.GetStatusRequest()).position)

    def orders(words: str, zone: str = "") -> int:
        window = common_pb2.NamedWindow(words=words, time_zone=zone)
        return len(client.reports.ListOrders(tracking_pb2.ListOrdersRequest(window=window)).orders)

    assert orders(day()) == orders(day(1), "Asia/Shanghai") == 2
    assert orders(day(1)) == orders(day(), "Asia/Shanghai") == 0


def test_a_window_is_said_once_and_in_a_zone_that_there_is(client: Client):
    window = common_pb2.NamedWindow(words="7d")
    for request, field in (
        (tracking_pb2.ListOrdersRequest(window=window, placed_since=stamp(PLACED)), "window.words"),
        (
            tracking_pb2.ListOrdersRequest(window=common_pb2.NamedWindow(words="7d", time_zone="Europe/Bonn")),
            "window.time_zone",
        ),
        (tracking_pb2.ListOrdersRequest(window=common_pb2.NamedWindow(words="7" * 200)), "window.words"),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            client.reports.ListOrders(request)
        assert set(fields_of(caught.value)) == {field}


def test_pages_of_a_window_up_to_now_go_on_where_they_were(client: Client):
    """The words are the same from page to page, though now is not."""
    window = common_pb2.NamedWindow(words="30d")
    request = tracking_pb2.ListOrdersRequest(window=window, page=common_pb2.PageRequest(page_size=1))
    first = client.reports.ListOrders(request)
    request.page.page_token = first.next_page_token
    second = client.reports.ListOrders(request)
    assert len({each.order_id for page in (first, second) for each in page.orders}) == 2


# --- at a terminal --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "summary", "money", "suppliers", "rates", "rank --rate on_time_dispatch", "trend --all --rate on_time_dispatch",
        "counted --rate on_time_dispatch", "late", "due", "breaches", "clocks", "orders", "review",
        "money --differences",
    ],
)  # fmt: skip
def test_every_report_of_the_console_has_a_window_and_says_what_has_data(ff: Console, words: str):
    shown = ff("report", *words.split(), "--window", "2020-W09", "--time-zone", "Europe/Berlin")
    assert shown.code == 0, shown.err
    if words in ("late", "due", "money --differences") and "Nothing from" not in shown.out:
        return  # Then there is nothing in any window.
    assert "Nothing from 2020-02-24 00:00+01:00 to 2020-03-02 00:00+01:00 (Europe/Berlin); " in shown.out
    assert str(NOW.year) in shown.out.rpartition("Europe/Berlin); ")[2]


def test_a_window_that_has_data_is_told_under_them(ff: Console):
    shown = ff("report", "orders", "--window", f"{day()}..{day(1)}")
    assert "shop/way" in shown.out
    assert f"From {day()} 00:00Z to {day(2)} 00:00Z." in shown.out
    assert "Of orders placed from" in ff("report", "summary", "--window", "30d").out


@pytest.mark.parametrize(
    "words", ["report orders", "report rates", "report counted --rate on_time_dispatch", "supplier statement acme"]
)
def test_instants_are_told_in_the_zone_whose_days_the_window_names(ff: Console, words: str):
    shown = ff(*words.split(), "--window", "30d", "--time-zone", "Asia/Shanghai").out
    rows = [line for line in shown.splitlines() if re.search(r"\d\d:\d\d", line)]
    assert rows
    assert [line for line in rows if re.search(r"\d\d:\d\dZ", line)] == []


def test_what_is_nowhere_is_told_apart_from_an_empty_window(ff: Console, tmp_path: Path):
    assert "No order came from a shop nowhere." in ff("report", "summary", "--channel", "nowhere", "--window", "7d").out
    assert "No order came" not in ff("report", "summary", "--channel", "shop", "--window", "2020").out
    in_vain = ff("supplier", "statement", "acme", "--window", "2020", "--csv", str(tmp_path / "of-2020.csv")).out
    assert f"0 rows written to {tmp_path / 'of-2020.csv'}.\nNothing from 2020-01-01 00:00Z" in in_vain
    lines = ff("supplier", "statement", "acme", "--window", "2020").out.splitlines()
    assert lines[0] == "It has no entry.", "and no heading of nothing"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--window", "7d", "--since", "2026-01-01"), "say --window, or --since and --until"),
        (("--time-zone", "Asia/Shanghai"), "--time-zone is of the days that --window names"),
        (("--window", "next-week"), "'next-week' is no window such as 7d, last-week"),
    ],
)
def test_what_is_wrong_with_a_window_is_said(ff: Console, words: tuple[str, ...], said: str):
    shown = ff("report", "orders", *words)
    assert shown.code != 0
    assert said in shown.err


def test_suppliers_stand_with_their_names(ff: Console):
    for words in (("rank", "--rate", "on_time_dispatch"), ("suppliers",), ("clocks",), ("review", "--by", "supplier")):
        lines = ff("report", *words).out.splitlines()
        assert any("acme" in line and "Acme Ltd" in line for line in lines), words


# --- as pages -------------------------------------------------------------------------------------

REPORTS = (
    "summary", "money", "suppliers", "rates", "rank --rate on_time_dispatch", "trend --all --rate on_time_dispatch",
    "counted --rate on_time_dispatch", "late", "due", "breaches", "clocks", "orders", "review --by supplier",
    "money --differences",
)  # fmt: skip


def test_every_report_writes_a_page_that_needs_nothing_beside_itself(ff: Console, tmp_path: Path):
    for report in REPORTS:
        path = tmp_path / "report.html"
        written = ff("report", *report.split(), "--window", "30d", "--html", str(path))
        assert written.code == 0, written.err
        assert f"written to {path}" in written.out
        page = path.read_text()
        assert not re.search(r"<script|<link|<img|https?:|@import|url\(", page), report
        assert page.count("<h1>") == 1
        assert "Z to 2" in page, report
        assert "As of position " in page
        path.unlink()


def test_a_page_shows_the_figures_beside_its_chart_the_targets_in_it_and_the_names_of_suppliers(
    ff: Console, tmp_path: Path
):
    path = tmp_path / "rank.html"
    assert ff("report", "rank", "--rate", "on_time_dispatch", "--window", "30d", "--html", str(path)).code == 0
    page = path.read_text()
    (drawn,) = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert 'role="img" aria-label="Suppliers by on time dispatch' in drawn
    assert ">acme Acme Ltd</text>" in drawn
    assert ">50.0 %</text>" in drawn
    assert '<path class="target"' in drawn
    assert ">target 95</text>" in drawn
    assert '<rect class="bar missed"' in drawn
    assert "<td>acme</td><td>Acme Ltd</td>" in page
    assert "at least 95" in page
    assert path.stat().st_mode & 0o077 == 0


def test_a_page_about_nothing_says_so_and_where_there_is_something(ff: Console, tmp_path: Path):
    path = tmp_path / "orders.html"
    shown = ff("report", "orders", "--window", "2020", "--html", str(path), "--json")
    assert shown.json == {"rows": 0, "files": [str(path)]}
    page = path.read_text()
    assert "No such orders." in page
    assert "Nothing from 2020-01-01 00:00Z to 2021-01-01 00:00Z; everything is of " in page
    assert "<svg" not in page


def test_a_page_tells_how_much_is_left_out(ff: Console, tmp_path: Path):
    path = tmp_path / "orders.html"
    assert "1 row written" in ff("report", "orders", "--limit", "1", "--html", str(path)).out
    assert "Only the first 1 of more rows are here" in path.read_text()


@pytest.mark.parametrize(
    "words",
    [
        *("report late", "report due", "report breaches", "report clocks", "report rates", "report orders"),
        *("report review", "stock levels", "stock alerts", "case list", "inquiry list", "recovery list", "work list"),
        *("supplier invoice list", "stock up list", "report counted --rate order_error"),
        "report trend nobody --rate order_error --since 2026-01-01",
        *("supplier orders nobody", "supplier statement nobody", "stock movements nobody tea", "stock show nobody tea"),
    ],
)
def test_of_a_supplier_that_there_is_not_nothing_is_told(ff: Console, words: str):
    """Rather than that nothing is late, or owed, or there."""
    said = ff(*words.split(), *(() if "nobody" in words else ("--supplier", "nobody")))
    assert said.code == 1, said.out
    assert said.out == ""
    assert "supplier nobody is not registered; use fulfilment supplier add [UNKNOWN_SUPPLIER]" in said.err


def test_what_has_happened_meanwhile_is_gone_from_what_is_late_and_stays_a_breach(ff: Console, client: Client):
    trade = Trade(client)
    order_id = trade.sent(days_ago=5)

    def changed(report: str, after: int) -> dict[str, Any]:
        found: dict[str, Any] = ff("report", report, "--changed-after", str(after), "--json").json
        return {**found, "streams": {each["stream"] for each in found["rows"]}}

    stream = f"order-{order_id}"
    wait_for(lambda: stream in changed("late", 0)["streams"])
    until = changed("late", 0)["until"]
    trade.send("ShipSupplierOrder", **first_of(order_id), **parcel_of(order_id), at=stamp(NOW - DAY))
    late, breaches = changed("late", until), changed("breaches", until)
    assert (stream in late["streams"], stream in late["gone"]) == (False, True)
    assert (stream in breaches["streams"], stream in breaches["gone"]) == (True, False)


@pytest.mark.parametrize("form", ["--html", "--csv"])
def test_no_statement_is_written_of_a_supplier_that_there_is_not(ff: Console, tmp_path: Path, form: str):
    said = ff("supplier", "statement", "nobody", form, str(tmp_path / "statement"))
    assert said.code == 1
    assert list(tmp_path.iterdir()) == []


def test_lists_about_an_order_a_case_or_a_connection_that_there_is_not_say_so(ff: Console):
    for words in ("case list", "inquiry list", "message list", "work list", "recovery list", "invoice list"):
        assert "there is no order shop/nobody" in ff(*words.split(), "--order", "shop/nobody").err, words
    assert "there is no case nobody" in ff("recovery", "list", "--case", "nobody").err
    for words in ("inbox list", "effect list"):
        assert "there is no connection nobody" in ff(*words.split(), "--connection", "nobody").err, words


def test_what_was_not_there_then_is_said_to_be_of_then(ff: Console):
    for words in (
        ("supplier", "statement", "nobody"),
        ("show", "shop/nobody"),
        ("case", "show", "nobody"),
        ("case", "list", "--supplier", "nobody"),
    ):
        said = ff(*words, "--as-of", "1")
        assert said.code == 1
        assert "as of that moment; leave out --as-of or --at to see what is there now" in said.err
        assert "use fulfilment" not in said.err


def test_whoever_only_reads_reports_is_told_so_too(service: Service):
    """The last one here: a registered client closes the service to all without a token."""
    token = administer("add", "rita", "--dsn", service.dsn, "--role", "reporting", "--tenant", "default").token
    until(lambda: knows(service.address, token), "the client is known")
    console = Console(service.address)
    console.environment["FULFILMENT_TOKEN"] = token
    assert "supplier nobody is not registered" in console("report", "late", "--supplier", "nobody").err
    assert "there is no order shop/nobody" in console("work", "list", "--order", "shop/nobody").err
    assert console("report", "late", "--supplier", "acme").code == 0
