"""What a shop of WooCommerce is told by its REST API, asked over real HTTP of one that is played."""

import asyncio
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from adapters.edges.agreement import Account
from adapters.edges.effects import NotDone, Telling
from adapters.edges.http import Http, HttpClient, Limit, SystemUnreachable
from adapters.shops.woocommerce.system import WooCommerce
from ledger.terms.effects import Cancellation, Fulfilment, RefundAsked, ShopLine, StockLevel
from tests.support.woo_shop import Fault, woo_order, woo_shop

TWO_CUPS = (ShopLine(1, "cup", 2, "315"),)
PARCEL = Fulfilment("7", 1, TWO_CUPS, "dhl", "A1", datetime(2026, 11, 27, 9, tzinfo=UTC), "https://track/A1")
REFUND = RefundAsked("7", "refund-1", 1990, "EUR", lines=TWO_CUPS)
LEVEL = StockLevel("cup", 5)


@pytest.fixture(scope="module")
def playing():
    with woo_shop("", "main") as shop:
        yield shop


@pytest.fixture
def shop(playing):
    for kept in (playing.orders, playing.trackings, playing.notes, playing.refunds, playing.products, playing.told):
        kept.clear()
    playing.tracks, playing.faults = True, []
    playing.change(7)
    return playing


def tell(shop, effect, before=None, reference="", key="ck_1", **settings):
    account = Account("main", {"shop": shop.url, **settings}, ({"key": key, "secret": "cs_1"},))

    async def telling():
        async with HttpClient(private_too=True) as client:
            http = Http(client, Limit(1000, 100))
            return await WooCommerce().carry_out(http, account, Telling(effect, "key", before, reference))

    return asyncio.run(telling())


def did(shop):
    return [(method, path.removeprefix("/wc/v3")) for method, path, _ in shop.told]


def test_the_same_number_twice_is_one_tracking(shop):
    first, second = tell(shop, PARCEL), tell(shop, PARCEL)
    assert (first, shop.numbers(7)) == (second, ["A1"])


def test_a_corrected_number_takes_the_place_of_the_other_also_the_second_time(shop):
    before, right = tell(shop, PARCEL), replace(PARCEL, tracking_number="A9")
    told = tell(shop, right, PARCEL, before.reference)
    assert (tell(shop, right, PARCEL, before.reference), shop.numbers(7)) == (told, ["A9"])
    assert told.reference != before.reference


def test_an_order_that_is_over_in_the_shop_stays_over(shop):
    shop.change(7, status="refunded")
    tell(shop, replace(PARCEL, completes=True))
    assert (shop.numbers(7), shop.orders[7]["status"]) == (["A1"], "refunded")


def test_without_the_extension_people_read_notes_each_once(shop):
    shop.tracks = False
    told = tell(shop, PARCEL)
    assert tell(shop, PARCEL) == told
    right = replace(PARCEL, tracking_number="A9", tracking_url="")
    tell(shop, right, PARCEL, told.reference)
    tell(shop, replace(right, withdrawn=True), right, told.reference)
    assert [each["note"] for each in shop.notes[7]] == [
        "Parcel 1: DHL Express A1 (2 x cup). https://track/A1",
        "Parcel 1: DHL Express A9, instead of A1.",
        "Parcel 1: DHL Express A9 has not left.",
    ]


def test_units_that_are_cancelled_alone_are_a_note_of_those_that_are_new(shop):
    first = Cancellation("7", (ShopLine(1, "cup", 1),), whole=False)
    tell(shop, first)
    tell(shop, Cancellation("7", (ShopLine(1, "cup", 1), ShopLine(2, "can", 3)), whole=False), first)
    assert [each["note"] for each in shop.notes[7]] == ["Will not be sent: 1 x cup.", "Will not be sent: 3 x can."]
    tell(shop, Cancellation("7", TWO_CUPS, whole=True))
    assert shop.orders[7]["status"] == "cancelled"


def test_a_refund_is_recorded_once_and_moves_no_money(shop):
    told = tell(shop, REFUND)
    assert tell(shop, REFUND) == told
    (kept,) = shop.refunds[7]
    assert (kept["amount"], kept["api_refund"], kept["reason"]) == ("19.90", False, "[refund-1]")
    yen = tell(shop, replace(REFUND, refund_id="refund-2", currency="JPY"))
    assert shop.refunds[7][-1]["amount"] == "1990"
    assert yen != told


