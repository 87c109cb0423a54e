"""Letters: every template in every language says what it has to, and the file sender keeps each once."""

from __future__ import annotations

import email
import os
import stat
from datetime import date
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from adapters import letters, senders
from adapters.letters import in_words, link_of, newest, read_templates
from adapters.mails import NotTaken
from adapters.messages.envelope import Envelope
from ledger.nouns.cases import Remedy
from ledger.nouns.messages import (
    About,
    Audience,
    MessageAsked,
    MessageKind,
)
from ledger.nouns.orders import HoldReason, Order
from ledger.nouns.stock import Alert
from ledger.terms.calendars import Calendar, WorkingTerms
from ledger.terms.money import Money
from ledger.terms.places import Destination
from ledger.terms.shipping import Incoterm
from projections.outbox.causes import CASE_STEPS
from tests.support.scenario import (
    DAY,
    FIRST,
    NOON,
    ORDER,
    TERMS,
    Scenario,
    confirmed,
    line,
    sent,
)

TEMPLATES = read_templates()
LANGUAGES = ("en", "zh")
PERSON = {
    "name": "Ann Example",
    "email": "ann@example.org",
    "phone": "+49 30 1234567",
    "lines": ["1 Elm Street"],
    "city": "Berlin",
    "postal_code": "10115",
}
REASONS = {
    MessageKind.DELAYED: ("dispatch_late", "backordered", "carrier", "customs", "on_hold", "not_dispatched"),
    MessageKind.PARCEL_ALERT: (
        *("customs_held", "damaged", "returning", "returned", "refused", "lost", "destroyed", "suspected_lost"),
    ),
    MessageKind.CASE_STEP: (
        *sorted({*CASE_STEPS.values()} - {"approved"}),
        *(f"approved_{remedy}" for remedy in Remedy),
    ),
    MessageKind.STOCK_ALERT: tuple(Alert),
    MessageKind.LISTING: ("delisted", "relisted"),
    MessageKind.UNITS_CANCELLED: ("cancelled", "refund_paid"),
}
CLOCKS = {
    MessageKind.REMINDER: ("acknowledge", "dispatch", "answer", "stock_up_answer"),
    MessageKind.BREACH_NOTICE: (
        "acknowledge",
        "dispatch",
        "first_scan",
        "answer",
        "recovery_answer",
        "stock_up_answer",
    ),
    MessageKind.BREACH_ALERT: (
        "acknowledge",
        "dispatch",
        "delivery",
        "first_scan",
        "answer",
        "first_answer",
        "recovery_answer",
        "stock_up_answer",
    ),
}


def an_order() -> Order:
    scenario: Scenario = sent(line(1, "tea", 4, title="Green tea"), promised_by=NOON + 9 * DAY, packing=("gift_wrap",))
    scenario.ship({1: 2})
    scenario.cancel({1: 1})
    return scenario.order()


def asked(kind: MessageKind, language: str, *, version: int = 1, because: str = "", clock: str = "") -> MessageAsked:
    parcel = kind in (
        MessageKind.DISPATCHED,
        MessageKind.TRACKING_CORRECTED,
        MessageKind.OUT_FOR_DELIVERY,
        MessageKind.DELIVERED,
        MessageKind.PARCEL_ALERT,
    )
    carrier, number, epoch = ("dhl", "P1", 1) if parcel else ("", "", 0)
    timed = kind in (MessageKind.DISPATCH_INSTRUCTION, MessageKind.CASE_STEP, MessageKind.CASE_DUE)
    due = NOON + 2 * DAY if clock or timed else None
    supplier = ("", "") if kind is MessageKind.ORDER_CONFIRMED else (FIRST, "acme")
    about = About(
        ORDER, *supplier, carrier, number, epoch, clock, due, because, "case-1", "q1", "r1", "tea", Money(500, "EUR")
    )
    return MessageAsked(f"{kind}-1", kind, kind.audience, about, "acme", language, version, NOON, NOON, 1)


