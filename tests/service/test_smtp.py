"""Mails to a real mail server: encrypted, tried again or not by what it answers, never to a stranger."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from email.headerregistry import Address
from pathlib import Path
from typing import Any

import pytest

from adapters import evidence
from adapters.mail import smtp
from adapters.mail.mails import Mails, NotTaken
from adapters.mail.smtp import Security, SmtpSender, SmtpServer
from adapters.messages.envelope import Envelope
from fulfilment.v1 import supplier_orders_pb2
from ledger.nouns import cases
from ledger.nouns.cases import Remedy
from ledger.nouns.messages import Audience
from ledger.terms.brands import Brand
from ledger.terms.parties import Party
from projections.outbox import MessageState
from tests.support.casework import CASE, PHOTO, Desk
from tests.support.mail_server import LOGIN, Authority, Mailbox, a_mail_server
from tests.support.office import an_office
from tests.support.scenario import NOON, confirmed, delivered
from tests.support.service import HOUSE, Client, context, serving
from tests.support.stalls import EmptyTenant
from tests.support.terminal import Terminal
from tests.support.waiting import wait_for

SHOP = Address("Brook & Sons", "orders", "brook.example")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture
def mailbox(authority: Authority) -> Iterator[Mailbox]:
    """What reaches a server that wants STARTTLS and a login."""
    with a_mail_server(authority) as mailbox:
        yield mailbox


def sender_to(mailbox: Mailbox, authority: Authority, **other: Any) -> SmtpSender:
    server = SmtpServer("localhost", mailbox.port, Security.STARTTLS, *LOGIN, authority.ca_file)
    return SmtpSender(server._replace(**other), Mails(SHOP))


def letter(number: int = 1, address: str = "Ann <ann@example.org>", **other: Any) -> Envelope:
    to = ("person-1", "Ann Example", address, "")
    return Envelope(
        f"dispatched-{number}", Audience.CUSTOMER, *to, "zh", f"您的订单 {number}", "是的\n", mail_id=f"mail{number}"
    )._replace(**other)


async def refusal(sender: SmtpSender, what: Envelope | None = None) -> NotTaken:
    with pytest.raises(NotTaken) as refused:
        await sender.hand_over("default", what or letter())
    return refused.value


# --- a mail --------------------------------------------------------------------------------------


async def test_a_mail_says_whom_it_is_from_when_it_was_written_and_what_it_belongs_to(
    mailbox: Mailbox, authority: Authority
):
    sender = sender_to(mailbox, authority)
    whole = letter(html="<p>是的</p>", thread_id="thread1", at=NOON, attachments=(("BR-1.pdf", b"%PDF-"),))
    assert await sender.hand_over("default", whole) == "2.0.0 OK: queued as Q1"
    (mail,) = mailbox.mails
    assert (mail.sender, mail.recipient, mail.envelope_id) == ("orders@brook.example", "ann@example.org", "mail1")
    headers = {
        "From": "Brook & Sons <orders@brook.example>",
        "To": "Ann Example <ann@example.org>",
        "Subject": "您的订单 1",
        "Date": "Mon, 02 Mar 2026 12:00:00 +0000",
        "Message-ID": "<mail1@brook.example>",
        "In-Reply-To": "<thread1@brook.example>",
        "References": "<thread1@brook.example>",
        "Content-Language": "zh",
        "Auto-Submitted": "auto-generated",
    }
    assert {name: str(mail.content[name]) for name in headers} == headers
    assert [part.get_content_type() for part in mail.content.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "application/pdf",
    ]
    plain = mail.content.get_body(("plain",))
    assert plain is not None
    assert plain.get_content().strip() == "是的"
    assert mail.content.as_bytes().isascii()


async def test_a_server_that_speaks_tls_from_the_first_byte_gets_mails_too(authority: Authority):
    with a_mail_server(authority, implicit=True) as mailbox:
        await sender_to(mailbox, authority, security=Security.TLS).hand_over("default", letter())
        assert mailbox.subjects() == ["您的订单 1"]


async def test_mails_handed_over_together_share_a_few_connections_which_are_used_again(
    mailbox: Mailbox, authority: Authority
):
    sender = sender_to(mailbox, authority)
    for batch in range(5):
        await asyncio.gather(*(sender.hand_over("default", letter(4 * batch + each)) for each in range(4)))
    assert (len(mailbox.mails), len(set(mailbox.subjects()))) == (20, 20)
    assert (mailbox.connections, mailbox.logins) == (4, 4)


async def test_a_mail_comes_from_the_brand_of_its_channel_and_answers_go_where_it_says(
    mailbox: Mailbox, authority: Authority
):
    brand = Brand(name="Tea & Co", mail_from="hello@tea.example", reply_to="help@tea.example")
    await sender_to(mailbox, authority).hand_over("default", letter(brand=brand))
    (mail,) = mailbox.mails
    headers = [str(mail.content[name]) for name in ("From", "Reply-To", "Message-ID")]
    assert headers == ["Tea & Co <hello@tea.example>", "help@tea.example", "<mail1@brook.example>"]
    assert mail.sender == "orders@brook.example"


# --- whom it trusts -------------------------------------------------------------------------------


@pytest.mark.parametrize("implicit", [False, True])
async def test_a_server_with_a_stranger_s_certificate_gets_neither_password_nor_mail(
    authority: Authority, tmp_path: Path, implicit: bool
):
    with a_mail_server(Authority(tmp_path), implicit=implicit) as mailbox:
        security = Security.TLS if implicit else Security.STARTTLS
        refused = await refusal(sender_to(mailbox, authority, security=security))
        assert (refused.error, refused.lasting) == ("smtp_certificate", False)
        assert "CERTIFICATE_VERIFY_FAILED" in refused.answer
        assert (mailbox.logins, mailbox.mails) == (0, [])


async def test_a_server_with_a_certificate_for_another_name_gets_nothing(tmp_path: Path):
    other = Authority(tmp_path, "mail.example.org")
    with a_mail_server(other) as mailbox:
        assert (await refusal(sender_to(mailbox, other))).error == "smtp_certificate"
        assert (mailbox.logins, mailbox.mails) == (0, [])


async def test_a_server_that_does_not_encrypt_gets_nothing(authority: Authority):
    with a_mail_server() as mailbox:
        refused = await refusal(sender_to(mailbox, authority))
        assert (refused.error, refused.lasting) == ("smtp_not_supported", False)
        assert (mailbox.logins, mailbox.mails) == (0, [])


async def test_the_password_is_not_shown():
    assert LOGIN[1] not in repr(SmtpServer("mail.example", 587, Security.TLS, *LOGIN))


# --- what it answers ------------------------------------------------------------------------------


async def test_a_recipient_that_the_server_does_not_know_is_not_tried_again_and_the_answer_names_nobody(
    mailbox: Mailbox, authority: Authority
):
    mailbox.refuses["ann@example.org"] = "550 5.1.1 <ann@example.org>: Ann Example: user ann is unknown here"
    sender = sender_to(mailbox, authority)
    refused = await refusal(sender)
    assert (refused.error, refused.lasting) == ("smtp_550", True)
    assert refused.answer == "550 5.1.1 <…>: … …: user … is unknown here"
    await sender.hand_over("default", letter(2, "ben@example.org"))
    assert (mailbox.connections, mailbox.subjects()) == (1, ["您的订单 2"])


@pytest.mark.parametrize(
    ("answer", "error", "lasting"),
    [
        ("451 4.3.0 try again later", "smtp_451", False),
        ("452 4.2.2 mailbox full", "smtp_452", False),
        ("554 5.7.1 this looks like spam", "smtp_554", True),
        ("552 5.3.4 too large", "smtp_552", True),
    ],
)
async def test_only_what_the_server_refuses_for_good_is_not_tried_again(
    mailbox: Mailbox, authority: Authority, answer: str, error: str, lasting: bool
):
    mailbox.answers.append(answer)
    sender = sender_to(mailbox, authority)
    refused = await refusal(sender)
    assert (refused.error, refused.lasting, refused.answer) == (error, lasting, answer)
    await sender.hand_over("default", letter())
    assert len(mailbox.mails) == 1


async def test_a_wrong_password_is_no_fault_of_the_mail(mailbox: Mailbox, authority: Authority):
    refused = await refusal(sender_to(mailbox, authority, password="wrong"))
    assert (refused.error, refused.lasting) == ("smtp_535", False)
    assert mailbox.mails == []


async def test_a_server_that_is_not_there_is_tried_again(mailbox: Mailbox, authority: Authority):
    refused = await refusal(sender_to(mailbox, authority, port=1))
    assert (refused.error, refused.lasting) == ("smtp_unreachable", False)


async def test_staff_without_an_address_is_not_written_to(mailbox: Mailbox, authority: Authority):
    to_staff = letter(address="")._replace(audience=Audience.STAFF, recipient="operations")
    refused = await refusal(sender_to(mailbox, authority), to_staff)
    assert (refused.error, refused.lasting, mailbox.connections) == ("no_email_address", True, 0)


# --- connections ----------------------------------------------------------------------------------


async def test_a_server_that_ended_the_connection_meanwhile_is_connected_to_again(authority: Authority):
    with a_mail_server(authority) as mailbox:
        sender = sender_to(mailbox, authority)
        await sender.hand_over("default", letter(1))
        port = mailbox.port
    with a_mail_server(authority, port=port) as mailbox:
        await sender.hand_over("default", letter(2))
        assert mailbox.subjects() == ["您的订单 2"]


async def test_an_answer_that_comes_too_late_is_not_taken_for_that_to_the_next_mail(
    mailbox: Mailbox, authority: Authority
):
    mailbox.slow_seconds = 1.0
    sender = sender_to(mailbox, authority)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await sender.hand_over("default", letter(1))
    mailbox.slow_seconds = 0.0
    mailbox.refuses["ben@example.org"] = "550 5.1.1 unknown"
    assert (await refusal(sender, letter(2, "ben@example.org"))).error == "smtp_550"
    assert mailbox.connections == 2


async def test_a_connection_that_nobody_uses_is_ended(
    mailbox: Mailbox, authority: Authority, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(smtp, "_IDLE_SECONDS", 0.1)
    sender = sender_to(mailbox, authority)
    await sender.hand_over("default", letter(1))
    await asyncio.sleep(0.3)
    await sender.hand_over("default", letter(2))
    assert mailbox.connections == 2


# --- the outbox -----------------------------------------------------------------------------------


async def test_a_mail_that_is_tried_again_is_the_same_mail(tenant: EmptyTenant, mailbox: Mailbox, authority: Authority):
    mailbox.answers.append("451 4.3.0 try again later")
    async with an_office(tenant, sender_to(mailbox, authority)) as office:
        office.use(confirmed(**office.customer()))
        await office.tick()
        (failed,) = await office.messages()
        assert (failed.state, failed.error) == (MessageState.FAILED, "smtp_451")
        assert failed.answer == "451 4.3.0 try again later"
        office.scenario.later(minutes=2)
        await office.tick()
        (sent,) = await office.messages()
        assert (sent.state, sent.channel, sent.reference) == (MessageState.SENT, "smtp", "2.0.0 OK: queued as Q1")
        (mail,) = mailbox.mails
        assert mail.content["Message-ID"] == f"<{sent.mail_id}@brook.example>"
        assert mail.content["Date"].datetime - NOON == timedelta(minutes=2)


async def test_a_mail_that_the_server_refuses_for_good_is_given_up_with_its_answer(
    tenant: EmptyTenant, mailbox: Mailbox, authority: Authority
):
    mailbox.refuses["ann@example.org"] = "550 5.1.1 <ann@example.org> user unknown"
    async with an_office(tenant, sender_to(mailbox, authority)) as office:
        office.use(confirmed(**office.customer()))
        await office.tick()
        (message,) = await office.messages()
        assert (message.state, message.error) == (MessageState.GIVEN_UP, "smtp_550")
        assert message.answer == "550 5.1.1 <…> user unknown"


@pytest.mark.parametrize(
    ("content_type", "begin"), [("application/pdf", b"%PDF-1.4\n"), ("image/png", b"\x89PNG\r\n\x1a\n")]
)
async def test_a_return_label_arrives_with_its_mail_byte_for_byte(
    tenant: EmptyTenant, mailbox: Mailbox, authority: Authority, content_type: str, begin: bytes
):
    data = begin + b"\n.\r\n..\n" + bytes(range(256)) * 300
    file = cases.LabelFile(evidence.hash_of(data), content_type, len(data))
    name = f"return-label-label-1.{content_type[-3:]}"
    async with an_office(tenant, sender_to(mailbox, authority)) as office:
        desk = Desk(delivered(**office.customer()))
        desk.opens()
        kept = evidence.Kept(file.sha256, evidence.subject_of(desk.case()))
        await evidence.keep(office.tenant.log, office.sealer.of(office.tenant.schema), kept, data)
        desk.files()
        desk.reviews()
        desk.rules(Party.SUPPLIER, PHOTO)
        desk.approves(Remedy.RETURN)
        desk.scenario.later(minutes=1)
        desk.label_as(cases.ReturnLabelled(CASE, "label-1", {}, Party.RETAILER, desk.scenario.now, file=file))
        office.use(desk.scenario)
        await office.tick()
    (mail,) = [mail for mail in mailbox.mails if "label" in str(mail.content["Subject"])]
    (attached,) = mail.content.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == (name, content_type)
    assert attached.get_payload(decode=True) == data
    plain = mail.content.get_body(("plain",))
    assert plain is not None
    assert f"label-1, attached as {name}" in plain.get_content()


_DIES = """
import asyncio, os, signal, sys
from datetime import datetime
from pathlib import Path
from adapters.mail.mails import Mails
from adapters.mail.smtp import Security, SmtpSender, SmtpServer
from tests.service.test_smtp import LOGIN, SHOP
from tests.support.stalls import EmptyTenant
from tests.support.office import an_office

