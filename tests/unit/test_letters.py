"""The file sender: each letter is a mail in a file of its own, once, to an address that can be used."""

from __future__ import annotations

import email
import os
import stat
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from adapters.mail.mails import NotTaken
from adapters.messages import senders
from adapters.messages.envelope import Envelope
from ledger.nouns.messages import Audience


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