def written(what: MessageAsked, order: Order | None = None, **person: object) -> tuple[str, str]:
    """Subject and text."""
    values, picks = letters._values(what, order or an_order(), {**PERSON, **person}, "Acme Ltd")
    return TEMPLATES[what.kind, what.language, what.template_version].fill(values, picks)


EVERY = [
    (kind, language, version, because, clock)
    for kind, language, version in sorted(TEMPLATES)
    for because in REASONS.get(kind, ("",))
    for clock in CLOCKS.get(kind, ("",))
]


@pytest.mark.parametrize(("kind", "language", "version", "because", "clock"), EVERY)
def test_every_version_of_every_template_is_filled(
    kind: MessageKind, language: str, version: int, because: str, clock: str
):
    subject, text = written(asked(kind, language, version=version, because=because, clock=clock))
    assert subject.strip()
    assert "\n" not in subject
    assert "$" not in subject + text
    assert "\n\n\n" not in text
    if language == "zh":
        assert any("一" <= character <= "鿿" for character in subject + text)


def test_every_kind_has_a_template_in_every_language():
    assert newest(TEMPLATES).keys() == {(kind, language) for kind in MessageKind for language in LANGUAGES}


def test_a_template_that_asks_for_what_there_is_not_is_an_error_and_no_broken_letter():
    pattern = letters._pattern("Subject: Hello\n\n$unheard_of")
    with pytest.raises(KeyError, match="unheard_of"):
        pattern.fill({}, {})
    with pytest.raises(KeyError, match="reason"):
        written(asked(MessageKind.DELAYED, "en", because="a_new_reason"))


@pytest.mark.parametrize("kind", [MessageKind.ORDER_CONFIRMED, MessageKind.DISPATCHED, MessageKind.BREACH_ALERT])
def test_a_promised_day_is_written_as_that_day_whatever_it_is_in_utc(kind: MessageKind):
    scenario = sent(promised_day=date(2026, 3, 11), destination=Destination("US", "CA"))
    scenario.ship()
    to_staff = asked(kind, "en", clock="delivery" if kind is MessageKind.BREACH_ALERT else "")
    _, text = written(to_staff, scenario.order())
    assert "11 March 2026" in text
    assert "UTC" not in text
    if kind is MessageKind.ORDER_CONFIRMED:
        assert "in 9 days, by 11 March 2026." in text


def test_a_confirmation_says_what_is_expected_when():
    subject, text = written(asked(MessageKind.ORDER_CONFIRMED, "en"))
    assert subject == "Your order 1 is confirmed"
    assert "Dear Ann Example," in text
    assert "4 × tea  Green tea" in text
    assert "in 9 days, by 11 March 2026." in text
    assert "9 天内送达，最晚 2026年3月11日" in written(asked(MessageKind.ORDER_CONFIRMED, "zh"))[1]


@pytest.mark.parametrize(("currency", "expected"), [("JPY", "1,500 JPY"), ("EUR", "15.00 EUR"), ("KWD", "1.500 KWD")])
def test_an_amount_has_the_digits_of_its_currency(currency: str, expected: str):
    step = asked(MessageKind.CASE_STEP, "en", because="refund_paid")
    paid = replace(step, about=replace(step.about, amount=Money(1500, currency)))
    assert f"{expected} is on its way to you." in written(paid)[1]


@pytest.mark.parametrize(("language", "expected"), [("en", "It is a gift: put no price"), ("zh", "这是礼品")])
def test_the_supplier_is_told_of_a_gift(language: str, expected: str):
    version = newest(TEMPLATES)[MessageKind.DISPATCH_INSTRUCTION, language]
    instruction = asked(MessageKind.DISPATCH_INSTRUCTION, language, version=version)
    assert expected in written(instruction, sent(gift=True).order())[1]
    assert expected not in written(instruction, sent().order())[1]


def test_without_a_promise_or_a_name_nothing_is_made_up():
    order = sent().order()
    _, text = written(asked(MessageKind.ORDER_CONFIRMED, "en"), order, name="")
    assert text.startswith("Hello,")
    assert "as soon as it has left" in text


