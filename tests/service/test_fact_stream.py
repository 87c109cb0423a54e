"""The stream of facts with filters: what comes, how one goes on after it, and what is refused."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest

from adapters.rpc import audit
from fulfilment.v1 import audit_pb2
from ledger.engine import selection
from tests.support.edge import edging
from tests.support.http_api import Http
from tests.support.service import Client, Service, fields_of, reason_of, refused, stamp
from tests.support.trading import Trade, fresh


def streamed(client: Client, **wanted: Any) -> list[audit_pb2.StreamFactsResponse]:
    return list(client.audit.StreamFacts(audit_pb2.StreamFactsRequest(**wanted)))


def facts(client: Client, **wanted: Any) -> list[audit_pb2.StoredFact]:
    return [fact for message in streamed(client, **wanted) for fact in message.facts]


def every(client: Client) -> list[audit_pb2.StoredFact]:
    return facts(client)


@pytest.fixture
def trade(client: Client) -> Trade:
    return Trade(client)


def test_only_what_fits_each_filter_comes(client: Client, trade: Trade):
    order_id = trade.placed()
    client.feed(10, sku=fresh())
    log = every(client)

    of_order = facts(client, order_id=order_id)
    assert of_order == [fact for fact in log if fact.stream == f"order-{order_id}"]
    assert of_order[0].name == "order.placed"

    of_stock = facts(client, stream_prefix="stock-")
    assert of_stock == [fact for fact in log if fact.stream.startswith("stock-")] != []

    placed = facts(client, names=["order.pl*", "supplier.registered"])
    assert placed == [fact for fact in log if fact.name in ("order.placed", "supplier.registered")]

    by_test = facts(client, actor="test")
    assert by_test == [fact for fact in log if fact.actor == "test"] != []
    assert facts(client, actor="nobody") == []

    together = facts(client, order_id=order_id, names=["*.placed"], actor="test", after=of_order[0].position - 1)
    assert together == of_order[:1]
    assert facts(client, order_id=order_id, after=of_order[-1].position) == []


def test_a_time_of_recording_selects(client: Client, trade: Trade):
    trade.placed()
    since = every(client)[-1].recorded_at.ToDatetime(UTC) + timedelta(microseconds=1)
    order_id = trade.placed()
    assert {fact.stream for fact in facts(client, since=stamp(since), names=["order.placed"])} == {f"order-{order_id}"}
    log = every(client)
    assert (facts(client, until=stamp(since)) + facts(client, since=stamp(since)))[: len(log)] == log


def test_what_found_nothing_says_how_far_it_read(client: Client):
    head = every(client)[-1].position
    (last,) = streamed(client, names=["order.unheard_of"])
    assert list(last.facts) == []
    assert last.position >= head


def test_without_a_filter_no_message_is_empty(client: Client):
    messages = streamed(client)
    assert all(message.facts[-1].position == message.position for message in messages)


def test_a_filter_that_matches_nothing_does_not_look_dead(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(audit, "_SILENT_SECONDS", 0.0)
    monkeypatch.setattr(selection, "READ_A_STEP", 5)
    head = every(client)[-1].position
    positions = [message.position for message in streamed(client, names=["order.unheard_of"])]
    assert positions[: head // 5] == list(range(5, head + 1, 5))
    assert positions[-1] >= head


def test_who_follows_with_a_filter_gets_what_comes_and_goes_on_after_it(client: Client, trade: Trade):
    head = every(client)[-1].position
    order_id = f"shop/{fresh()}"
    request = audit_pb2.StreamFactsRequest(after=head, follow=True, order_id=order_id, names=["order.placed"])
    stream = client.audit.StreamFacts(request, timeout=60)
    late = threading.Timer(0.3, lambda: (trade.placed(), client.place(order_id.partition("/")[2], sku="untracked")))
    late.start()
    found = next(message for message in stream if message.facts)
    late.join()
    stream.cancel()
    assert [(fact.stream, fact.name) for fact in found.facts] == [(f"order-{order_id}", "order.placed")]
    assert found.position >= found.facts[-1].position > head
    assert facts(client, after=found.position, order_id=order_id, names=["order.placed"]) == []


def test_who_follows_in_silence_hears_how_far_the_log_is(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(audit, "_SILENT_SECONDS", 0.0)
    head = every(client)[-1].position
    request = audit_pb2.StreamFactsRequest(after=head, follow=True, names=["order.unheard_of"])
    stream = client.audit.StreamFacts(request, timeout=60)
    late = threading.Timer(0.3, lambda: client.place(fresh(), sku="untracked"))
    late.start()
    heard = next(iter(stream))
    late.join()
    stream.cancel()
    assert list(heard.facts) == []
    assert heard.position > head


def test_who_follows_until_a_time_that_is_over_is_done(client: Client):
    over = datetime.now(UTC) - timedelta(days=1)
    assert facts(client, follow=True, until=stamp(over)) == []


def test_the_client_follows_with_filters(client: Client, trade: Trade):
    trade.placed()
    only = audit_pb2.StreamFactsRequest(names=["order.placed"])
    expected = facts(client, names=["order.placed"])
    assert list(islice(client.follow(only=only), len(expected))) == expected


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"order_id": "nonsense"}, "order_id"),
        ({"order_id": "shop/1", "stream_prefix": "order-"}, "stream_prefix"),
        ({"stream_prefix": "order-\n"}, "stream_prefix"),
        ({"stream_prefix": "x" * 501}, "stream_prefix"),
        ({"names": ["order.placed", ""]}, "names[1]"),
        ({"names": ["order.*"] * 51}, "names"),
        ({"actor": "a\0b"}, "actor"),
        ({"since": stamp(datetime(2026, 2, 1, tzinfo=UTC)), "until": stamp(datetime(2026, 1, 1, tzinfo=UTC))}, "since"),
    ],
    ids=str,
)
def test_what_is_no_filter_is_refused(client: Client, wanted: dict[str, Any], field: str):
    error = refused(lambda request: list(client.audit.StreamFacts(request)), audit_pb2.StreamFactsRequest(**wanted))
    assert (reason_of(error), fields_of(error)) == ("MALFORMED", [field])


def test_the_filters_are_there_over_http_as_well(service: Service, client: Client, trade: Trade):
    order_id = trade.placed()
    with edging(service) as url:
        answer = Http(url).post("StreamFacts", {"order_id": order_id, "names": ["order.placed"]})
    found = [fact for line in answer.text.splitlines() if line for fact in json.loads(line).get("facts", ())]
    assert [(fact["stream"], fact["name"]) for fact in found] == [(f"order-{order_id}", "order.placed")]