class Dies(SmtpSender):
    async def hand_over(self, tenant, letter):
        await super().hand_over(tenant, letter)
        os.kill(os.getpid(), signal.SIGKILL)

async def main(conninfo, schema, port, ca, now):
    sender = Dies(SmtpServer("localhost", int(port), Security.STARTTLS, *LOGIN, Path(ca)), Mails(SHOP))
    async with an_office(EmptyTenant(conninfo, schema), sender) as office:
        await office.outbox.tick(office.tenant, datetime.fromisoformat(now))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_kill_between_the_server_s_yes_and_its_record_repeats_the_same_mail(
    tenant: EmptyTenant, mailbox: Mailbox, authority: Authority
):
    async with an_office(tenant, sender_to(mailbox, authority)) as office:
        office.use(confirmed(**office.customer()))
        await office.catch_up()
        words = [sys.executable, "-c", _DIES, tenant.conninfo, tenant.schema]
        words += [str(mailbox.port), str(authority.ca_file), NOON.isoformat()]
        died = await asyncio.to_thread(subprocess.run, words, cwd=HOUSE, capture_output=True, text=True, timeout=60)
        assert died.returncode == -signal.SIGKILL, died.stderr
        assert (len(mailbox.mails), office.facts()) == (1, {"message.asked": 1})
        await office.tick()
        assert office.facts() == {"message.asked": 1, "message.sent": 1}
        first, second = (mail.content["Message-ID"] for mail in mailbox.mails)
        assert first == second


