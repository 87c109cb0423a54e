"""The review of the trade at a terminal: the same rows as a table, JSON, CSV and Parquet, over a real socket."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from pyarrow import parquet

from adapters.console import trade
from fulfilment.v1 import orders_pb2, reports_pb2
from tests.service import Client, Service, context, fields_of, serving, stamp
from tests.terminal import Terminal

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("trade")
    with serving(folder, "--data", str(folder / "data")) as running:
        with Client(running.address) as client:
            _trades(client)
        yield running


def _trades(client: Client) -> None:
    """Four days ago two orders were sent: one left in time, one did not leave."""
    client.approve(at=NOW - 30 * DAY, acknowledge_within_hours=24, dispatch_within_hours=48, first_scan_within_hours=24)
    client.feed(10)
    for number in ("way", "late"):
        client.place(number, placed_at=stamp(NOW - 4 * DAY))
        sent = orders_pb2.SendSupplierOrderRequest(
            context=context(), supplier_order_id=f"shop/{number}/1", at=stamp(NOW - 4 * DAY)
        )
        client.orders.SendSupplierOrder(sent)
    client.orders.ShipSupplierOrder(
        orders_pb2.ShipSupplierOrderRequest(
            context=context(),
            supplier_order_id="shop/way/1",
            carrier="DHL",
            tracking_number="jd 1",
            at=stamp(NOW - 3 * DAY),
        )
    )


@pytest.fixture
def said(service: Service) -> Terminal:
    return Terminal(service.address)


def test_the_same_rows_stand_in_every_format(said: Terminal, service: Service, tmp_path: Path):
    as_csv, as_parquet = tmp_path / "review.csv", tmp_path / "review.parquet"
    written = said("report", "review", "--by", "carrier", "--csv", str(as_csv), "--parquet", str(as_parquet))
    assert written.code == 0, written.err
    with Client(service.address) as client:
        request = reports_pb2.ReviewTradeRequest(group_by=reports_pb2.TRADE_GROUP_CARRIER)
        columns, rows = trade.flat(client.reports.ReviewTrade(request).rows)
    assert [(row["key"], row["dispatches_due"], row["dispatched_on_time"]) for row in rows] == [
        ("", 1, 0),
        ("dhl", 1, 1),
    ]
    with as_csv.open(newline="") as file:
        assert list(csv.DictReader(file)) == [{name: str(row[name]) for name in columns} for row in rows]
    assert parquet.read_table(as_parquet).to_pylist() == rows
    told = said("report", "review", "--by", "carrier", "--json").json
    assert [(row["key"], row["dispatches_due"]) for row in told] == [("", 1), ("dhl", 1)]


def test_the_table_tells_rates_with_what_they_are_made_of_and_no_data_as_such(said: Terminal):
    out = said("report", "review").out
    assert "all together" in out
    assert "50.0 (1 of 2)" in out
    assert "no data" in out
    assert "Nothing was counted" in said("report", "review", "--channel", "other").out


def test_a_period_that_ends_before_it_begins_is_refused(service: Service):
    request = reports_pb2.ReviewTradeRequest(since=stamp(NOW), until=stamp(NOW - DAY))
    with Client(service.address) as client, pytest.raises(grpc.RpcError) as caught:
        client.reports.ReviewTrade(request)
    assert fields_of(caught.value) == ["since"]
