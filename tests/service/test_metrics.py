"""The figures for Prometheus, over a real socket: what a command leaves in them, and who may read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx2
import pytest

from adapters.access.listening import Unprotected
from adapters.metrics.settings import shown_of
from adapters.metrics.standing import MOST_TENANTS, OTHERS, ReadModel, TenantStanding, in_few
from adapters.process.options import options
from fulfilment.v1 import orders_pb2
from tests.support.access import administer
from tests.support.figures import Figures, read
from tests.support.hosting import a_database, listening_on
from tests.support.projecting import projector
from tests.support.service import Client, Service
from tests.support.waiting import wait_for


class Watching(Service):
    """A service and its figures."""

    port: int

    def text(self) -> str:
        return httpx2.get(f"http://127.0.0.1:{self.port}/metrics").raise_for_status().text

    def figures(self) -> Figures:
        return read(self.text())


@pytest.fixture(scope="module")
def watching(embedded: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watching]:
    data = tmp_path_factory.mktemp("watching")
    with (
        a_database(embedded) as dsn,
        projector(dsn),
        listening_on(dsn, data, "--metrics", "0") as listening,
    ):
        found = Watching(f"127.0.0.1:{listening.port}", data, dsn)
        assert listening.metrics_port is not None
        found.port = listening.metrics_port
        yield found


@pytest.fixture(scope="module")
def shop(watching: Watching) -> Iterator[Client]:
    with Client(watching.address) as client:
        client.approve(acknowledge_within_hours=24, dispatch_within_hours=48, first_scan_within_hours=24)
        yield client


def test_a_command_is_counted_on_its_whole_way(watching: Watching, shop: Client):
    before = watching.figures()
    shop.place("watched")
    after = watching.figures()

    def more(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert more('fulfilment_calls_total{rpc="PlaceOrder",code="OK",reason=""}') == 1
    assert more('fulfilment_call_seconds_count{rpc="PlaceOrder"}') == 1
    assert more("fulfilment_queue_seconds_count") >= 1
    assert more("fulfilment_batch_commands_sum") >= 1
    for stage in ("open", "decide", "commit"):
        assert more(f'fulfilment_batch_seconds_count{{stage="{stage}"}}') >= 1
        assert more(f'fulfilment_batch_seconds_sum{{stage="{stage}"}}') > 0
    assert more("fulfilment_book_streams") >= 1
    assert after["fulfilment_book_bytes"] > 0


def test_a_refusal_is_counted_by_its_reason(watching: Watching, shop: Client):
    with pytest.raises(grpc.RpcError):
        shop.orders.GetOrder(orders_pb2.GetOrderRequest(order_id="shop/nowhere"))
    assert watching.figures()['fulfilment_calls_total{rpc="GetOrder",code="NOT_FOUND",reason="UNKNOWN_ORDER"}'] == 1


def test_a_histogram_counts_up_to_each_bound_and_all_at_last(watching: Watching, shop: Client):
    figures = watching.figures()
    found = [(name, value) for name, value in figures.items() if name.startswith("fulfilment_queue_seconds_bucket")]
    counts = [value for _, value in found]
    assert counts == sorted(counts)
    assert 'le="+Inf"' in found[-1][0]
    assert counts[-1] == figures["fulfilment_queue_seconds_count"] > 0


def test_it_says_where_each_tenant_stands(watching: Watching, shop: Client):
    def there() -> bool:
        found = watching.figures()
        return (
            found.get('fulfilment_log_position{tenant="default"}', 0) > 0
            and found.get('fulfilment_projection_lag_facts{tenant="default",projection="tracking"}') == 0
            and 'fulfilment_outbox_messages{tenant="default",state="waiting"}' in found
            and 'fulfilment_inbox_deliveries{tenant="default",state="failed"}' in found
            and found.get('fulfilment_clocks_late{tenant="default"}') == 0
        )

    wait_for(there)


def test_it_says_what_the_process_and_its_pools_take(watching: Watching, shop: Client):
    found = watching.figures()
    assert found['fulfilment_cpu_seconds_total{role="api"}'] > 0
    assert found['fulfilment_memory_bytes{role="api"}'] > 1 << 20
    assert found['fulfilment_pool_connections{pool="writers"}'] >= 1
    assert found['fulfilment_pool_connections_most{pool="readers"}'] == 10


def test_nothing_personal_is_shown(watching: Watching, shop: Client):
    text = watching.text()
    for personal in ("ada@example.org", "Ada Lovelace", "watched", "shop/"):
        assert personal not in text


def test_it_is_not_shown_off_this_machine_without_protection(tmp_path: Path):
    chosen = options(["--metrics", "0.0.0.0:0", "--data", str(tmp_path)])
    with pytest.raises(Unprotected, match="certificate"):
        shown_of(chosen)


def test_it_is_not_shown_unless_it_is_said():
    assert shown_of(options([])) is None


def test_once_a_client_is_registered_only_who_may_ask_for_the_status_reads_it(embedded: str, tmp_path: Path):
    with a_database(embedded) as dsn:
        tokens = {
            name: administer("add", name, "--role", role, "--tenant", "default", "--dsn", dsn).token
            for name, role in (("watcher", "reporting"), ("web-shop", "shop"))
        }
        with listening_on(dsn, tmp_path, "--metrics", "0") as listening:
            url = f"http://127.0.0.1:{listening.metrics_port}/metrics"

            def asked(**headers: str) -> httpx2.Response:
                return httpx2.get(url, headers=headers)

            assert asked().json()["reason"] == "CREDENTIALS"
            assert asked(authorization=f"Bearer {tokens['web-shop']}").json()["reason"] == "NOT_ALLOWED"
            watched = asked(authorization=f"Bearer {tokens['watcher']}")
            assert watched.status_code == 200
            assert "fulfilment_info" in watched.text


def test_from_a_number_on_tenants_are_added_up():
    each = TenantStanding(10, {"sla": ReadModel(2, 3.0, False)}, {"waiting": 1}, {"failed": 0}, 4, 5.0)
    late = each._replace(models={"sla": ReadModel(1, 9.0, True)}, late_seconds=7.0)
    found = in_few(
        [(f"t{number:03}", late if number == MOST_TENANTS + 1 else each) for number in range(MOST_TENANTS + 2)]
    )
    assert len(found) == MOST_TENANTS + 1
    assert found["t000"] == each
    assert found[OTHERS] == TenantStanding(20, {"sla": ReadModel(3, 9.0, True)}, {"waiting": 2}, {"failed": 0}, 8, 7.0)