def test_a_product_is_looked_for_once_and_again_where_it_is_gone(shop):
    shop.products = {4: {"id": 4, "sku": "cup", "parent_id": 0}}
    told = tell(shop, LEVEL)
    assert told.reference == "/products/4"
    assert tell(shop, replace(LEVEL, available=4), LEVEL, told.reference) == told
    assert did(shop) == [("PUT", "/products/4")] * 2
    shop.products = {5: {"id": 5, "sku": "cup", "parent_id": 3}}
    assert tell(shop, LEVEL, LEVEL, told.reference).reference == "/products/3/variations/5"
    assert (shop.products[5]["manage_stock"], shop.products[5]["stock_quantity"]) == (True, 5)


def test_two_products_of_one_sku_are_for_a_person(shop):
    shop.products = {n: {"id": n, "sku": "cup", "parent_id": 0} for n in (4, 5)}
    with pytest.raises(NotDone, match="2 products"):
        tell(shop, LEVEL)


def test_a_delisted_product_is_sold_out_or_a_draft_until_it_is_on_sale_again(shop):
    shop.products = {4: {"id": 4, "sku": "cup", "parent_id": 0, "status": "publish"}}
    gone = StockLevel("cup", 0, listed=False)
    tell(shop, gone, LEVEL)
    assert (shop.products[4]["stock_quantity"], shop.products[4]["status"]) == (0, "publish")
    tell(shop, gone, LEVEL, delisted="draft")
    assert shop.products[4]["status"] == "draft"
    tell(shop, LEVEL, gone, delisted="draft")
    assert (shop.products[4]["stock_quantity"], shop.products[4]["status"]) == (5, "publish")
    shop.products[4]["status"] = "private"
    tell(shop, replace(LEVEL, available=6), LEVEL, delisted="draft")
    assert shop.products[4]["status"] == "private", "only what was made a draft here is published"


@pytest.mark.parametrize(
    ("fault", "raised", "says"),
    [
        (Fault(503), SystemUnreachable, "503"),
        (Fault(403, code="woocommerce_rest_cannot_edit"), SystemUnreachable, "read and write"),
        (Fault(400, code="rest_invalid_param"), NotDone, "rest_invalid_param"),
        (Fault(404, code="woocommerce_rest_order_invalid_id"), NotDone, "does not have it"),
        (Fault(0), SystemUnreachable, "cannot be reached"),
    ],
)
def test_what_goes_wrong_is_tried_again_or_for_a_person_and_quotes_nobody(shop, fault, raised, says):
    shop.faults = [fault]
    with pytest.raises(raised, match=says) as caught:
        tell(shop, PARCEL)
    assert "Ann" not in str(caught.value)


def test_without_a_key_a_shop_is_told_nothing():
    account = Account("main", {}, ({"webhook": "hook"},))
    assert not any(WooCommerce().is_told(kind, account) for kind in WooCommerce.effects)


def test_a_shop_whose_clock_runs_ahead_is_still_asked_for_what_is_new(shop):
    """Times to come are gone through within a round, and where the next begins is no time to come."""
    shop.orders.clear()
    for number in range(1, 121):
        shop.orders[number] = woo_order(number, date_modified_gmt="9999-12-31T23:59:59")
    account = Account("main", {"shop": shop.url}, ({"key": "ck_1", "secret": "cs_1"},))

    async def round_of(cursor):
        found = []
        async with HttpClient(private_too=True) as client:
            http = Http(client, Limit(1000, 100))
            for _ in range(10):
                page = await WooCommerce().changed_since(http, account, cursor)
                found += [each.received.object_id for each in page.found]
                cursor = page.cursor
                if page.done:
                    return found, cursor
        raise AssertionError("it never ends")

    first, cursor = asyncio.run(round_of(""))
    assert set(first) == {str(number) for number in range(1, 121)}
    assert cursor < f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
    shop.orders[200] = woo_order(200, date_modified_gmt=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}")
    assert "200" in asyncio.run(round_of(cursor))[0]
    healed = asyncio.run(round_of("9999-12-31T23:49:59 1"))[1]  # where one of before went on from
    assert "200" in asyncio.run(round_of(healed))[0]