def test_a_service_hands_its_messages_to_the_mail_server_and_keeps_the_password_to_itself(
    folder: Path, mailbox: Mailbox, authority: Authority
):
    secret = folder / "password"
    secret.write_text(f"{LOGIN[1]}\n")
    options = {
        "--data": str(folder / "data"),
        "--outbox": "smtp",
        "--smtp": f"localhost:{mailbox.port}",
        "--smtp-user": LOGIN[0],
        "--smtp-password-file": str(secret),
        "--smtp-ca": str(authority.ca_file),
        "--mail-from": "Brook & Sons <orders@brook.example>",
    }
    words = [word for option in options.items() for word in option]
    with serving(folder, *words, "--log-level", "debug") as service, Client(service.address) as client:
        ff = Terminal(service.address)
        assert ff("policy", "set", "staff_mail.any=team@brook.example", "message_window_minutes=0").code == 0
        assert "team@brook.example" in ff("policy", "show").out
        assert "'boss' is not one of operations" in ff("policy", "set", "staff_mail.boss=x@brook.example").err
        assert "is not an e-mail address" in ff("policy", "set", "staff_mail.any=nobody").err
        client.approve(contact="Wei <orders@acme.cn>")
        for version, units in enumerate((1, 0), start=1):
            client.feed(units, version=version)
        client.place("mailed", sku="untracked")
        request = supplier_orders_pb2.SendSupplierOrderRequest(context=context(), supplier_order_id="shop/mailed/1")
        client.orders.SendSupplierOrder(request)
        recipients = {"ann@example.org", "orders@acme.cn", "team@brook.example"}
        wait_for(lambda: {mail.recipient for mail in mailbox.mails} == recipients)
        # Customers read of the shop where no brand has a name.
        names = {mail.recipient: str(mail.content["From"].addresses[0].display_name) for mail in mailbox.mails}
        assert names["ann@example.org"] == "shop"
        assert names["orders@acme.cn"] == names["team@brook.example"] == "Brook & Sons"
        assert LOGIN[1] not in service.log.read_text()