def test_a_dispatch_names_the_parcel_its_lines_and_where_to_follow_it():
    _, text = written(asked(MessageKind.DISPATCHED, "en"))
    assert "Carrier: DHL\nTracking number: P1\nFollow it here: https://www.dhl.com/" in text
    assert "2 × tea" in text


def test_an_instruction_says_what_goes_to_whom_by_when_and_how_it_is_packed():
    subject, text = written(asked(MessageKind.DISPATCH_INSTRUCTION, "en"))
    assert subject == f"Please ship {FIRST}"
    assert "1 × tea  Green tea" in text
    assert "Ann Example\n1 Elm Street\n10115 Berlin\nBerlin\nDE\n+49 30 1234567" in text
    assert "Dispatch by: 4 March 2026, 12:00 UTC" in text
    assert "Pack with: gift wrap" in text


@pytest.mark.parametrize(
    ("language", "neutral", "beside"),
    [
        ("en", "no papers, no prices and no advertising of your own.", " Beside that, pack with: gift wrap."),
        ("zh", "不放贵司的单据、价格和广告。", "另外请附加：gift wrap。"),
    ],
)
def test_packing_is_neutral_and_what_is_named_is_added_to_that(language: str, neutral: str, beside: str):
    instruction = asked(MessageKind.DISPATCH_INSTRUCTION, language, version=3)
    assert neutral + beside in written(instruction)[1]
    plain = written(instruction, sent().order())[1]
    assert neutral + "\n" in plain
    assert beside not in plain


def test_an_instruction_names_the_service_and_the_note():
    order = sent_from_china().order()
    _, text = written(asked(MessageKind.DISPATCH_INSTRUCTION, "en", version=3), order, note="ring twice")
    assert "Standard shipping, by international light (China-Post)\n" in text
    assert " Note: ring twice\n" in text
    assert (
        "by "
        not in written(asked(MessageKind.DISPATCH_INSTRUCTION, "en", version=3), sent().order())[1]
        .partition("Standard shipping")[2]
        .partition("\n")[0]
    )


def test_a_supplier_reads_its_own_article_codes_and_a_customer_does_not():
    scenario = Scenario()
    scenario.approve()
    scenario.offer("tea", article_code="LJ-77")
    scenario.place(line(1, "tea", 2, title="Green tea"), line(2, "mug", 1))
    scenario.send()
    for kind in (MessageKind.DISPATCH_INSTRUCTION, MessageKind.ADDRESS_CHANGE, MessageKind.WAIT, MessageKind.GO_ON):
        told = asked(kind, "en", version=newest(TEMPLATES)[kind, "en"])
        assert "2 × tea [LJ-77]  Green tea\n1 × mug\n" in written(told, scenario.order())[1]
    told = asked(MessageKind.ORDER_CONFIRMED, "en")
    assert "2 × tea  Green tea\n" in written(told, scenario.order())[1]


def sent_from_china() -> Scenario:
    scenario = Scenario()
    scenario.approve(country="CN")
    about: dict[str, Any] = {"title": "Tea", "hs_code": "090210", "origin": "CN", "weight_grams": 100}
    scenario.place(line(1, "tea", 1, **about), incoterm=Incoterm.DAP)
    scenario.send()
    return scenario


def test_an_instruction_names_the_deadline_as_a_hold_moved_it():
    scenario = sent()
    scenario.hold(HoldReason.FRAUD_REVIEW)
    scenario.later(days=1)
    scenario.release(HoldReason.FRAUD_REVIEW)
    _, text = written(asked(MessageKind.DISPATCH_INSTRUCTION, "en"), scenario.order())
    assert "Dispatch by: 5 March 2026, 12:00 UTC" in text


@pytest.mark.parametrize(
    ("language", "expected"),
    [("en", "Dispatch by: 4 March 2026, 20:00 (Asia/Shanghai)"), ("zh", "2026年3月4日 20:00（Asia/Shanghai）")],
)
def test_a_supplier_reads_its_deadline_in_the_time_zone_of_its_calendar(language: str, expected: str):
    calendar = Calendar("Asia/Shanghai")
    scenario = confirmed()
    scenario.agree_terms(replace(TERMS, effective_from=NOON - DAY, working=WorkingTerms(calendar)))
    scenario.send()
    assert expected in written(asked(MessageKind.DISPATCH_INSTRUCTION, language), scenario.order())[1]


