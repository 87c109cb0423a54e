"""What messages say: each template in each language, with all that is known and with little."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.messages import library, samples
from adapters.messages.known import Known
from adapters.messages.markup import as_text
from adapters.messages.values import values_of
from adapters.messages.wording import Values, check, wording
from adapters.messages.words import humane, in_words
from adapters.tracking.carriers import tracking_page
from ledger.nouns.cases import Denial, Remedy
from ledger.nouns.messages import About, MessageAsked, MessageKind
from ledger.nouns.orders import HoldReason, PaymentState
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.policies import Policy
from ledger.nouns.stock import Alert
from ledger.terms.brands import Brand
from ledger.terms.calendars import Calendar, WorkingTerms
from ledger.terms.money import Money
from ledger.terms.places import Destination
from ledger.terms.shipping import Incoterm
from projections.outbox.causes import CASE_STEPS
from tests.support.scenario import DAY, FIRST, NOON, ORDER, TERMS, Scenario, confirmed, line, sent, shipped

TEMPLATES, NEWEST = library.built_in(), library.newest()
LANGUAGES = ("en", "zh")
PERSON = {
    "name": "Ann Example",
    "email": "ann@example.org",
    "phone": "+49 30 1234567",
    "lines": ["1 Elm Street"],
    "city": "Berlin",
    "postal_code": "10115",
}
BRAND = Brand(name="Brook & Sons", order_link="https://brook.example/{order}")
PARCEL_KINDS = (
    *(MessageKind.DISPATCHED, MessageKind.OUT_FOR_DELIVERY, MessageKind.DELIVERED, MessageKind.PARCEL_ALERT),
    *(MessageKind.TRACKING_CORRECTED, MessageKind.LAST_MILE),
    *(MessageKind.ATTEMPT_FAILED, MessageKind.READY_FOR_PICKUP, MessageKind.CUSTOMS_REQUEST, MessageKind.LOST),
)


def a_scenario() -> Scenario:
    scenario: Scenario = sent(line(1, "tea", 4, title="Green tea"), promised_by=NOON + 9 * DAY, packing=("gift_wrap",))
    scenario.ship({1: 2})
    scenario.cancel({1: 1})
    return scenario


def asked(kind: MessageKind, language: str = "en", version: int = 0, **about: Any) -> MessageAsked:
    version = version or NEWEST[kind, language]
    parcel = {"carrier": "dhl", "number": "P1", "epoch": 1} if kind in PARCEL_KINDS else {}
    part = {} if kind is MessageKind.ORDER_CONFIRMED else {"supplier_order_id": FIRST, "supplier_id": "acme"}
    what = About(ORDER, **{**part, **parcel, **about})
    return MessageAsked(f"{kind}-1", kind, kind.audience, what, "acme", language, version, NOON, NOON, 1)


def known_of(
    what: MessageAsked, scenario: Scenario | None = None, policy: Policy | None = None, **person: Any
) -> Known:
    view = (scenario or a_scenario()).book
    return Known(
        what, view, policy or Policy(), BRAND, {**PERSON, **person}, "Which glaze?", "8 Harbour Road\nShenzhen"
    )


def written(what: MessageAsked, scenario: Scenario | None = None, **person: Any) -> tuple[str, str]:
    """Subject and text."""
    source = TEMPLATES[what.kind, what.language, what.template_version]
    return as_words(source, values_of(known_of(what, scenario, **person)))


def as_words(source: library.TemplateSource, values: Values) -> tuple[str, str]:
    subject, body = wording(*source).fill(values)
    return subject, as_text(body)


@pytest.mark.parametrize(("kind", "language", "version"), sorted(TEMPLATES))
def test_every_version_of_every_template_says_something_whatever_is_known(
    kind: MessageKind, language: str, version: int
):
    source = TEMPLATES[kind, language, version]
    check(*source, samples.samples(kind, language))
    for values in samples.samples(kind, language):
        subject, text = as_words(source, values)
        assert "\n" not in subject
        assert "\n\n\n" not in text
        assert not {"{", "}", "$"} & {*subject, *text}
        if language == "zh":
            assert any("一" <= character <= "鿿" for character in subject + text)


@pytest.mark.parametrize(("kind", "language"), sorted(NEWEST))
def test_the_newest_template_gives_each_reason_words_of_its_own(kind: MessageKind, language: str):
    source = TEMPLATES[kind, language, NEWEST[kind, language]]
    reasons = [
        (reason, clock) for reason in samples.REASONS.get(kind, ("",)) for clock in samples.CLOCKS.get(kind, ("",))
    ]
    said = {as_words(source, samples.sample(kind, language, *which)) for which in reasons}
    assert len(said) == len(reasons)


def test_every_kind_has_a_template_in_every_language():
    assert NEWEST.keys() == {(kind, language) for kind in MessageKind for language in LANGUAGES}


def test_samples_know_all_reasons_that_there_are():
    assert {*samples.REASONS[MessageKind.STOCK_ALERT]} == {*Alert}
    steps = {*CASE_STEPS.values()} - {"approved"} | {f"approved_{remedy}" for remedy in Remedy}
    assert {*samples.REASONS[MessageKind.CASE_STEP]} == steps


@pytest.mark.parametrize("kind", MessageKind)
def test_samples_have_the_names_and_columns_that_messages_have(kind: MessageKind):
    sample = samples.sample(kind, "en")
    real = values_of(known_of(asked(kind)))
    assert {name: type(value) for name, value in real.items()} == {name: type(v) for name, v in sample.items()}
    for name, rows in real.items():
        example = sample[name]
        if isinstance(rows, list) and isinstance(example, list) and rows:
            assert rows[0].keys() == example[0].keys()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("denial", [each for each in Denial if each not in (Denial.FRAUD, Denial.OTHER)])
def test_a_customer_reads_why_nothing_is_given(language: str, denial: Denial):
    source = TEMPLATES[MessageKind.CASE_STEP, language, NEWEST[MessageKind.CASE_STEP, language]]
    values = {**samples.sample(MessageKind.CASE_STEP, language, "denied"), "denial": denial.value}
    without = {**values, "denial": Denial.OTHER.value}
    assert len(as_words(source, values)[1]) > len(as_words(source, without)[1])


# --- to customers ---------------------------------------------------------------------------------


def test_a_confirmation_says_what_is_expected_when_and_what_it_costs():
    subject, text = written(asked(MessageKind.ORDER_CONFIRMED))
    assert subject == "Your order 1 is confirmed"
    assert "Dear Ann Example," in text
    assert "at Brook & Sons is confirmed" in text
    assert "shipped to you directly by its supplier" in text
    assert "in 9 days, by 11 March 2026." in text
    assert "- 4 × Green tea: 20.00 EUR\n- Total: 20.00 EUR" in text
    assert "See your order: https://brook.example/1" in text
    assert "9 天内送达，最晚 2026年3月11日" in written(asked(MessageKind.ORDER_CONFIRMED, "zh"))[1]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (MessageKind.ORDER_CONFIRMED, "You pay 10.00 EUR to the carrier"),
        (MessageKind.DISPATCHED, "have 5.00 EUR ready"),
        (MessageKind.OUT_FOR_DELIVERY, "have 5.00 EUR ready"),
        (MessageKind.READY_FOR_PICKUP, "You pay 5.00 EUR when you fetch it"),
    ],
)
def test_who_pays_at_the_door_reads_how_much(kind: MessageKind, said: str):
    scenario = sent(line(1, "tea", 2), payment=PaymentState.PENDING, cash_on_delivery=True)
    if kind is not MessageKind.ORDER_CONFIRMED:
        scenario.ship({1: 1})
    assert said in written(asked(kind), scenario)[1]
    assert "5.00" in written(asked(kind, "zh"), scenario)[1] or kind is MessageKind.ORDER_CONFIRMED
    assert "pay" not in written(asked(kind))[1], "what was paid is not collected"


def test_what_was_collected_is_not_asked_for_again():
    scenario = sent(line(1, "tea", 2), payment=PaymentState.PENDING, cash_on_delivery=True)
    scenario.ship()
    scenario.scan(ParcelStatus.DELIVERED)
    assert "EUR" not in written(asked(MessageKind.OUT_FOR_DELIVERY), scenario)[1]


@pytest.mark.parametrize(("days", "expected"), [(1, "in 1 day, by"), (2, "in 2 days, by"), (0, "in 1 day, by")])
def test_one_day_is_no_days(days: int, expected: str):
    what = replace(asked(MessageKind.ORDER_CONFIRMED), caused_at=NOON + (9 - days) * DAY)
    assert expected in written(what)[1]


def test_without_a_promise_or_a_name_nothing_is_made_up():
    _, text = written(asked(MessageKind.ORDER_CONFIRMED), sent(), name="")
    assert "Hello," in text
    assert "as soon as it has left" in text
    assert "expect" not in text


@pytest.mark.parametrize("kind", [MessageKind.ORDER_CONFIRMED, MessageKind.DISPATCHED, MessageKind.BREACH_ALERT])
def test_a_promised_day_is_written_as_that_day_whatever_it_is_in_utc(kind: MessageKind):
    scenario = sent(promised_day=date(2026, 3, 11), destination=Destination("US", "CA"))
    scenario.ship()
    late = kind is MessageKind.BREACH_ALERT
    what = asked(kind, clock="delivery", due=NOON + 9 * DAY) if late else asked(kind)
    _, text = written(what, scenario)
    assert "11 March 2026" in text
    assert "UTC" not in text
    if kind is MessageKind.ORDER_CONFIRMED:
        assert "in 9 days, by 11 March 2026." in text


@pytest.mark.parametrize(
    ("destination", "day"),
    [
        (Destination("JP"), "5 March 2026"),
        (Destination("US", "CA"), "4 March 2026"),
        (Destination("DE"), "4 March 2026"),
    ],
)
def test_a_customer_reads_days_where_the_order_goes(destination: Destination, day: str):
    evening = NOON + 2 * DAY + DAY / 3  # 20:00 UTC on the 4th
    what = asked(MessageKind.CASE_STEP, because="evidence_requested", due=evening)
    assert f"by {day}" in written(what, sent(destination=destination))[1]


def test_a_dispatch_names_the_parcel_its_lines_and_where_to_follow_it():
    _, text = written(asked(MessageKind.DISPATCHED))
    assert "Carrier: DHL\nTracking number: P1\n\nFollow your parcel: https://www.dhl.com/" in text
    assert "2 × Green tea" in text


@pytest.mark.parametrize(("currency", "expected"), [("JPY", "1,500 JPY"), ("EUR", "15.00 EUR"), ("KWD", "1.500 KWD")])
def test_an_amount_has_the_digits_of_its_currency(currency: str, expected: str):
    paid = asked(MessageKind.CASE_STEP, because="refund_paid", amount=Money(1500, currency))
    assert f"{expected} is on its way to you" in written(paid)[1]
    assert written(paid)[0].startswith(f"{expected} is on its way")


def test_a_reason_that_is_not_known_yet_is_put_in_general_words():
    _, text = written(asked(MessageKind.DELAYED, because="a_new_reason"))
    assert "because a part of it has not left yet." in text


# --- to suppliers ---------------------------------------------------------------------------------


def test_an_instruction_says_what_goes_to_whom_by_when_and_how_it_is_packed():
    subject, text = written(asked(MessageKind.DISPATCH_INSTRUCTION))
    assert subject == f"Please ship {FIRST} by 4 March 2026, 12:00 UTC"
    assert "1 × tea, Green tea" in text
    assert "Ann Example\n1 Elm Street\n10115 Berlin\nBerlin\nDE\n+49 30 1234567" in text
    assert "Dispatch by: 4 March 2026, 12:00 UTC" in text
    assert "Beside that, pack with: gift wrap." in text
    assert "EUR" not in text


@pytest.mark.parametrize(
    ("language", "neutral", "beside"),
    [
        ("en", "no papers, no prices and no advertising of your own.", " Beside that, pack with: gift wrap."),
        ("zh", "不放贵司的单据、价格和广告。", "另外请附加：礼品包装。"),
    ],
)
def test_packing_is_neutral_and_what_is_named_is_added_to_that(language: str, neutral: str, beside: str):
    instruction = asked(MessageKind.DISPATCH_INSTRUCTION, language)
    assert neutral + beside in written(instruction)[1]
    plain = written(instruction, sent())[1]
    assert neutral + "\n" in plain
    assert beside not in plain


@pytest.mark.parametrize(("language", "expected"), [("en", "It is a gift: put no price"), ("zh", "这是礼品")])
def test_the_supplier_is_told_of_a_gift(language: str, expected: str):
    instruction = asked(MessageKind.DISPATCH_INSTRUCTION, language)
    assert expected in written(instruction, sent(gift=True))[1]
    assert expected not in written(instruction, sent())[1]


def test_an_instruction_names_the_service_and_the_note():
    instruction = asked(MessageKind.DISPATCH_INSTRUCTION)
    _, text = written(instruction, sent_from_china(), note="ring twice")
    assert "- Standard shipping, by international light (China-Post)\n" in text
    assert "- Note: ring twice\n" in text
    assert "- Standard shipping\n" in written(instruction, sent())[1]


def sent_from_china() -> Scenario:
    scenario = Scenario()
    scenario.approve(country="CN")
    about: dict[str, Any] = {"title": "Tea", "hs_code": "090210", "origin": "CN", "weight_grams": 100}
    scenario.place(line(1, "tea", 1, **about), incoterm=Incoterm.DAP)
    scenario.send()
    return scenario


def test_a_supplier_reads_its_own_article_codes_and_a_customer_does_not():
    scenario = Scenario()
    scenario.approve()
    scenario.offer("tea", article_code="LJ-77")
    scenario.place(line(1, "tea", 2, title="Green tea"), line(2, "mug", 1))
    scenario.send()
    for kind in (MessageKind.DISPATCH_INSTRUCTION, MessageKind.ADDRESS_CHANGE, MessageKind.WAIT, MessageKind.GO_ON):
        assert "- 2 × tea [LJ-77], Green tea\n- 1 × mug\n" in written(asked(kind), scenario)[1]
    assert "LJ-77" not in written(asked(MessageKind.ORDER_CONFIRMED), scenario)[1]


def test_an_instruction_names_the_deadline_as_a_hold_moved_it():
    scenario = sent()
    scenario.hold(HoldReason.FRAUD_REVIEW)
    scenario.later(days=1)
    scenario.release(HoldReason.FRAUD_REVIEW)
    assert "Dispatch by: 5 March 2026, 12:00 UTC" in written(asked(MessageKind.DISPATCH_INSTRUCTION), scenario)[1]


@pytest.mark.parametrize(
    ("language", "expected"),
    [("en", "Dispatch by: 4 March 2026, 20:00 (Asia/Shanghai)"), ("zh", "2026年3月4日 20:00（Asia/Shanghai）")],
)
def test_a_supplier_reads_its_deadline_in_the_time_zone_of_its_calendar(language: str, expected: str):
    scenario = confirmed()
    calendar = WorkingTerms(Calendar("Asia/Shanghai"))
    scenario.agree_terms(replace(TERMS, effective_from=NOON - DAY, working=calendar))
    scenario.send()
    assert expected in written(asked(MessageKind.DISPATCH_INSTRUCTION, language), scenario)[1]


def test_a_question_is_asked_in_its_own_words_and_has_a_time():
    subject, text = written(asked(MessageKind.QUESTION, inquiry_id="q-1", due=NOON + DAY))
    assert "Which glaze?" in text
    assert "Please answer by 3 March 2026, 12:00 UTC." in text
    assert FIRST in subject


# --- to staff -------------------------------------------------------------------------------------


def test_staff_reads_times_in_the_retailer_s_calendar():
    what = asked(MessageKind.CASE_DUE, due=NOON)
    policy = Policy(working=WorkingTerms(Calendar("Europe/Berlin")))
    assert values_of(known_of(what, policy=policy))["due"] == "2 March 2026, 13:00 (Europe/Berlin)"
    assert values_of(known_of(what))["due"] == "2 March 2026, 12:00 UTC"


@pytest.mark.parametrize(
    ("because", "figures", "expected"),
    [
        ("low", {"available": 3, "threshold": 5}, "Low stock: 3 available, fewer than the threshold of 5."),
        ("running_out", {"available": 9, "cover_days": 1}, "9 available, which last 1 day at most"),
        ("oversold", {"shortfall": 2, "orders_affected": 1}, "2 too many, in 1 order."),
    ],
)
def test_an_alert_has_its_figures(because: str, figures: dict[str, int], expected: str):
    what = asked(MessageKind.STOCK_ALERT, because=because, figures=figures, sku="tea")
    assert expected in written(what)[1]


def test_days_are_written_as_the_language_does():
    assert in_words(NOON, "en", with_time=False) == "2 March 2026"
    assert in_words(NOON, "zh", with_time=True) == "2026年3月2日 12:00（UTC）"
    assert in_words(NOON, "fr", with_time=True) == "2026-03-02, 12:00 UTC"
    assert in_words(NOON + DAY / 2, "en", with_time=True, zone="Asia/Tokyo") == "3 March 2026, 09:00 (Asia/Tokyo)"


def test_a_parcel_of_a_carrier_without_a_page_of_its_own_is_followed_elsewhere():
    assert tracking_page("china-post", "CP/1 2") == "https://t.17track.net/en#nums=CP%2F1%202"
    assert tracking_page("dhl", "") == ""


def test_words_of_the_trade_are_read_as_people_write_them():
    assert humane("photo_of_label", "en") == "photo of label"
    assert humane("photo_of_label", "zh") == "面单照片"
    assert humane("a_new_word", "zh") == "a new word"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_last_mile_is_told_with_its_own_number_and_the_carriers_day(language: str):
    what = asked(MessageKind.LAST_MILE, language, last_mile=("usps", "LM9"), due=NOON + 3 * DAY)
    subject, text = written(what)
    assert "USPS" in subject
    assert ("LM9" in text, "P1" in text) == (True, False)
    assert "LM9" in text.rpartition("http")[2]
    assert ("5 March 2026" in text) or ("3月5日" in text)


@pytest.mark.parametrize(("language", "words"), [("en", "has set a later day"), ("zh", "晚于原定日期")])
def test_a_late_estimate_is_a_reason_with_a_day(language: str, words: str):
    what = asked(MessageKind.DELAYED, language, carrier="dhl", number="P1", epoch=1, because="estimate", due=NOON + DAY)
    _, text = written(what)
    assert words in text
    assert ("3 March 2026" in text) or ("3月3日" in text)


def test_a_letter_about_an_amended_order_asks_nothing_for_the_units_that_were_given_up():
    scenario = confirmed(line(1, "tea", 4, title="Green tea"))
    scenario.amend(line(1, "tea", 2))
    _, text = written(asked(MessageKind.ORDER_CONFIRMED), scenario)
    assert "- 2 × Green tea: 10.00 EUR\n- Total: 10.00 EUR" in text


def test_the_units_of_a_line_in_a_letter_come_to_its_exact_total_less_what_was_cancelled_of_it():
    scenario = confirmed(line(1, "tea", 4, title="Green tea", total_minor=1_002))
    scenario.cancel({1: 1})
    _, text = written(asked(MessageKind.ORDER_CONFIRMED), scenario)
    assert "- 3 × Green tea: 7.51 EUR\n- Total: 7.51 EUR" in text


@pytest.mark.parametrize(
    ("language", "concerns"), [("en", "shopify/1/1, shopify/2/1"), ("zh", "shopify/1/1、shopify/2/1")]
)
def test_staff_reads_of_all_orders_of_a_box_in_trouble(language: str, concerns: str):
    box = shipped()
    box.place(line(1, "tea", 1), order_id="shopify/2")
    box.send("shopify/2/1")
    box.ship(supplier_order_id="shopify/2/1")
    _, text = written(asked(MessageKind.PARCEL_ALERT, language, because="lost"), box)
    assert concerns in text
