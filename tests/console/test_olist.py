"""Olist's orders as commands, and all of them through the real service."""

from __future__ import annotations

import csv
import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from adapters.console.reports import trade
from adapters.order_files import olist
from fulfilment.v1 import admin_pb2, common_pb2, parcels_pb2, totals_pb2, trade_pb2, work_pb2
from tests.support.olist import ROWS, at, commands, item, names, payment, reading, small_folder
from tests.support.service import (
    HOUSE,
    Client,
    Service,
    patiently,
    serving,
)
from tests.support.terminal import CommandResult, Console

DATA = HOUSE.parent / "shared" / "data" / "olist"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real orders are not at {DATA}")

# --- translation -------------------------------------------------------------------------------------


def test_an_order_becomes_commands_in_the_order_in_which_it_happened():
    place, pay, send, ship, carried, delivered, review = commands(reading())

    assert (place.channel, place.channel_order_id, place.currency) == ("olist", "o1", "BRL")
    (line,) = place.lines
    assert (line.line_no, line.sku, line.quantity, line.unit_price_minor) == (1, "p1", 1, 5890)
    assert (line.supplier_id, line.weight_grams) == ("s1", 300)
    assert (place.customer.email, place.ship_to.city, place.ship_to.region) == (
        "u1@customers.olist.example",
        "sao paulo",
        "SP",
    )
    assert [at(place, "placed_at"), at(pay), at(send), at(ship)] == [
        "2018-06-01 13:00",
        "2018-06-01 14:00",
        "2018-06-01 14:00",
        "2018-06-03 15:00",
    ]
    assert (at(line, "dispatch_by"), at(place, "promised_by")) == ("2018-06-05 14:00", "2018-06-20 03:00")
    assert [(scan.status, at(scan)) for each in (carried, delivered) for scan in each.checkpoints] == [
        (parcels_pb2.PARCEL_STATUS_IN_TRANSIT, "2018-06-03 15:00"),
        (parcels_pb2.PARCEL_STATUS_DELIVERED, "2018-06-09 16:00"),
    ]
    assert (review.review_id, review.score, at(review)) == ("r1", 4, "2018-06-10 03:00")


def test_each_supplier_gets_its_part_numbered_by_its_first_line():
    source = reading(order_items=[item(3, "s1"), item(2, "s1"), item(1, "s2")])
    found = commands(source)

    parts = [each.supplier_order_id for each in found if type(each).__name__ == "SendSupplierOrderRequest"]
    parcels = [each.tracking_number for each in found if type(each).__name__ == "ShipSupplierOrderRequest"]

    assert [line.supplier_id for line in found[0].lines] == ["s2", "s1", "s1"]
    assert parts == ["olist/o1/1", "olist/o1/2"]
    assert parcels == ["o1-1", "o1-2"]


def test_the_same_rows_make_the_same_requests_each_with_an_id_of_its_own():
    first, second = commands(reading()), commands(reading())
    ids = [each.context.request_id for each in first]

    assert first == second
    assert len(set(ids)) == len(ids)


def test_a_later_export_repeats_what_is_known_and_adds_what_is_new():
    earlier = commands(reading(order_status="shipped", order_delivered_customer_date="", order_reviews=[]))
    later = commands(reading())

    assert [each for each in later if each in earlier] == earlier
    assert len(later) == len(earlier) + 2


@pytest.mark.parametrize(
    ("status", "party"), [("canceled", common_pb2.PARTY_CUSTOMER), ("unavailable", common_pb2.PARTY_SUPPLIER)]
)
def test_what_never_left_is_cancelled_at_the_newest_time_known(status: str, party: int):
    source = reading(order_status=status, order_delivered_carrier_date="", order_delivered_customer_date="")
    _, _, _, cancel, answer, _ = commands(source)

    assert (cancel.by, cancel.reason, at(cancel)) == (party, status, "2018-06-01 14:00")
    assert (answer.supplier_order_id, answer.agreed) == ("olist/o1/1", True)
    assert source.oddities["cancelled_without_time"] == ["o1"]


def test_an_order_that_nobody_paid_is_cancelled_without_asking_a_supplier():
    found = names(
        reading(
            order_status="canceled",
            order_approved_at="",
            order_delivered_carrier_date="",
            order_delivered_customer_date="",
        )
    )
    assert found == ["PlaceOrder", "CancelOrder", "RecordReview"]


def test_a_parcel_that_left_was_dispatched_whatever_the_status_says():
    source = reading(order_status="canceled")

    assert "ShipSupplierOrder" in names(source)
    assert "CancelOrder" not in names(source)
    assert source.oddities["cancelled_but_dispatched"]
    assert source.oddities["cancelled_but_delivered"]