@pytest.mark.parametrize(("days", "expected"), [(1, "in 1 day, by"), (2, "in 2 days, by"), (0, "in 1 day, by")])
def test_one_day_is_no_days(days: int, expected: str):
    version = newest(TEMPLATES)[MessageKind.ORDER_CONFIRMED, "en"]
    what = replace(asked(MessageKind.ORDER_CONFIRMED, "en", version=version), caused_at=NOON + (9 - days) * DAY)
    assert expected in written(what)[1]


def test_days_are_written_as_the_language_does():
    assert in_words(NOON, "en", with_time=False) == "2 March 2026"
    assert in_words(NOON, "zh", with_time=True) == "2026年3月2日 12:00（UTC）"
    assert in_words(NOON + DAY / 2, "en", with_time=True, zone="Asia/Tokyo") == "3 March 2026, 09:00 (Asia/Tokyo)"


def test_a_parcel_of_a_carrier_without_a_page_of_its_own_is_followed_elsewhere():
    assert link_of("yanwen", "YW/1 2") == "https://t.17track.net/en#nums=YW%2F1%202"
    assert link_of("dhl", "") == ""


# --- the file sender ------------------------------------------------------------------------------


def letter(message_id: str = "dispatched-7", text: str = "是的\n", address: str = "ann@example.org") -> Envelope:
    return Envelope(
        message_id, Audience.CUSTOMER, "person-1", "Ann Example", address, "", "zh", "您的订单 1 已发货", text
    )._replace(mail_id=f"mail{message_id[-1]}")


def read(path: Path) -> EmailMessage:
    found = email.message_from_bytes(path.read_bytes(), policy=SMTP)
    assert isinstance(found, EmailMessage)
    return found


async def test_a_letter_becomes_a_mail_that_only_its_owner_can_read(tmp_path: Path):
    sender = senders.FileSender(tmp_path / "outbox")
    assert await sender.hand_over("default", letter()) == "dispatched-7-mail7.eml"
    path = tmp_path / "outbox" / "default" / "dispatched-7-mail7.eml"
    mail = read(path)
    assert mail["To"] == "Ann Example <ann@example.org>"
    assert mail["Subject"] == "您的订单 1 已发货"
    assert mail["Message-ID"] == "<mail7@fulfilment.invalid>"
    assert mail.get_content().strip() == "是的"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_letter_that_comes_again_is_there_once(tmp_path: Path):
    sender = senders.FileSender(tmp_path)
    for text in ("first", "second"):
        assert await sender.hand_over("default", letter("reminder-dispatch-shop/1/1-X", text)) == (
            "reminder-dispatch-shop%2F1%2F1-X-mailX.eml"
        )
    (path,) = (tmp_path / "default").iterdir()
    assert read(path).get_content().strip() == "first"


async def test_messages_whose_ids_are_too_long_for_a_file_name_get_a_file_each(tmp_path: Path):
    sender = senders.FileSender(tmp_path)
    ids = [f"reminder-dispatch-shop/{'ü' * 100}/{number}-20260302T120000Z" for number in (1, 2)]
    names = [await sender.hand_over("default", letter(message_id)) for message_id in ids]
    assert names == [await sender.hand_over("default", letter(message_id)) for message_id in ids]
    assert sorted(path.name for path in (tmp_path / "default").iterdir()) == sorted(set(names))
    assert [len(name) for name in names] == [230, 230]


