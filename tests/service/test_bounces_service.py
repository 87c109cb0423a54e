"""Bounces read back: a mail that reached nobody fails its message and is work, once, however often it is read."""

from __future__ import annotations

import asyncio
import mailbox as mailboxes
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from adapters.database.postgres import open_pool
from adapters.every_tenant import end
from adapters.mail.mailboxes import ReportsMailbox
from adapters.mail.returned_mail import ReturnedMail
from adapters.tenants import Tenants
from fulfilment.v1 import messages_pb2, work_pb2
from tests.support.bounced import MAIL_ID, a_report
from tests.support.hosting import hosting
from tests.support.imap_server import ImapServer, an_imap_server
from tests.support.mail_server import LOGIN, Authority, Mail, Mailbox, a_mail_server
from tests.support.service import Client, context, names_of, patiently, reason_of, refused
from tests.support.stalls import EmptyTenant
from tests.support.terminal import Console, Terminal
from tests.support.waiting import wait_for

SENT, BOUNCED = messages_pb2.MESSAGE_STATE_SENT, messages_pb2.MESSAGE_STATE_BOUNCED


class Shop(NamedTuple):
    client: Client
    ff: Console
    mailbox: Mailbox
    returned: list[bytes]
    """What lies in the folder that the service reads by itself."""
    imap: ImapServer