def test_a_delivery_without_a_date_is_none():
    source = reading(order_delivered_customer_date="")
    (scanned,) = [each for each in commands(source) if type(each).__name__ == "RecordCheckpointsRequest"]

    assert [scan.status for scan in scanned.checkpoints] == [parcels_pb2.PARCEL_STATUS_IN_TRANSIT]
    assert source.oddities["delivered_without_date"] == ["o1"]


def test_what_arrived_without_a_carrier_date_left_at_the_latest_then():
    source = reading(order_delivered_carrier_date="")
    found = commands(source)

    (ship,) = [each for each in found if type(each).__name__ == "ShipSupplierOrderRequest"]
    assert at(ship) == "2018-06-09 16:00"
    assert source.oddities["delivered_without_carrier"] == ["o1"]


def test_what_a_carrier_has_was_paid_at_the_latest_then():
    source = reading(order_approved_at="")
    _, pay, send, *_ = commands(source)

    assert (at(pay), at(send)) == ("2018-06-03 15:00", "2018-06-03 15:00")
    assert source.oddities["carrier_without_approval"] == ["o1"]


def test_an_order_without_items_is_placed_without_lines():
    source = reading(
        order_items=[], order_status="created", order_delivered_carrier_date="", order_delivered_customer_date=""
    )
    assert names(source) == ["PlaceOrder", "RecordPayment", "RecordReview"]
    assert source.oddities["order_without_items"] == ["o1"]


def test_a_review_of_several_orders_is_recorded_for_each():
    order = {**ROWS["orders"][0], "order_id": "o2"}
    review = {**ROWS["order_reviews"][0], "order_id": "o2"}
    source = reading(
        orders=[ROWS["orders"][0], order],
        order_items=[item(1), item(1, order_id="o2")],
        order_reviews=[ROWS["order_reviews"][0], review],
    )
    groups = list(source.orders())

    assert [each.record_review.order_id for group in groups for each in group if each.HasField("record_review")] == [
        "olist/o1",
        "olist/o2",
    ]
    assert source.oddities["review_id_repeated"] == ["r1"]


@pytest.mark.parametrize(
    ("local", "instant", "kind"),
    [
        ("2018-01-15 10:00:00", "2018-01-15 12:00", None),  # summer time, two hours behind
        ("2018-06-15 10:00:00", "2018-06-15 13:00", None),
        ("2018-02-17 23:30:00", "2018-02-18 01:30", "ambiguous_time"),  # the first of two
        ("2017-10-15 00:30:00", "2017-10-15 03:30", "nonexistent_time"),  # as if the clocks had not changed
    ],
)
def test_sao_paulo_times_become_utc(local: str, instant: str, kind: str | None):
    source = reading(order_purchase_timestamp=local, order_approved_at="")
    assert at(commands(source)[0], "placed_at") == instant
    odd = {"ambiguous_time", "nonexistent_time"} & {kind for kind, found in source.oddities.items() if found}
    assert odd == ({kind} if kind else set())


def test_suppliers_are_approved_a_day_before_the_first_order_of_all():
    groups = list(reading().suppliers())
    assert len(groups) == 2
    register, sample, terms, approve = groups[0]

    assert register.register_supplier.supplier_id == "s1"
    assert sample.review_sample.material_matches
    assert not terms.agree_terms.agreement.HasField("acknowledge_within_hours")
    assert {
        at(each)
        for each in (register.register_supplier, sample.review_sample, terms.agree_terms, approve.approve_supplier)
    } == {"2018-05-31 13:00"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"order_approved_at": "yesterday"}, "orders.csv, line 2: order_approved_at 'yesterday' is not a local time"),
        ({"order_purchase_timestamp": ""}, "orders.csv, line 2: order_purchase_timestamp is empty"),
        ({"order_approved_at": "2018-06-01T10:00:00Z"}, "is not a local time"),
        ({"order_approved_at": None}, "orders.csv, line 2: has not as many cells as the header has columns"),
        ({"customer_id": "nobody"}, "customers.csv has no customer nobody"),
        ({"order_items": [item(1, "nobody")]}, "order_items.csv, line 2: sellers.csv has no seller nobody"),
        ({"order_items": [item(1, price="1.005")]}, "price '1.005' is not an amount"),
        ({"order_items": [item(1, price="-1")]}, "price '-1' is not an amount"),
        ({"order_items": [item(1, freight_value="x")]}, "freight_value 'x' is not an amount"),
        ({"order_payments": [payment(1, "")]}, "order_payments.csv, line 2: payment_value is empty"),
        ({"order_payments": [payment(1, "1"), payment(1, "2")]}, "two payments of it have the same payment_sequential"),
        ({"order_items": [item(1, order_item_id="x")]}, "order_item_id 'x' is not a number from 1"),
        ({"order_items": [item(1), item(1)]}, "two items of it have the same order_item_id"),
        ({"order_items": [item(1), item(2, shipping_limit_date="soon")]}, "order_items.csv, line 3"),
    ],
)
def test_an_order_that_is_not_understood_is_named_and_left_out_as_a_whole(changes: dict[str, Any], problem: str):
    source = reading(**changes)
    assert list(source.orders()) == []
    assert any(problem in each for each in source.problems), source.problems


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"order_reviews": [{**ROWS["order_reviews"][0], "review_score": "9"}]}, "review_score '9' is not 1 to 5"),
        ({"order_items": [item(1), item(1, order_id="o9")]}, "line 3: orders.csv has no order o9"),
        ({"sellers": [{"seller_id": "s1"}, {"seller_id": "s1"}]}, "seller_id s1 stands in an earlier row"),
    ],
)
def test_a_row_that_is_not_understood_is_left_out_and_the_rest_goes_on(changes: dict[str, Any], problem: str):
    source = reading(**changes)
    assert len(list(source.orders())) == 1
    assert [each for each in source.problems if problem in each], source.problems