@pytest.mark.parametrize(
    ("contact", "address"),
    [
        ("ann+orders@example.org", "ann+orders@example.org"),
        ("  ANN@Example.ORG ", "ANN@example.org"),
        ("Herr Müller <m@x.de>", "m@x.de"),
        ('"Müller, Jo" <jo@x.co.uk>', "jo@x.co.uk"),
        ("jo@x.de <jo@x.de>", "jo@x.de"),
        ("jo@x.de, JO@X.DE", "jo@x.de"),
        ("Wei Li, phone +86 755 1234, mail: wei@acme.cn.", "wei@acme.cn"),
        ("ann@münchen.de", "ann@xn--mnchen-3ya.de"),
        ("scrambled@scrambled or wei@acme.cn", "wei@acme.cn"),
        ("x@y.de\r\nX-Evil: 1", "x@y.de"),
    ],
)
async def test_a_letter_goes_to_the_address_in_what_was_written(tmp_path: Path, contact: str, address: str):
    await senders.FileSender(tmp_path).hand_over("default", letter(address=contact))
    (path,) = (tmp_path / "default").iterdir()
    mail = read(path)
    assert [each.addr_spec for each in mail["To"].addresses] == [address]
    assert mail["X-Evil"] is None


@pytest.mark.parametrize(
    ("contact", "why"),
    [
        ("", "no_email_address"),
        ("+49 30 1234567", "no_email_address"),
        ("ask for Mr Li\r\nX-Evil: 1", "no_email_address"),
        ("Herr Müller <m@x>", "unusable_email_address"),
        ("müller@example.org", "unusable_email_address"),
        ("ann@straße.de", "unusable_email_address"),
        ("ann@example..org", "unusable_email_address"),
        ("ann@192.168.1.1", "unusable_email_address"),
        (".ann@example.org", "unusable_email_address"),
        ("@example.org", "unusable_email_address"),
        ("a" * 65 + "@example.org", "unusable_email_address"),
        ("ann@" + "x" * 64 + ".org", "unusable_email_address"),
    ],
)
@pytest.mark.parametrize("audience", [Audience.CUSTOMER, Audience.SUPPLIER])
async def test_a_letter_that_cannot_reach_anybody_is_not_taken_and_says_why(
    tmp_path: Path, audience: Audience, contact: str, why: str
):
    with pytest.raises(NotTaken, match=f"^{why}$") as refused:
        await senders.FileSender(tmp_path).hand_over("default", letter(address=contact)._replace(audience=audience))
    assert refused.value.lasting
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("contact", ['"Müller, Jo" <jo@x.co.uk>, jo2@x.de', "jo@x.co.uk ben@example.org"])
async def test_of_several_addresses_a_supplier_s_first_is_taken_and_none_of_a_customer_s(tmp_path: Path, contact: str):
    with pytest.raises(NotTaken, match=r"^several_email_addresses$") as refused:
        await senders.FileSender(tmp_path).hand_over("default", letter(address=contact))
    assert refused.value.lasting
    supplier = letter(address=contact)._replace(audience=Audience.SUPPLIER)
    await senders.FileSender(tmp_path).hand_over("default", supplier)
    (path,) = (tmp_path / "default").iterdir()
    assert [each.addr_spec for each in read(path)["To"].addresses] == ["jo@x.co.uk"]


async def test_what_staff_is_told_goes_to_its_role(tmp_path: Path):
    to_staff = letter(address="")._replace(audience=Audience.STAFF, recipient="after_sales")
    await senders.FileSender(tmp_path).hand_over("default", to_staff)
    (path,) = (tmp_path / "default").iterdir()
    assert read(path)["To"] == "after_sales:;"


async def test_a_name_as_long_as_a_shop_may_send_it_still_makes_a_mail(tmp_path: Path):
    for number, name in enumerate(("x" * 1000, "李" * 1000, "Ann\x1b[2J Example", 'Jo "J" <Smith>')):
        await senders.FileSender(tmp_path).hand_over("default", letter(f"dispatched-{number}")._replace(name=name))
        mail = read(tmp_path / "default" / f"dispatched-{number}-mail{number}.eml")
        assert [each.addr_spec for each in mail["To"].addresses] == ["ann@example.org"]


async def test_a_folder_that_cannot_be_written_is_reported_as_a_word(tmp_path: Path):
    (tmp_path / "default").write_text("in the way")
    with pytest.raises(NotTaken, match="file_") as refused:
        await senders.FileSender(tmp_path).hand_over("default", letter())
    assert not refused.value.lasting
    assert os.listdir(tmp_path) == ["default"]
