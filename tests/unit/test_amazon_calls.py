"""Amazon over real HTTP: its tokens and limits, its queue, and what it is told, once, whatever gets lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.edges.agreement import Account
from adapters.edges.delivery import Received
from adapters.edges.effects import NotDone, NotYet, Telling, ToldNow
from adapters.edges.http import Http, HttpClient, Limit, SystemUnreachable, TryLater
from adapters.edges.meaning import NotUnderstood
from adapters.edges.questions import Fetched
from adapters.edges.systems import SYSTEMS
from adapters.shops.amazon import queues, vendor_telling
from ledger.terms.effects import Cancellation, Fulfilment, OrderStanding, ShopLine, StockLevel
from tests.support.amazon import (
    CLIENT,
    PlayedAmazon,
    playing_amazon,
    seller_secrets,
    seller_settings,
    vendor_settings,
)
from tests.support.amazon_orders import amazon_item, amazon_order, notification, purchase_order

SELLS, VENDS = SYSTEMS["amazon"], SYSTEMS["amazon-vendor"]
ORDER = "302-1234567-7654321"


@pytest.fixture
def amazon() -> Iterator[PlayedAmazon]:
    with playing_amazon() as amazon:
        yield amazon


@pytest.fixture(scope="module")
def network() -> Iterator[tuple[asyncio.Runner, HttpClient]]:
    """What all requests go through; to open it takes longer than most of them."""
    with asyncio.Runner() as runner:
        client = runner.run(HttpClient(private_too=True).__aenter__())
        yield runner, client
        runner.run(client.__aexit__(None, None, None))


class Calls:
    """One connection, whose requests are made one after the other, as by one process."""

    def __init__(self, network: tuple[asyncio.Runner, HttpClient], account: Account, system: Any) -> None:
        self.account = account
        self.system = system
        self._runner, self._client = network
        self.restart()

    def __call__(self, method: str, *arguments: Any) -> Any:
        return self._runner.run(getattr(self.system, method)(self.http, self.account, *arguments))

    def tell(self, effect: Any, key: str = "k-1") -> ToldNow:
        found = self("carry_out", Telling(effect, key))
        assert isinstance(found, ToldNow)
        return found

    def restart(self) -> None:
        """It knows nothing any more of what was asked and given before."""
        self.http = Http(self._client, Limit(100, 100), self.system.limits)


@pytest.fixture
def seller(network: Any, amazon: PlayedAmazon) -> Calls:
    return Calls(network, Account("main", SELLS.checked(seller_settings(amazon)), (seller_secrets(),)), SELLS)


@pytest.fixture
def vendor(network: Any, amazon: PlayedAmazon, monkeypatch: pytest.MonkeyPatch) -> Calls:
    monkeypatch.setattr(vendor_telling, "_PAUSES", (0.01, 0.01))
    return Calls(network, Account("main", VENDS.checked(vendor_settings(amazon)), (seller_secrets(),)), VENDS)


# --- tokens, limits and orders --------------------------------------------------------------------


def test_a_token_is_kept_until_it_ends_and_one_that_ends_before_its_time_is_asked_for_anew(amazon, seller):
    amazon.put(amazon_order(ORDER))
    for _ in range(3):
        (found,) = seller("fetch", Received("ORDER_CHANGE", ORDER), b"")
        assert (found.received.object_id, found.received.whole) == (ORDER, True)
    assert amazon.asked["login"] == 1
    amazon.end_tokens()
    assert seller("fetch", Received("ORDER_CHANGE", ORDER), b"")
    assert amazon.asked["login"] == 2


def test_while_the_client_secret_changes_either_of_the_two_is_enough(amazon, seller):
    amazon.put(amazon_order(ORDER))
    newer = seller_secrets(client_secret="the newer one")
    seller.account = Account("main", seller.account.settings, (newer, seller_secrets()))
    assert seller("fetch", Received("ORDER_CHANGE", ORDER), b"")
    amazon.secrets = {"the newer one"}
    amazon.end_tokens()
    assert seller("fetch", Received("ORDER_CHANGE", ORDER), b"")
    amazon.secrets = set()
    amazon.end_tokens()
    with pytest.raises(NotUnderstood, match="invalid_client") as why:
        seller("fetch", Received("ORDER_CHANGE", ORDER), b"")
    assert "newer" not in str(why.value)


def test_an_order_that_amazon_does_not_have_is_nothing_and_a_failing_amazon_is_asked_again(amazon, seller):
    assert seller("fetch", Received("ORDER_CHANGE", "302-0"), b"") == ()
    amazon.fails = [503]
    with pytest.raises(SystemUnreachable):
        seller("fetch", Received("ORDER_CHANGE", ORDER), b"")


def test_limits_are_kept_as_amazon_tells_them(amazon, seller):
    """What it says beside an answer or a refusal holds from then on, for this operation alone."""
    amazon.put(amazon_order(ORDER))
    amazon.limits = {"getOrder": (0.01, 1)}
    assert seller("fetch", Received("ORDER_CHANGE", ORDER), b"")
    with pytest.raises(TryLater):
        seller("fetch", Received("ORDER_CHANGE", ORDER), b"")
    assert seller.http._others["getOrder"].calls_per_second == 0.01
    assert seller.http._others["searchOrders"].calls_per_second == 0.0056
    amazon.limits = {"searchOrders": (0.25, 0)}
    with pytest.raises(TryLater) as later:
        seller("changed_since", "")
    assert later.value.seconds == pytest.approx(1 / 0.0056)
    assert seller.http._others["searchOrders"].calls_per_second == 0.25


def test_orders_are_found_page_by_page_by_their_time_of_change(amazon, seller):
    for number in range(230):
        at = f"2026-01-05T{number // 60:02}:{number % 60:02}:00Z"
        amazon.put(amazon_order(f"302-{number}", lastUpdatedTime=at))
    amazon.put(amazon_order("302-fba", fulfillment={"fulfillmentStatus": "SHIPPED", "fulfilledBy": "AMAZON"}))
    found: list[Fetched] = []
    cursor, done = "2026-01-01T00:00:00Z", False
    while not done:
        page = seller("changed_since", cursor)
        found, cursor, done = [*found, *page.found], page.cursor, page.done
    assert [each.received.object_id for each in found] == [f"302-{number}" for number in range(230)]
    assert amazon.asked["searchOrders"] == 3
    assert seller("changed_since", cursor).found == ()
    # A token that is not known any more costs nothing but a page.
    amazon.fails = [400]
    assert seller("changed_since", "2026-01-01T00:00:00Z lost").cursor == "2026-01-01T00:00:00Z"


def test_the_same_state_is_the_same_whichever_operation_answers_it(amazon, seller):
    amazon.put(amazon_order(ORDER))
    (fetched,) = seller("fetch", Received("ORDER_CHANGE", ORDER), b"")
    (found,) = seller("changed_since", "2026-01-01T00:00:00Z").found
    assert fetched.received == found.received


def test_a_check_says_what_is_missing(amazon, seller):
    amazon.put(amazon_order(ORDER, lastUpdatedTime=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")))
    assert [each.problem for each in seller("check")] == ["", "", "", ""]
    amazon.shows_people, amazon.subscribed = False, False
    seller.account = Account("main", seller.account.settings, (seller_secrets(aws_secret="wrong"),))
    problems = [each.problem for each in seller("check")]
    assert problems[0] == ""
    assert "without addresses" in problems[1]
    assert "ORDER_CHANGE" in problems[2]
    assert "aws_secret" in problems[3]
    amazon.secrets = set()
    amazon.end_tokens()
    assert "invalid_client" in seller("check")[0].problem


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"marketplaces": "DE,US"}, "several regions"),
        ({"marketplaces": "Atlantis"}, "Atlantis"),
        ({"marketplaces": ""}, "countries"),
        ({"marketplaces": "DE", "sandbox": "perhaps"}, "sandbox"),
        ({"marketplaces": "DE", "queue": "orders"}, "queue"),
        ({"marketplaces": "DE", "api": "https://user@example.org"}, "api"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_what_is_wrong(settings, wrong):
    with pytest.raises(ValueError, match=wrong):
        SELLS.checked(settings)


def test_the_address_is_that_of_the_marketplaces_region_and_the_sandboxs_if_that_is_wanted():
    for places, sandbox, address in (
        ("DE,GB", "no", "https://sellingpartnerapi-eu.amazon.com"),
        ("US", "yes", "https://sandbox.sellingpartnerapi-na.amazon.com"),
        ("A1VC38T7YXB528", "no", "https://sellingpartnerapi-fe.amazon.com"),
    ):
        settings = SELLS.checked({"marketplaces": places, "sandbox": sandbox, "client": CLIENT})
        assert SELLS.api(Account("main", settings, ())) == address  # type: ignore[attr-defined]


# --- the queue ------------------------------------------------------------------------------------


def test_a_signature_is_that_of_the_scheme():
    """The first of the examples that AWS publishes with Signature Version 4."""
    login = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    at = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    sent = queues.signed("GET", "example.amazonaws.com", "/", {}, b"", login, "us-east-1", "service", at)
    assert sent["authorization"].endswith(
        "SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )


def test_a_queue_forgets_what_it_held_only_once_it_is_kept(amazon, seller):
    amazon.tell(notification(ORDER, "n-1", "2026-01-05T10:00:00Z"))
    amazon.tell(notification(ORDER, "n-2", "2026-01-05T10:00:01Z", camel=True))
    amazon.tell("not a notification")
    queued = seller("receive")
    told = [(each.received.topic, each.received.object_id, each.received.source_id) for each in queued.found]
    assert told == [
        ("ORDER_CHANGE", ORDER, "n-1"),
        ("ORDER_CHANGE", ORDER, "n-2"),
        ("unreadable", "m-3", "m-3"),
    ]
    assert len(amazon.queue) == 3
    assert seller("receive").found == ()  # they are hidden, not gone
    seller("took", queued)
    assert amazon.queue == []


def test_a_queue_that_takes_no_key_says_so_without_the_key(amazon, seller):
    seller.account = Account("main", seller.account.settings, (seller_secrets(aws_secret="wrong"),))
    with pytest.raises(NotUnderstood, match="403 to ReceiveMessage") as why:
        seller("receive")
    assert "AKIA" not in str(why.value)


# --- what a seller tells --------------------------------------------------------------------------


def parcel(number: str = "Z1", *, units: int = 2, line_id: str = "i-1", parcel_no: int = 1, **more: Any) -> Fulfilment:
    told = {"carrier": "ups", "shipped_at": datetime(2026, 1, 6, tzinfo=UTC), **more}
    lines = (ShopLine(1, "cup", units, line_id),) if units else ()
    return Fulfilment(ORDER, parcel_no, lines, tracking_number=number, **told)


def test_a_shipment_is_confirmed_by_its_items_and_told_again_it_is_the_same(amazon, seller):
    order = amazon.put(amazon_order(ORDER))
    assert seller.tell(parcel(units=1)) == ToldNow("1")
    assert seller.tell(parcel(units=1)) == ToldNow("1")
    assert order["fulfillment"]["fulfillmentStatus"] == "PARTIALLY_SHIPPED"
    seller.tell(parcel("Z2", units=1, parcel_no=2, carrier="yto"))
    assert order["fulfillment"]["fulfillmentStatus"] == "SHIPPED"
    carriers = [(each["packageReferenceId"], each["carrier"], each["trackingNumber"]) for each in order["packages"]]
    assert carriers == [("1", "UPS", "Z1"), ("2", "YTO", "Z2")]  # the second is told as Other, with its name
    assert amazon.asked["getOrder"] == 0


def test_a_number_that_is_corrected_replaces_the_one_of_before(amazon, seller):
    order = amazon.put(amazon_order(ORDER))
    seller.tell(parcel("Z1"))
    seller.tell(parcel("Z9"))
    assert [each["trackingNumber"] for each in order["packages"]] == ["Z9"]


def test_a_time_that_amazon_does_not_take_is_moved_into_its_range(amazon, seller):
    order = amazon.put(amazon_order(ORDER))
    seller.tell(parcel(units=1, shipped_at=datetime(2099, 1, 1, tzinfo=UTC)))
    seller.tell(parcel("Z2", units=1, parcel_no=2, shipped_at=datetime(2026, 1, 4, tzinfo=UTC)))
    assert order["fulfillment"]["fulfillmentStatus"] == "SHIPPED"


def test_what_amazon_has_by_another_hand_is_done_already(amazon, seller):
    order = amazon.put(amazon_order(ORDER))
    by_hand = {"packageReferenceId": "7", "trackingNumber": "Z1"}
    order["packages"] = [{**by_hand, "packageItems": [{"orderItemId": "i-1", "quantity": 2}]}]
    assert seller.tell(parcel()).note == "Amazon knew of it already"


def test_a_shipment_that_amazon_does_not_take_is_somebodys_work(amazon, seller):
    with pytest.raises(NotDone, match="404"):
        seller.tell(parcel())
    amazon.put(amazon_order(ORDER))
    with pytest.raises(NotDone, match="more than is left"):
        seller.tell(parcel(units=5))
    with pytest.raises(NotDone, match="takes no parcel back"):
        seller.tell(parcel(withdrawn=True))
    assert "whole line" in seller.tell(parcel(units=0)).note
    amazon.fails = [500]
    with pytest.raises(SystemUnreachable):
        seller.tell(parcel())
    amazon.secrets = set()
    amazon.end_tokens()
    with pytest.raises(SystemUnreachable, match="invalid_client"):
        seller.tell(parcel())


def test_an_order_of_before_its_items_had_ids_is_confirmed_by_sku_unless_that_is_ambiguous(amazon, seller):
    order = amazon.put(amazon_order(ORDER))
    seller.tell(parcel(line_id=""))
    assert order["fulfillment"]["fulfillmentStatus"] == "SHIPPED"
    amazon.put(amazon_order(ORDER, orderItems=[amazon_item("i-1", "cup", 1, "9"), amazon_item("i-2", "cup", 1, "9")]))
    with pytest.raises(NotDone, match="2 items of the SKU cup"):
        seller.tell(parcel(line_id=""))


def test_stock_is_set_where_the_sku_is_listed(amazon, seller):
    amazon.stock = {"cup/red 1": 3}
    assert seller.tell(StockLevel("cup/red 1", 7)).reference
    assert amazon.stock == {"cup/red 1": 7}
    seller.tell(StockLevel("cup/red 1", 7, listed=False))
    assert amazon.stock == {"cup/red 1": 0}
    assert seller.tell(StockLevel("tea", 7)) == ToldNow(note="the seller lists no such SKU")


def cancellation(*, whole: bool = True, reason: str = "out_of_stock") -> Cancellation:
    return Cancellation(ORDER, (ShopLine(1, "cup", 2 if whole else 1, "i-1"),), whole, reason)


def test_an_order_is_cancelled_by_a_feed_that_is_handed_over_once_and_asked_for(amazon, seller):
    order = amazon.put(amazon_order(ORDER))
    with pytest.raises(NotYet):
        seller.tell(cancellation())
    assert seller.tell(cancellation()).reference.startswith("feed-")
    assert amazon.asked["createFeed"] == 1
    assert order["fulfillment"]["fulfillmentStatus"] == "CANCELLED"
    (told,) = [content for name, content in amazon._files.items() if name.startswith("doc-")]
    assert b"<AmazonOrderItemCode>i-1</AmazonOrderItemCode><CancelReason>NoInventory</CancelReason>" in told
    # Whoever forgot that it was handed over finds that it is done.
    seller.restart()
    assert "already" in seller.tell(cancellation()).note
    assert amazon.asked["createFeed"] == 1


def test_feeds_that_amazon_takes_no_more_of_hold_up_nothing_else(amazon, seller):
    amazon.put(amazon_order(ORDER))
    amazon.limits = {"createFeed": (0.0083, 0)}
    with pytest.raises(NotYet):
        seller.tell(cancellation())
    seller.tell(parcel())


def test_what_amazon_lets_nobody_cancel_is_somebodys_work(amazon, seller):
    amazon.put(amazon_order(ORDER))
    with pytest.raises(NotDone, match="whole orders"):
        seller.tell(cancellation(whole=False))
    part = amazon_item("i-1", "cup", 2, "19.80", fulfillment={"quantityFulfilled": 1})
    amazon.put(amazon_order(ORDER, orderItems=[part]))
    with pytest.raises(NotDone, match="nothing was sent"):
        seller.tell(cancellation())
    amazon.put(amazon_order(ORDER))
    amazon.slow, amazon.refuses = 0, "It was shipped"
    with pytest.raises(NotDone, match="It was shipped"):
        seller.tell(cancellation(reason="buyer_asked"))


# --- vendors --------------------------------------------------------------------------------------


def test_purchase_orders_are_asked_for_with_a_token_for_peoples_data_page_by_page(amazon, vendor):
    for number in range(130):
        amazon.purchase_orders[f"PO{number:03}"] = purchase_order(f"PO{number:03}")
    first = vendor("changed_since", "")
    second = vendor("changed_since", first.cursor)
    assert (len(first.found), first.done, len(second.found), second.done) == (100, False, 30, True)
    assert amazon.asked["createRestrictedDataToken"] == 1
    assert vendor("check")[0].problem == ""
    again = vendor("changed_since", second.cursor)  # some days are looked at again: orders say nowhere when they change
    assert again.found == first.found
    # A cursor of long ago is caught up with week by week.
    page = vendor("changed_since", "2026-01-01T00:00:00Z")
    assert (page.cursor, page.done) == ("2026-01-08T00:00:00Z", False)


def shipped(**more: Any) -> Fulfilment:
    told = {"carrier": "ups", "tracking_number": "Z1", "shipped_at": datetime(2026, 1, 6, tzinfo=UTC), **more}
    return Fulfilment("PO1", 1, (ShopLine(1, "cup", 2, "00001"),), **told)


def test_a_vendors_shipment_is_acknowledged_confirmed_and_waited_for(amazon, vendor):
    order = amazon.purchase_orders["PO1"] = purchase_order("PO1")
    assert vendor.tell(shipped()).reference.startswith("t-")
    assert order["orderDetails"]["orderStatus"] == "SHIPPED"
    acknowledged, confirmed = amazon.confirmed
    assert acknowledged["acknowledgementStatus"]["code"] == "00"
    assert acknowledged["itemAcknowledgements"][0]["acknowledgedQuantity"]["amount"] == 2
    assert confirmed["items"][0]["itemSequenceNumber"] == 1
    assert confirmed["containers"][0]["trackingNumber"] == "Z1"


def test_a_vendor_acknowledges_what_will_be_sent_once(amazon, vendor):
    amazon.purchase_orders["PO1"] = purchase_order("PO1")
    assert "that is received" in vendor.tell(OrderStanding("PO1", "received")).note
    assert "confirmed" in vendor.tell(OrderStanding("PO1", "confirmed", ("customs_data",))).note
    assert amazon.confirmed == []
    assert vendor.tell(OrderStanding("PO1", "confirmed")).reference.startswith("t-")
    assert vendor.tell(OrderStanding("PO1", "confirmed")).note == "Amazon knew of it already"
    vendor.tell(shipped(), "k-2")
    assert [min(told) for told in amazon.confirmed] == ["acknowledgementDate", "containers"]


def test_a_transaction_that_takes_long_is_handed_over_once_and_a_failed_one_is_somebodys_work(amazon, vendor):
    amazon.slow = 5
    with pytest.raises(NotYet):
        vendor.tell(StockLevel("cup", 4))
    assert vendor.tell(StockLevel("cup", 4)).reference
    assert (amazon.asked["inventory"], amazon.vendor_stock) == (1, {"cup": 4})
    amazon.slow, amazon.refuses = 0, "no such item"
    with pytest.raises(NotDone, match="InvalidInput: no such item"):
        vendor.tell(StockLevel("tea", 4), "k-2")


def test_a_vendor_takes_back_what_it_has_not_acknowledged_and_denies_what_it_has(amazon, vendor):
    gone = Cancellation("PO1", (ShopLine(1, "cup", 2, "00001"),), True, "out_of_stock")
    amazon.purchase_orders["PO1"] = purchase_order("PO1")
    vendor.tell(gone)
    assert amazon.confirmed[-1]["acknowledgementStatus"]["code"] == "03"
    assert "already" in vendor.tell(gone).note
    amazon.purchase_orders["PO1"] = purchase_order("PO1", orderStatus="ACCEPTED")
    vendor.tell(gone)
    assert amazon.confirmed[-1]["shipmentDetails"]["shipmentStatus"] == "FLOOR_DENIAL"
    amazon.purchase_orders["PO1"] = purchase_order("PO1", orderStatus="SHIPPED")
    with pytest.raises(NotDone, match="Vendor Central"):
        vendor.tell(gone)
    with pytest.raises(NotDone, match="no such purchase order"):
        vendor.tell(Cancellation("PO9", (), True))


def test_settings_of_a_vendor_that_cannot_be_are_refused():
    for settings, wrong in (({"marketplace": "DE,FR"}, "one"), ({"marketplace": "US", "weight": "heavy"}, "kilograms")):
        with pytest.raises(ValueError, match=wrong):
            VENDS.checked(settings)


def test_no_token_and_no_secret_is_in_what_is_said(amazon, seller):
    """Whatever fails."""
    amazon.put(amazon_order(ORDER))
    said = []
    for fails in ([500], [403, 403], [400], [502]):
        amazon.fails = fails
        try:
            seller("fetch", Received("ORDER_CHANGE", ORDER), b"")
        except (SystemUnreachable, NotUnderstood, TryLater) as why:
            said.append(str(why))
    assert len(said) == 4
    assert not [each for each in said if "Atz" in each or "client secret" in each]
    assert json.dumps(said)
