"""The whole service with its edges as processes: one that is killed loses nothing that it acknowledged."""

import re
import signal
from concurrent.futures import ThreadPoolExecutor

import httpx2
import psutil  # type: ignore[import-untyped]

from fulfilment.v1 import common_pb2, edges_pb2
from tests.support.edge import SECRET, WooShop, woo_order
from tests.support.hosting import a_database
from tests.support.service import Client, ServiceProcess, context, names_of, serving
from tests.support.waiting import wait_for

ORDERS = 80
DONE, IGNORED = edges_pb2.RECEPTION_STATE_DONE, edges_pb2.RECEPTION_STATE_IGNORED
ALL = edges_pb2.ListReceptionsRequest(page=common_pb2.PageRequest(page_size=1000))


def addresses(service: ServiceProcess) -> list[str]:
    """Where edges have listened so far, by the log."""
    return re.findall(r"the edges listen on (127\.0\.0\.1:\d+)", service.log.read_text())


def edge_of(service: ServiceProcess) -> psutil.Process:
    children = psutil.Process(service.process.pid).children()
    return next(each for each in children if each.environ().get("FULFILMENT_ROLE") == "edge")


def test_an_edge_that_is_killed_with_deliveries_in_flight_loses_none_that_it_acknowledged(conninfo, folder):
    with a_database(conninfo) as dsn, serving(folder, "--dsn", dsn, "--web", "127.0.0.1:0") as service:
        (address,) = wait_for(lambda: addresses(service))
        with Client(service.address) as client:
            client.edges.AddConnection(
                edges_pb2.AddConnectionRequest(
                    context=context(),
                    name="main",
                    system="woocommerce",
                    settings={"shop": "https://shop.example.org"},
                    secrets={"webhook": SECRET},
                )
            )
            shop, acknowledged = WooShop(f"http://{address}", "main"), []

            def send(number: int) -> None:
                try:
                    if shop.send(woo_order(number), "order.created").status_code == 200:
                        acknowledged.append(number)
                except httpx2.HTTPError:
                    return
                if len(acknowledged) == ORDERS // 4:
                    edge_of(service).send_signal(signal.SIGKILL)

            with ThreadPoolExecutor(8) as senders:
                list(senders.map(send, range(1, ORDERS + 1)))
            assert ORDERS // 4 <= len(acknowledged) < ORDERS
            again = wait_for(lambda: addresses(service)[1:])
            shop.edge = f"http://{again[0]}"

            def ended() -> set[int]:
                """One that was an order already when the process died is of no news to the next one."""
                found = client.edges.ListReceptions(ALL).receptions
                return {int(each.object_id) for each in found if each.state in (DONE, IGNORED)}

            wait_for(lambda: ended() >= set(acknowledged))
            # What was not acknowledged is sent again, and what was is repeated: each becomes an order once.
            with ThreadPoolExecutor(8) as senders:
                statuses = set(
                    senders.map(lambda n: shop.send(woo_order(n), "order.created").status_code, range(1, ORDERS + 1))
                )
            assert statuses == {200}
            wait_for(lambda: len(ended()) == ORDERS)
            assert names_of(client, "order.placed") == ORDERS
