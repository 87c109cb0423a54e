"""How Shopify is asked and told, against a played shop without a socket."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from adapters.edges.agreement import Account
from adapters.edges.effects import NotDone, Telling
from adapters.edges.http import SystemUnreachable, TryLater
from adapters.edges.meaning import NotUnderstood
from adapters.edges.questions import Fetched
from adapters.shops.shopify import asking, checking, holding
from adapters.shops.shopify.graphql import Shop
from ledger.terms.effects import (
    Cancellation,
    EffectKind,
    Fulfilment,
    HeldBack,
    RefundAsked,
    ShopLine,
    StandingHold,
    StockLevel,
)
from tests.support.shopify_orders import fulfilment, knowing, known, line, money, place, refund, shopify_order
from tests.support.shopify_payloads import ACCOUNT, NOTHING_KNOWN, SHOPIFY, delivery, taken
from tests.support.shopify_shop import APP_SECRET, CLIENT_ID, TOKEN, played

NOW = datetime(2026, 1, 6, 9, tzinfo=UTC)
DAY = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
"""Yesterday: a shop is first asked for the orders of the last month."""
WHILE_ITS_VERSION_STANDS = date(2026, 8, 1)


def asked(http, account, cursor=""):
    """All pages until there is nothing newer: what was found, and where it goes on."""
    found: list[Fetched] = []
    for _ in range(100):
        page = asyncio.run(SHOPIFY.changed_since(http, account, cursor))
        found += page.found
        cursor = page.cursor
        if page.done:
            return found, cursor
    raise AssertionError("it never ends")


def told(http, account, effect, before=None, reference="", key="k1"):
    return asyncio.run(SHOPIFY.carry_out(http, account, Telling(effect, key, before, reference)))


# --- asking ---------------------------------------------------------------------------------------


def test_an_order_that_is_asked_for_is_the_same_as_the_one_that_was_told():
    shop, http, account = played()
    odd = {
        "line_items": [line(11, "cup", 2, tax_lines=[{"price": "1.00", "price_set": money("1.00")}])],
        "fulfillments": [fulfilment(5, 1, [(11, 1)])],
        "refunds": [refund(6, 1, "3.50", [(11, 1, "return")])],
        "shipping_address": place(company="Example GmbH"),
        "current_total_duties_set": money("2.00"),
    }
    shop.sell(1, **odd)
    shop.change(1, at=f"{DAY}T10:00:00+01:00")
    (fetched, *_), _ = asked(http, account)
    raw = json.dumps(shop.orders[1]).encode()
    hook = taken(delivery("orders/updated", raw))
    assert fetched.received.content == hook.content
    assert (fetched.received.object_id, fetched.received.whole) == ("1", True)
    for ledger in (NOTHING_KNOWN, knowing(known(shop.orders[1]), shopify_order(1))):
        found = [SHOPIFY.understand(hook, each, ACCOUNT, ledger) for each in (raw, fetched.raw)]
        assert found[0] == found[1]
        assert found[0].wanted


def test_pages_are_asked_by_time_of_change_with_an_overlap_and_long_orders_line_by_line():
    shop, http, account = played()
    for number in range(1, 24):
        shop.sell(number)
        shop.change(number, at=f"{DAY}T10:{number:02}:00+00:00")
    shop.change(5, line_items=[line(1000 + place, f"sku-{place}") for place in range(180)], at=f"{DAY}T10:59:00Z")
    found, cursor = asked(http, account)
    assert sorted(int(each.received.object_id) for each in found) == list(range(1, 24))
    long = next(each for each in found if each.received.object_id == "5")
    assert len(json.loads(long.raw)["line_items"]) == 180
    assert shop.called.count("ChangedOrders") == 3
    assert shop.called.count("MoreLines") == 4
    assert asking.Cursor.read(cursor).orders == f"{DAY}T10:49:00Z"
    again, _ = asked(http, account, cursor)
    assert [each.received.object_id for each in again] == ["5"]


def test_a_shop_whose_clock_runs_ahead_is_still_asked_for_what_is_new():
    shop, http, account = played()
    shop.sell(1)
    shop.change(1, at="9999-12-31T23:59:59+00:00")
    (found, *_), cursor = asked(http, account)
    assert found.received.object_id == "1"
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    assert asking.Cursor.read(cursor).orders < now
    stuck = asking.Cursor("9999-12-31T23:49:59Z", "9999-12-31T23:49:59Z")  # where one of before went on from
    _, cursor = asked(http, account, str(stuck))
    assert max(asking.Cursor.read(cursor)[:2]) < now


def test_a_shop_that_finds_a_question_too_costly_is_asked_for_less_and_full_orders_alone():
    shop, http, account = played()
    for number in range(1, 6):
        shop.sell(number)
        shop.change(number, at=f"{DAY}T10:{number:02}:00+00:00")
    shop.change(3, at=f"{DAY}T10:59:00Z", refunds=[refund(each, 3, "0.10") for each in range(100, 107)])
    shop.most_few = 3
    found, cursor = asked(http, account)
    assert (asking.Cursor.read(cursor).size, shop.called.count("ChangedOrders")) == (1, 2)
    assert len(json.loads(found[-1].raw)["refunds"]) == 3  # alone it is too costly, too
    shop.most_few = 20
    (again,), _ = asked(http, account, cursor)
    assert len(json.loads(again.raw)["refunds"]) == 7
    shop.most_few = 1
    with pytest.raises(NotUnderstood, match="Query cost is too high"):
        asked(http, account)


def test_a_hold_is_found_by_asking_and_a_right_that_lacks_stops_nothing_else():
    shop, http, account = played()
    shop.sell(1)
    shop.change(1, at=f"{DAY}T10:00:00Z")
    shop.held.add(1)
    found, _ = asked(http, account)
    assert [(each.received.topic, each.received.object_id) for each in found] == [
        ("orders/updated", "1"),
        (asking.HOLD_TOPIC, "1"),
    ]
    shop.scopes.remove("write_merchant_managed_fulfillment_orders")
    assert len(asked(http, account)[0]) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, TryLater), (500, SystemUnreachable), (401, NotUnderstood), (402, NotUnderstood), (404, NotUnderstood)],
)
def test_what_a_shop_answers_instead_says_what_to_do(status, error):
    shop, http, account = played()
    shop.answers = [status]
    with pytest.raises(error):
        asyncio.run(SHOPIFY.changed_since(http, account, ""))


def test_too_few_points_say_how_long_to_wait():
    shop, http, account = played()
    shop.answers = [429]
    with pytest.raises(TryLater) as later:
        asyncio.run(SHOPIFY.changed_since(http, account, ""))
    assert later.value.seconds == 1.0


def test_a_place_in_the_list_that_the_shop_has_forgotten_is_looked_for_anew():
    shop, http, account = played()
    cursor = str(asking.Cursor(f"{DAY}T00:00:00Z", f"{DAY}T00:00:00Z", after="gone"))
    shop.answers = [404]
    page = asyncio.run(SHOPIFY.changed_since(http, account, cursor))
    assert (page.found, page.done, asking.Cursor.read(page.cursor).after) == ((), False, "")


def test_a_token_is_asked_for_once_by_the_credentials_of_the_app_and_anew_once_it_is_refused():
    _, http, account = played()
    granted = Account("main", account.settings, ({"secret": APP_SECRET, "client_id": CLIENT_ID},))
    asyncio.run(SHOPIFY.changed_since(http, granted, ""))
    assert [each.text for each in http.tokens.values()] == [TOKEN]
    http.tokens[CLIENT_ID] = msgspec.structs.replace(http.tokens[CLIENT_ID], text="withdrawn", ends_at=float("inf"))
    with pytest.raises(NotUnderstood, match="answers 401"):
        asyncio.run(SHOPIFY.changed_since(http, granted, ""))
    assert not http.tokens
    wrong = Account("main", account.settings, ({"secret": "wrong", "client_id": CLIENT_ID},))
    with pytest.raises(NotUnderstood, match="grants no token"):
        asyncio.run(SHOPIFY.changed_since(http, wrong, ""))


def hinted(http, account, topic, body):
    """What is fetched for what only hints at it."""
    raw = json.dumps(body).encode()
    received = taken(delivery(topic, raw, APP_SECRET, x_shopify_shop_domain=""), account)
    meant = SHOPIFY.understand(received, raw, account, NOTHING_KNOWN)
    found = asyncio.run(SHOPIFY.fetch(http, account, received, raw)) if meant.asks else ()
    return meant.asks or meant.ignored, [(each.received.topic, each.received.object_id) for each in found]


def test_an_edit_and_news_of_a_fulfilment_order_are_hints_and_the_shop_is_asked():
    shop, http, account = played()
    shop.sell(7)
    assert hinted(http, account, "orders/edited", {"order_edit": {"order_id": 7}}) == (
        "main/7",
        [("orders/updated", "7")],
    )
    assert hinted(http, account, "orders/edited", {"order_edit": {"order_id": 8}}) == ("main/8", [])
    moved = {
        "original_fulfillment_order": {"id": "gid://shopify/FulfillmentOrder/71", "status": "closed"},
        "moved_fulfillment_order": {"id": "gid://shopify/FulfillmentOrder/72", "status": "open"},
    }
    assert hinted(http, account, "fulfillment_orders/moved", moved) == (
        "gid://shopify/FulfillmentOrder/71",
        [(asking.HOLD_TOPIC, "7"), (asking.HOLD_TOPIC, "7")],
    )
    shop.scopes.clear()
    assert hinted(http, account, "fulfillment_orders/moved", moved)[1] == []
    silent = Account("main", account.settings, ({"secret": APP_SECRET},))
    assert "nothing to ask the shop with" in hinted(http, silent, "fulfillment_orders/moved", moved)[0]


def test_a_connection_that_cannot_ask_is_told_nothing():
    _, http, _ = played()
    silent = Account("main", {"shop": "https://played.myshopify.com"}, ({"secret": APP_SECRET},))
    assert asyncio.run(SHOPIFY.changed_since(http, silent, "")).done
    assert not SHOPIFY.is_told(EffectKind.FULFILMENT, silent)
    assert asyncio.run(SHOPIFY.check(http, silent))[0].problem


def test_what_a_connection_is_told_follows_from_its_settings():
    account = played()[2]
    assert [kind for kind in EffectKind if SHOPIFY.is_told(kind, account)] == [
        *("hold", "fulfilment", "cancellation", "stock")
    ]
    careful = Account("main", {**account.settings, "told": "refund,fulfilment"}, account.secrets)
    assert [kind for kind in EffectKind if SHOPIFY.is_told(kind, careful)] == ["fulfilment", "refund"]


# --- checking ---------------------------------------------------------------------------------------


def check(http, account, day=WHILE_ITS_VERSION_STANDS):
    return asyncio.run(checking.checks(Shop(http, account), account, day))


def problems(checks):
    return {each.what: each.problem for each in checks if each.problem}


def test_a_check_says_which_right_lacks_and_makes_the_webhooks_that_lack():
    shop, http, account = played(deliver_to="https://edge.example.org/in/default/main")
    shop.scopes.remove("write_order_edits")
    found = check(http, account)
    assert problems(found) == {
        "the app has the right write_order_edits": "it was not granted, and with it units are cancelled"
    }
    assert set(shop.webhooks.values()) == {"https://edge.example.org/in/default/main"}
    assert any(each.what == "a webhook for orders/create, made now" for each in found)
    made = shop.called.count("Subscribe") + shop.called.count("Redirect")
    check(http, account)
    assert shop.called.count("Subscribe") + shop.called.count("Redirect") == made


def test_a_check_without_an_address_changes_nothing_and_names_what_lacks():
    shop, http, account = played()
    found = problems(check(http, account))
    assert found == {"a webhook for orders/create": "it is missing; the setting deliver_to lets this test make it"}
    assert "Subscribe" not in shop.called


def test_a_check_says_early_that_the_version_ends():
    _, http, account = played()
    found = problems(check(http, account, date(2027, 5, 1)))
    assert "that ends on 2027-07-01" in found["the shop answers in version 2026-07 of its API"]


# --- telling ----------------------------------------------------------------------------------------


def parcel(number="1Z999", lines=((1, "cup", 2, "11"),), **changes):
    shipped = [ShopLine(no, sku, units, line_id) for no, sku, units, line_id in lines]
    fields = {"tracking_url": "https://www.ups.com/track?tracknum=1Z999", "carrier": "ups", **changes}
    return Fulfilment("1", 1, tuple(shipped), tracking_number=number, shipped_at=NOW, **fields)


def sold(*lines):
    shop, http, account = played()
    shop.sell(1, line_items=list(lines) or [line(11, "cup", 3), line(12, "plate", 1)])
    return shop, http, account


def test_a_parcel_is_a_fulfilment_of_its_lines_and_of_no_others():
    shop, http, account = sold()
    answer = told(http, account, parcel())
    (made,) = shop.orders[1]["fulfillments"]
    assert answer.reference == f"gid://shopify/Fulfillment/{made['id']}"
    assert (made["tracking_company"], made["tracking_number"]) == ("UPS", "1Z999")
    assert made["line_items"] == [{"id": 11, "quantity": 2}]
    again = told(http, account, parcel())
    assert (again.reference, len(shop.orders[1]["fulfillments"])) == (answer.reference, 1)


def test_a_parcel_from_several_locations_is_a_fulfilment_for_each():
    shop, http, account = sold()
    shop.locations = {"plate": 7}
    both = parcel(lines=((1, "cup", 3, "11"), (2, "plate", 1, "")))
    answer = told(http, account, both)
    assert len(shop.orders[1]["fulfillments"]) == len(answer.reference.split(",")) == 2
    assert shop.orders[1]["fulfillment_status"] == "fulfilled"


def test_a_corrected_number_a_further_line_and_a_parcel_that_did_not_leave_are_told():
    shop, http, account = sold()
    first = parcel()
    reference = told(http, account, first).reference
    corrected = parcel("1Z111", carrier="dhl")
    assert told(http, account, corrected, first, reference).reference == reference
    assert shop.orders[1]["fulfillments"][0]["tracking_company"] == "DHL Express"
    more = parcel("1Z111", ((1, "cup", 3, "11"), (2, "plate", 1, "12")), carrier="dhl")
    answer = told(http, account, more, corrected, reference)
    assert [each["line_items"] for each in shop.orders[1]["fulfillments"]] == [
        [{"id": 11, "quantity": 2}],
        [{"id": 11, "quantity": 1}, {"id": 12, "quantity": 1}],
    ]
    fewer = parcel("1Z111", ((2, "plate", 1, "12"),), carrier="dhl")
    answer = told(http, account, fewer, more, answer.reference)
    left = [each for each in shop.orders[1]["fulfillments"] if each["status"] == "success"]
    assert [each["line_items"] for each in left] == [[{"id": 12, "quantity": 1}]]
    gone = parcel("1Z111", ((2, "plate", 1, "12"),), carrier="dhl", withdrawn=True)
    for _ in range(2):
        told(http, account, gone, fewer, answer.reference)
    assert {each["status"] for each in shop.orders[1]["fulfillments"]} == {"cancelled"}


def test_what_the_shop_has_fulfilled_already_is_success_and_what_it_holds_is_a_persons_work():
    shop, http, account = sold(line(11, "cup", 2))
    shop.change(1, fulfillments=[fulfilment(5, 1, [(11, 2)], "another")])
    assert "already" in told(http, account, parcel()).note
    shop, http, account = sold(line(11, "cup", 2))
    shop.held.add(1)
    with pytest.raises(NotDone, match="on hold in the shop"):
        told(http, account, parcel())
    with pytest.raises(NotDone, match="no such order"):
        told(http, account, msgspec.structs.replace(parcel(), channel_order_id="99"))


FRAUD = HeldBack("1", (StandingHold("fraud_review", "mia"),))


def holds_of(shop):
    return {work_id.rpartition("/")[2]: (each["reason"], each["handle"]) for work_id, each in shop.holds.items()}


def test_a_hold_is_put_on_all_that_is_to_be_sent_once_and_taken_off_again():
    shop, http, account = sold()
    shop.locations = {"plate": 7}
    for _ in range(2):
        told(http, account, FRAUD)
    ours = ("HIGH_RISK_OF_FRAUD", "fulfilment-ledger")
    assert holds_of(shop) == {"11": ours, "12": ours}
    assert shop.called.count("PutHold") == 2
    told(http, account, HeldBack("1", (StandingHold("bad_address", "mia"),)), FRAUD)
    assert {reason for reason, _ in holds_of(shop).values()} == {"INCORRECT_ADDRESS"}
    for _ in range(2):
        told(http, account, HeldBack("1"), FRAUD)
    assert not shop.holds
    assert shop.called.count("LiftHold") == 4


def test_holds_of_the_shop_itself_are_left_to_it_and_an_order_that_is_over_is_not_held():
    shop, http, account = sold()
    shop.held.add(1)
    told(http, account, HeldBack("1", (StandingHold("bad_address", "shopify-11"),)))
    assert (shop.holds, shop.held) == ({}, {1})
    shop.change(1, cancelled_at="2026-01-06T10:00:00+01:00")
    assert "to be sent any more" in told(http, account, FRAUD).note
    with pytest.raises(NotDone, match="no such order"):
        told(http, account, HeldBack("99"))


def test_a_hold_that_is_made_or_gone_meanwhile_is_success():
    shop, http, account = sold()
    told(http, account, FRAUD)
    work_id, (there,) = "gid://shopify/FulfillmentOrder/11", list(shop.holds.values())
    assert asyncio.run(holding.hold(Shop(http, account), work_id, "OTHER", ["other"])) == ""
    for _ in range(2):
        asyncio.run(holding.release(Shop(http, account), work_id, [there]))
    assert not shop.holds


def test_what_left_before_it_was_held_is_fulfilled_and_the_rest_stays_on_hold():
    shop, http, account = sold(line(11, "cup", 2))
    told(http, account, FRAUD)
    told(http, account, parcel(lines=((1, "cup", 1, "11"),)))
    assert [each["line_items"] for each in shop.orders[1]["fulfillments"]] == [[{"id": 11, "quantity": 1}]]
    assert [reason for reason, _ in holds_of(shop).values()] == ["HIGH_RISK_OF_FRAUD"]
    told(http, account, parcel("1Z222", lines=((1, "cup", 1, "11"),)))
    assert (len(shop.orders[1]["fulfillments"]), shop.holds) == (2, {})


def test_an_order_without_lines_is_fulfilled_whole_by_the_parcel_that_completes_it():
    shop, http, account = sold()
    assert "next parcel" in told(http, account, parcel(lines=())).note
    told(http, account, parcel(lines=(), completes=True))
    assert shop.orders[1]["fulfillment_status"] == "fulfilled"


def test_a_whole_order_is_cancelled_once_and_nothing_is_paid_back_by_it():
    shop, http, account = sold()
    effect = Cancellation("1", (), whole=True, reason="out_of_stock")
    told(http, account, effect)
    assert shop.orders[1]["cancel_reason"] == "inventory"
    assert "already" in told(http, account, effect).note
    assert shop.called.count("WithdrawOrder") == 1
    assert not shop.orders[1]["refunds"]


def test_units_that_will_not_be_sent_are_edited_away_once():
    shop, http, account = sold()
    effect = Cancellation("1", (ShopLine(1, "cup", 1, "11"), ShopLine(2, "plate", 1)), whole=False)
    told(http, account, effect)
    assert [each["current_quantity"] for each in shop.orders[1]["line_items"]] == [2, 0]
    assert "already" in told(http, account, effect).note
    assert shop.called.count("CommitEdit") == 1


def test_money_is_paid_back_once_by_the_way_it_came():
    shop, http, account = sold()
    effect = RefundAsked("1", "R-1", 500, "EUR", case_id="C-1")
    first = told(http, account, effect)
    assert [each["transactions"][0]["amount"] for each in shop.orders[1]["refunds"]] == ["5.00"]
    assert [each["note"] for each in shop.orders[1]["refunds"]] == ["Refund C-1/R-1 of the fulfilment ledger"]
    assert told(http, account, effect).reference == first.reference
    assert len(shop.orders[1]["refunds"]) == 1
    with pytest.raises(NotDone, match="less is left"):
        told(http, account, RefundAsked("1", "R-2", 500_000, "EUR"))


def test_money_goes_back_in_the_customers_currency():
    shop, http, account = sold(line(11, "cup", 2))
    total = money("24.90", customers=("49.80", "USD"))
    shop.change(1, presentment_currency="USD", total_price_set=total)
    with pytest.raises(NotDone, match="less is left"):
        told(http, account, RefundAsked("1", "R-1", 2000, "EUR"))  # 40.00 of the 24.90 that came
    told(http, account, RefundAsked("1", "R-1", 1000, "EUR"))
    assert shop.orders[1]["refunds"][0]["transactions"][0]["amount"] == "20.00"


def test_stock_is_set_where_it_differs_and_a_sale_in_between_is_not_overwritten():
    shop, http, account = played()
    shop.stock = {"cup": 5, "cup-xl": 2}
    for _ in range(2):
        told(http, account, StockLevel("cup", 7))
    assert shop.stock == {"cup": 7, "cup-xl": 2}
    assert shop.called.count("SetStock") == 1
    assert told(http, account, StockLevel("plate", 1)).note == "the shop has no such SKU"
    shop.policy = "CONTINUE"
    assert "goes on selling" in told(http, account, StockLevel("cup", 0, listed=False), key="k2").note
    assert shop.stock["cup"] == 0
    shop.sells_meanwhile = 1
    with pytest.raises(TryLater):
        told(http, account, StockLevel("cup", 9), key="k3")
    told(http, account, StockLevel("cup", 9), key="k3")
    assert shop.stock["cup"] == 9