@pytest.fixture(scope="module")
def shop(embedded: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder, returned = tmp_path_factory.mktemp("shop"), list[bytes]()
    authority, secret = Authority(folder), folder / "password"
    secret.write_text(f"{LOGIN[1]}\n")
    with a_mail_server(login=False) as mailbox, an_imap_server(authority, {"Returned": returned}) as imap:
        options = ("--outbox", "smtp", "--smtp", f"127.0.0.1:{mailbox.port}", "--smtp-security", "none")
        mail = ("--mail-from", "orders@brook.example", "--mail-bounces", "bounces@brook.example")
        place = ("--bounces", f"imaps://{LOGIN[0]}@localhost:{imap.port}/Returned", "--bounces-every", "1")
        login = ("--bounces-password-file", str(secret), "--bounces-ca", str(authority.ca_file))
        with hosting(embedded, folder, *options, *mail, *place, *login) as service, Client(service.address) as client:
            client.approve()
            yield Shop(client, Console(service.address), mailbox, returned, imap)


def confirmed(shop: Shop, number: str) -> tuple[messages_pb2.Message, Mail]:
    """An order's confirmation, once it is sent."""
    shop.client.place(number, sku="untracked")
    wait_for(lambda: [each.state for each in messages_of(shop, number)] == [SENT])
    (message,) = messages_of(shop, number)
    (mail,) = [each for each in shop.mailbox.mails if each.envelope_id == message.mail_id]
    return message, mail


def messages_of(shop: Shop, number: str) -> list[messages_pb2.Message]:
    request = messages_pb2.ListMessagesRequest(order_id=f"shop/{number}")
    return list(patiently(shop.client.messages.ListMessages, request).messages)


def work_about(shop: Shop, number: str) -> list[str]:
    work = patiently(shop.client.work.ListWork, work_pb2.ListWorkRequest(order_id=f"shop/{number}")).work
    return [each.reason for each in work if each.kind == work_pb2.WORK_KIND_MESSAGE]


def test_a_bounce_in_a_mailbox_fails_its_message_and_is_work_until_the_address_is_put_right(shop: Shop, tmp_path: Path):
    message, mail = confirmed(shop, "lost")
    assert (mail.sender, mail.content["Message-ID"]) == ("bounces@brook.example", f"<{message.mail_id}@brook.example>")
    folder = mailboxes.Maildir(tmp_path / "maildir")
    for report in (a_report(message.mail_id), a_report(MAIL_ID), a_report(message.mail_id, action="delayed")):
        folder.add(report)
    first = shop.ff("message", "bounces", str(tmp_path / "maildir"), "--json").json
    assert first["bounces"] == [
        {
            "message": message.message_id,
            "to": "customer",
            "status": "5.1.1",
            "answer": "550 5.1.1 <…>: Recipient address rejected: User … unknown in virtual mailbox table",
            "result": "recorded",
        }
    ]
    assert (first["unknown"], first["other"]) == (1, 1)
    wait_for(lambda: [each.state for each in messages_of(shop, "lost")] == [BOUNCED])
    assert messages_of(shop, "lost")[0].error == "bounced_5.1.1"
    wait_for(lambda: work_about(shop, "lost") == ["order_confirmed: bounced_5.1.1"])
    again = shop.ff("message", "bounces", str(tmp_path / "maildir"))
    assert "known" in again.out
    assert "1 messages bounced; 1 bounces are of no message here, and 1 mails are none." in again.out
    assert names_of(shop.client, "message.bounced") == 1

    wanted = work_pb2.ListWorkRequest(order_id="shop/lost", kinds=[work_pb2.WORK_KIND_MESSAGE])
    (todo,) = patiently(shop.client.work.ListWork, wanted).work
    assert todo.next.rpc == "OrderService.ChangeAddress"
    assert "order address shop/lost --email ADDRESS" in shop.ff("message", "show", message.message_id).out
    assert shop.ff("order", "address", "shop/lost", "--email", "ann@new.example").code == 0
    wait_for(lambda: [each.state for each in messages_of(shop, "lost")] == [SENT])
    assert shop.mailbox.mails[-1].recipient == "ann@new.example"
    assert messages_of(shop, "lost")[0].mail_id != message.mail_id
    wait_for(lambda: work_about(shop, "lost") == [])
    # What was reported of the mail to the old address says nothing of the new one.
    late = shop.ff("message", "bounces", str(tmp_path / "maildir"), "--json").json
    assert (late["bounces"], late["unknown"]) == ([], 2)


def test_a_bounce_that_somebody_else_read_is_recorded_by_its_message_and_keeps_no_address(shop: Shop):
    message, _ = confirmed(shop, "hook")
    request = messages_pb2.RecordBounceRequest(
        context=context(), message_id=message.message_id, status="5.2.2", answer="552 <ann@example.org> is over quota"
    )
    shop.client.messages.RecordBounce(request)
    wait_for(lambda: messages_of(shop, "hook")[0].state == BOUNCED)
    assert messages_of(shop, "hook")[0].answer == "552 <…> is over quota"
    request.context.CopyFrom(context())
    request.status = "nonsense"
    assert reason_of(refused(shop.client.messages.RecordBounce, request)) == "MALFORMED"


def test_bounces_are_read_from_a_folder_of_a_mail_server_which_stays_as_it_is(shop: Shop, tmp_path: Path):
    message, _ = confirmed(shop, "remote")
    authority = Authority(tmp_path)
    reports = [a_report(message.mail_id), b"From: ann@example.org\nContent-Type: text/plain\n\nThank you!\n"]
    with an_imap_server(authority, {"Bounces": reports}) as server:
        ff, place = Terminal(shop.client.address), f"imaps://{LOGIN[0]}@localhost:{server.port}"
        assert "[NO_MAILBOX]" not in ff("message", "bounces", f"{place}/Bounces").err
        assert "FULFILMENT_IMAP_PASSWORD" in ff("message", "bounces", f"{place}/Bounces").err
        ff.environment["FULFILMENT_IMAP_PASSWORD"] = LOGIN[1]
        assert "CERTIFICATE_VERIFY_FAILED" in ff("message", "bounces", f"{place}/Bounces").err
        assert server.said == []
        ff.environment["SSL_CERT_FILE"] = str(authority.ca_file)
        assert "there is no folder Elsewhere" in ff("message", "bounces", f"{place}/Elsewhere").err
        found = ff("message", "bounces", f"{place}/Bounces", "--json").json
        assert [(each["message"], each["result"]) for each in found["bounces"]] == [(message.message_id, "recorded")]
        assert found["other"] == 0  # only reports are fetched
        assert {word for word in server.said if word in ("SELECT", "STORE", "EXPUNGE")} == set()
        ff.environment["FULFILMENT_IMAP_PASSWORD"] = "wrong"
        refused_login = ff("message", "bounces", f"{place}/Bounces")
        assert refused_login.code != 0
        assert f"the mailbox localhost:{server.port}/Bounces cannot be read" in refused_login.err
    wait_for(lambda: messages_of(shop, "remote")[0].state == BOUNCED)


def test_a_place_without_a_mailbox_is_reported(shop: Shop, tmp_path: Path):
    assert "cannot be read: No such file" in shop.ff("message", "bounces", str(tmp_path / "nowhere")).err
    (tmp_path / "empty").mkdir()
    assert "0 messages bounced" in shop.ff("message", "bounces", str(tmp_path / "empty")).out


def test_the_service_reads_returned_mail_by_itself_and_each_mail_once(shop: Shop):
    message, _ = confirmed(shop, "alone")
    shop.returned.append(a_report(message.mail_id))
    wait_for(lambda: [each.error for each in messages_of(shop, "alone")] == ["bounced_5.1.1"])
    wait_for(lambda: work_about(shop, "alone") == ["order_confirmed: bounced_5.1.1"])
    turns = shop.imap.said.count("LOGIN")
    wait_for(lambda: shop.imap.said.count("LOGIN") > turns + 1)
    # One look for new ones each time, and one mail that was fetched once.
    assert shop.imap.said.count("UID") <= shop.imap.said.count("LOGIN") + 1


async def test_one_process_at_a_time_reads_a_mailbox_and_a_wrong_password_is_reported(
    tenant: EmptyTenant, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    authority = Authority(tmp_path)
    with an_imap_server(authority, {"INBOX": [a_report(MAIL_ID)]}) as imap:
        address = f"imaps://{LOGIN[0]}@localhost:{imap.port}"
        right = ReportsMailbox(address, LOGIN[1], 300, authority.ca_file)
        async with open_pool(tenant.conninfo) as pool:
            tenants = Tenants(pool)
            await tenants.control.prepare()
            first, second = ReturnedMail(tenants, right), ReturnedMail(tenants, right)
            async with first._reading() as held:
                assert held.is_held
                await second.turn()
            assert imap.said == []
            await second.turn()
            assert imap.said.count("UID") == 2
            wrong = ReturnedMail(tenants, right._replace(password="wrong", every_seconds=10))
            task = asyncio.create_task(wrong.run())
            await asyncio.to_thread(wait_for, lambda: "it is tried again in 20 s" in caplog.text)
            await end([task])
            await tenants.drain()
    assert f"the mailbox localhost:{imap.port}/INBOX cannot be read" in caplog.text
    assert "wrong;" not in caplog.text
    assert [wrong._pause(failures) for failures in (0, 1, 2, 50)] == [10, 20, 40, 3600]
    assert LOGIN[1] not in repr(right)


async def test_who_stops_waits_for_no_mailbox_that_does_not_answer(tenant: EmptyTenant):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = ReportsMailbox(f"imaps://shop@localhost:{silent.getsockname()[1]}", "secret", 300)
        async with open_pool(tenant.conninfo) as pool:
            task = asyncio.create_task(ReturnedMail(Tenants(pool), where).run())
            connection, _ = await asyncio.to_thread(silent.accept)
            with connection:
                await end([task])
                assert task.cancelled()