# --- the real orders through the real service --------------------------------------------------------


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Processes of its own, which work beside each other: a hundred thousand orders come in."""
    with serving(tmp_path_factory.mktemp("olist")) as service:
        yield service


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / "expected.json").read_text())
    return found


@pytest.fixture(scope="module")
def imported(service: Service) -> dict[str, Any]:
    """The report of the first import."""
    result = Console(service.address)("import", "olist", str(DATA), "--json")
    assert result.code == 0, result.err
    report: dict[str, Any] = result.json
    return report


def settled(service: Service, tenant: str = "default") -> int:
    """The head of the log once its clocks and read models have nothing left to do."""
    give_up_at, quiet_since, before = time.monotonic() + 100, time.monotonic(), -1
    with Client(service.address, tenant) as client:
        while time.monotonic() < give_up_at:
            status = client.admin.GetStatus(admin_pb2.GetStatusRequest())
            if status.position != before or any(each.lag for each in status.projections):
                before, quiet_since = status.position, time.monotonic()
            elif time.monotonic() - quiet_since > 3:
                return before
            time.sleep(0.2)
    raise AssertionError("the log does not come to rest")


@needs_data
def test_the_import_names_what_it_read_and_every_oddity(imported: dict[str, Any], expected: dict[str, Any]):
    assert imported["read"]["orders"] == expected["orders"]
    assert imported["refused"] == {}
    assert imported["problems"] == []
    assert imported["oddities"] == {
        "order_without_items": expected["orders_without_items"],
        "delivered_without_date": expected["anomaly_delivered_status_without_date"],
        "shipped_without_date": 1,
        "cancelled_but_dispatched": expected["anomaly_canceled_with_carrier_date"],
        "cancelled_but_delivered": expected["anomaly_canceled_with_delivery_date"],
        "cancelled_without_time": 599,
        "in_work_without_time": 292,
        "carrier_before_purchase": 2,
        "carrier_before_approval": expected["anomaly_carrier_before_approval"],
        "delivered_before_carrier": expected["anomaly_delivered_before_carrier"],
        "deadline_before_approval": 4,
        "payment_differs": 17,
        "payment_not_approved": 76,
        "payment_of_nothing": 2,
        "review_before_purchase": 39,
        "review_id_repeated": 9,
        "several_reviews": 41,
    }


@needs_data
def test_the_import_of_orders_of_before_leaves_nothing_to_do_and_nobody_to_write_to(
    service: Service, imported: dict[str, Any]
):
    head = settled(service)
    with Client(service.address) as client:
        assert list(patiently(client.work.ListWork, work_pb2.ListWorkRequest(at_least=head)).work) == []
        backlog = client.admin.GetStatus(admin_pb2.GetStatusRequest()).messages
    assert (backlog.waiting, backlog.failed, backlog.given_up) == (0, 0, 0)


SUMMARY = (
    "orders",
    "supplier_orders",
    "multi_supplier_orders",
    "suppliers",
    "units",
    "gmv_centavos",
    "supplier_orders_with_carrier_date",
    "supplier_orders_dispatched_on_time",
    "delivered_orders",
    "delivered_late",
)


@needs_data
def test_the_summary_agrees_with_the_files(service: Service, imported: dict[str, Any], expected: dict[str, Any]):
    summary = Console(service.address)("report", "summary", "--like", "olist", "--json").json
    assert summary == {name: expected[name] for name in SUMMARY}


@needs_data
def test_olist_s_names_stop_at_its_door(service: Service, imported: dict[str, Any]):
    summary = Console(service.address)("report", "summary", "--json").json
    assert summary.keys() == set(totals_pb2.GetSummaryResponse.DESCRIPTOR.fields_by_name)
    assert [each["currency"] for each in summary["gmv"]] == ["BRL"]


@needs_data
def test_the_suppliers_agree_with_the_scorecards(service: Service, imported: dict[str, Any], expected: dict[str, Any]):
    rows = Console(service.address)("report", "suppliers", "--json").json
    found = {row["supplier_id"]: {name: row[name] for name in ("dispatched", "on_time", "late")} for row in rows}

    assert len(rows) == expected["suppliers"]
    assert {seller: found[seller] for seller in expected["scorecards"]} == expected["scorecards"]
    assert sum(row["dispatched"] for row in rows) == expected["supplier_orders_with_carrier_date"]


@needs_data
def test_the_money_agrees_with_the_files(service: Service, imported: dict[str, Any]):
    terminal = Console(service.address)
    assert terminal("report", "money", "--json").json == json.loads((DATA / "expected_money.json").read_text())

    result = terminal("report", "money").out
    assert "boleto" in result
    assert re.search(r"of these paid otherwise +17\n", result)


@needs_data
def test_orders_whose_payments_differ_from_what_they_cost_are_listed(service: Service, imported: dict[str, Any]):
    cost: Counter[str] = Counter()
    for row in _rows(DATA / "order_items.csv"):
        cost[row["order_id"]] += round(100 * float(row["price"])) + round(100 * float(row["freight_value"]))
    paid: Counter[str] = Counter()
    for row in _rows(DATA / "order_payments.csv"):
        paid[row["order_id"]] += round(100 * float(row["payment_value"]))
    odd = {
        f"olist/{order_id}": (cost[order_id], paid[order_id]) for order_id in cost if paid[order_id] != cost[order_id]
    }

    listed = Console(service.address)("report", "money", "--differences", "--json").json

    assert {row["order_id"]: (row["total"]["amount_minor"], row["came_in"]["amount_minor"]) for row in listed} == odd
    assert [row["order_id"] for row in listed] == sorted(odd)
    assert len(odd) == imported["oddities"]["payment_differs"]


@pytest.fixture(scope="module")
def again(service: Service, imported: dict[str, Any]) -> tuple[int, CommandResult]:
    """The head of the log before a second import, and how that one ended."""
    head = settled(service)
    return head, Console(service.address)("import", "olist", str(DATA))


@needs_data
@pytest.mark.timeout(240)
def test_a_second_import_changes_nothing(service: Service, again: tuple[int, CommandResult]):
    head, result = again
    assert result.code == 0, result.err
    assert "Nothing new" in result.out
    assert settled(service) == head


@needs_data
@pytest.mark.timeout(240)
def test_the_progress_counts_orders_apart_from_suppliers(again: tuple[int, CommandResult]):
    lines = again[1].err.splitlines()
    assert [line for line in lines if line.startswith("suppliers: ")][-1] == "suppliers: 1,148 of 1,148"
    assert [line for line in lines if line.startswith("orders: ")][-1] == "orders: 3,996 of 3,996"


@pytest.fixture
def some_orders(tmp_path: Path) -> Path:
    """Fewer of the real orders and of their suppliers, in a folder of the same files."""
    folder = tmp_path / "some"
    shutil.copytree(DATA, folder)
    kept = {row["order_id"] for row in _rows(DATA / "orders.csv")[:400]}
    sellers = {row["seller_id"] for row in _rows(DATA / "order_items.csv") if row["order_id"] in kept}
    wanted = {"sellers": ("seller_id", sellers)}
    wanted |= dict.fromkeys(("orders", "order_items", "order_payments", "order_reviews"), ("order_id", kept))
    for name, (column, known) in wanted.items():
        rows = [row for row in _rows(DATA / f"{name}.csv") if row[column] in known]
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return folder


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@needs_data
def test_an_interrupted_import_goes_on_where_it_stopped(service: Service, some_orders: Path):
    terminal = Console(service.address, "interrupted")
    terminal("tenant", "add", "interrupted")
    process = terminal.start("import", "olist", str(some_orders))
    with Client(service.address, "interrupted") as client:
        while not client.admin.GetStatus(admin_pb2.GetStatusRequest()).position:
            assert process.poll() is None, "it ended before anything was recorded"
            time.sleep(0.01)
    process.kill()
    process.communicate()

    report = terminal("import", "olist", str(some_orders), "--json").json

    assert report["refused"] == {}
    assert report["replayed"], "what the first run recorded is known"
    assert report["applied"], "the first run was interrupted before its end"
    done = Counter(report["applied"]) + Counter(report["replayed"])
    assert (done["place_order"], done["register_supplier"]) == (400, len(_rows(some_orders / "sellers.csv")))
    assert terminal("report", "summary", "--json").json["orders"] == 400


def test_bad_rows_are_named_and_the_rest_is_imported(service: Service, tmp_path: Path):
    terminal = Console(service.address, "small")
    terminal("tenant", "add", "small")
    bad = {**ROWS["orders"][0], "order_id": "o2", "order_approved_at": "soon"}
    folder = small_folder(tmp_path / "small", orders=[ROWS["orders"][0], bad])

    result = terminal("import", "olist", str(folder))

    assert result.code == 1
    assert "orders.csv, line 3: order_approved_at 'soon' is not a local time" in result.out
    assert terminal("report", "summary", "--json").json["delivered_orders"] == 1


def test_a_row_that_changed_since_the_last_import_is_refused_by_name(service: Service, tmp_path: Path):
    terminal = Console(service.address, "changed")
    terminal("tenant", "add", "changed")
    assert terminal("import", "olist", str(small_folder(tmp_path / "first"))).code == 0
    later = small_folder(tmp_path / "later", order_items=[item(1, price="60.0")])

    result = terminal("import", "olist", str(later))

    assert result.code == 1
    assert "REQUEST_REUSED" in result.out
    assert "olist/o1/place" in result.out


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("folder", "there is no folder"),
        ("file", "lacks sellers.csv, order_items.csv"),
        ("column", "has no column price"),
    ],
)
def test_a_wrong_folder_is_named_in_one_sentence(tmp_path: Path, missing: str, sentence: str):
    folder = tmp_path / "wrong"
    if missing != "folder":
        small_folder(folder)
    if missing == "file":
        (folder / "sellers.csv").unlink()
        (folder / "order_items.csv").unlink()
    if missing == "column":
        items = folder / "order_items.csv"
        items.write_text(items.read_text().replace("price", "cost"))

    result = Console("127.0.0.1:1")("import", "olist", str(folder))

    assert result.code == 1
    assert sentence in result.err
    assert result.err.count("\n") == 1


def test_every_oddity_that_is_counted_is_explained():
    source = Path(olist.__file__).read_text()
    counted = {kind for kind in olist.ODDITIES if f'"{kind}"' in source.split("ODDITIES = {")[1].split("}", 1)[1]}
    assert counted == set(olist.ODDITIES)


@needs_data
def test_the_review_of_the_trade_agrees_with_the_scorecards_in_every_format(
    service: Service, imported: dict[str, Any], expected: dict[str, Any], tmp_path: Path
):
    head = settled(service)
    with Client(service.address) as client:
        asked = trade_pb2.ReviewTradeRequest(group_by=trade_pb2.TRADE_GROUP_SUPPLIER, at_least=head)
        rows = {row.key: row for row in _reviewed(client, asked)}
        (everything,) = _reviewed(client, trade_pb2.ReviewTradeRequest(at_least=head))
    found = {key: {"on_time": row.dispatched_on_time, "late": row.dispatched_late} for key, row in rows.items()}
    wanted = {key: {"on_time": card["on_time"], "late": card["late"]} for key, card in expected["scorecards"].items()}
    assert {key: found[key] for key in wanted} == wanted
    assert everything.dispatched_on_time == expected["supplier_orders_dispatched_on_time"]
    assert (everything.orders, everything.orders_delivered) == (expected["orders"], expected["delivered_orders"])

    as_csv, as_parquet = tmp_path / "review.csv", tmp_path / "review.parquet"
    result = Console(service.address)(
        "report", "review", "--by", "supplier", "--csv", str(as_csv), "--parquet", str(as_parquet)
    )
    assert result.code == 0, result.err
    columns, flat = trade.flat(rows.values())
    assert _rows(as_csv) == [{name: str(row[name]) for name in columns} for row in flat]
    assert parquet.read_table(as_parquet).to_pylist() == flat


def _reviewed(client: Client, request: trade_pb2.ReviewTradeRequest) -> Iterator[trade_pb2.TradeFigures]:
    while True:
        answer = client.reports.ReviewTrade(request)
        yield from answer.rows
        request.page.page_token = answer.next_page_token
        if not answer.next_page_token:
            return
