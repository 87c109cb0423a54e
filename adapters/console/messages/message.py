"""``fulfilment message``: messages to customers, suppliers and staff, and their states."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.console.messages.templates import preview, print_letter, template
from adapters.console.terminal import files, words
from adapters.console.terminal.client import Trouble
from adapters.console.terminal.commands import Nouns, option_request_id
from adapters.console.terminal.listings import CHANGED_AFTER, LIMIT, ask_as_of, print_rows, rows_of
from adapters.console.terminal.past import AS_OF, OF_LISTS, asked
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute, word
from adapters.console.work.next_steps import command_of
from adapters.mail.bounces import Bounce, read_bounce
from adapters.mail.mailboxes import IMAP, NoMailbox, mails_in, reports_at
from fulfilment.v1 import common_pb2, messages_pb2, work_pb2


@click.group(cls=Nouns)
def message() -> None:
    """See what is told to customers, suppliers and staff, and try again what failed."""


@message.command("list")
@click.option("--order", "order_id", metavar="ORDER_ID", help="Only about this order.")
@click.option("--state", "states", multiple=True, type=words.choice(messages_pb2.MessageState), help="Only in it.")
@click.option("--audience", type=words.choice(messages_pb2.MessageAudience), help="Only to them.")
@CHANGED_AFTER
@OF_LISTS
@LIMIT
@click.pass_obj
def list_messages(
    session: Session, order_id: str, states: Sequence[str], audience: str | None, limit: int | None
) -> None:
    """List messages, the newest first."""
    request = messages_pb2.ListMessagesRequest(
        order_id=order_id,
        states=[words.number(messages_pb2.MessageState, state) for state in states],
        audience=words.number(messages_pb2.MessageAudience, audience),
    )
    print_rows(
        session,
        rows_of(session, session.client.messages.ListMessages, request, "messages"),
        limit,
        ["message", "to", "recipient", "state", "about", "why", "caused", "sent", ">failed", "error"],
        _row,
        "No messages.",
    )


def _row(each: messages_pb2.Message) -> list[Any]:
    return [
        each.message_id,
        word(messages_pb2.MessageAudience, each.audience),
        # A pseudonym is of no use to a reader.
        "" if each.audience == messages_pb2.MESSAGE_AUDIENCE_CUSTOMER else each.recipient,
        word(messages_pb2.MessageState, each.state),
        _about(each),
        each.reason.replace("_", " ") or each.clock,
        minute(each, "caused_at"),
        minute(each, "sent_at"),
        each.attempts or "",
        each.error,
    ]


@message.command()
@click.argument("message_id")
@click.option("--letter", is_flag=True, help="Write it as it would go out now; shows personal data.")
@click.option("--html", metavar="FILE", help="Write its page there, as mail programs show it.")
@AS_OF
@click.pass_obj
def show(session: Session, message_id: str, letter: bool, html: str | None, as_of: common_pb2.AsOf | None) -> None:
    """Show a message and, if asked, its letter."""
    written = letter or html is not None
    request = messages_pb2.GetMessageRequest(
        message_id=message_id,
        with_letter=written,
        as_of=asked(as_of, None, written, "--letter" if letter else "--html"),
    )
    answer = ask_as_of(session, session.client.messages.GetMessage, request)
    if html and answer.HasField("letter"):
        files.write(html, lambda path: path.write_text(answer.letter.html, encoding="utf-8"))
    if session.json:
        session.show(answer)
        return
    found = answer.message
    session.out.title(f"Message {found.message_id}", word(messages_pb2.MessageState, found.state))
    session.out.facts(_facts(found))
    if as_of is None and found.state in (messages_pb2.MESSAGE_STATE_GIVEN_UP, messages_pb2.MESSAGE_STATE_BOUNCED):
        _show_next(session, found)
    if answer.HasField("letter"):
        session.out.blank()
        print_letter(session, answer.letter)
    elif letter:
        session.out.say("There is no letter: nobody has asked for it yet, or its people were erased.", style="dim")


def _show_next(session: Session, found: messages_pb2.Message) -> None:
    """What to do about a message that reached nobody, as its work says."""
    request = work_pb2.ListWorkRequest(order_id=found.order_id, kinds=[work_pb2.WORK_KIND_MESSAGE])
    for each in rows_of(session, session.client.work.ListWork, request, "work"):
        if each.task_id.startswith(f"message-{found.message_id}-"):
            session.out.command(command_of(session, each.next))


def _about(each: messages_pb2.Message) -> str:
    """The first that it names."""
    of_order = each.case_id or each.supplier_order_id or each.order_id or each.tracking_number
    return of_order or each.invoice_number or each.stock_up_id or each.sku


def _facts(found: messages_pb2.Message) -> list[tuple[str, str]]:
    whose = " of yours" if found.own_template else ""
    template = (
        f"{word(messages_pb2.MessageKind, found.kind)}, {found.language}, version {found.template_version}{whose}"
    )
    return [
        ("to", f"{word(messages_pb2.MessageAudience, found.audience)} {found.recipient}"),
        ("about", found.supplier_order_id or found.order_id),
        ("case", found.case_id),
        ("invoice", f"{found.supplier_id} {found.invoice_number}" if found.invoice_number else ""),
        ("stock-up", found.stock_up_id),
        ("sku", f"{found.supplier_id} {found.sku}" if found.sku else ""),
        ("parcel", f"{found.carrier} {found.tracking_number}".strip()),
        ("why", found.reason.replace("_", " ")),
        ("clock", found.clock),
        ("due", minute(found, "due")),
        ("template", template if found.template_version else ""),
        ("caused", minute(found, "caused_at")),
        ("asked", minute(found, "asked_at")),
        ("sent", minute(found, "sent_at")),
        ("by", f"{found.channel} {found.reference}".strip()),
        ("mail", found.mail_id),
        ("failed", f"{found.attempts} times, the last time: {found.error}" if found.attempts else ""),
        ("answer", found.answer),
        ("next", minute(found, "next_at")),
    ]


@message.command()
@click.argument("message_id")
@option_request_id()
@click.pass_obj
def retry(session: Session, message_id: str, request_id: str | None) -> None:
    """Have a message tried again that failed or was given up."""
    request = messages_pb2.RetryMessageRequest(context=session.client.context(request_id), message_id=message_id)
    _done(session, session.client.call(session.client.messages.RetryMessage, request), message_id)


@message.command()
@click.argument("message_id")
@click.option("--reason", metavar="TEXT", help="Why, without personal data.")
@option_request_id()
@click.pass_obj
def cancel(session: Session, message_id: str, reason: str | None, request_id: str | None) -> None:
    """Keep a message from being sent."""
    request = messages_pb2.CancelMessageRequest(
        context=session.client.context(request_id), message_id=message_id, reason=reason or ""
    )
    _done(session, session.client.call(session.client.messages.CancelMessage, request), message_id)


@message.command()
@click.argument("place")
@click.pass_obj
def bounces(session: Session, place: str) -> None:
    """Record the bounces in a mailbox: messages that reached nobody fail, and are work.

    PLACE is a Maildir, a folder of .eml files, an mbox file, or a folder of a mail server such as
    imaps://shop@mail.example/Bounces, whose password is in the environment as FULFILMENT_IMAP_PASSWORD. Its mails stay
    as they are. Mails that are no bounces, or of none of our messages, are left alone, and what was recorded before is
    not recorded again.
    """
    try:
        found = [read_bounce(raw) for raw in _mails(place)]
    except NoMailbox as error:
        raise Trouble(f"{error}", "NO_MAILBOX") from None
    rows: list[dict[str, str]] = []
    unknown, position = 0, 0
    for bounce in filter(None, found):
        request = messages_pb2.ListMessagesRequest(mail_id=bounce.mail_id, at_least=position)
        mailed = list(rows_of(session, session.client.messages.ListMessages, request, "messages"))
        unknown += not mailed
        for each in mailed:
            row, position = _bounced(session, bounce, each)
            rows.append(row)
    if session.json:
        session.out.json({"bounces": rows, "unknown": unknown, "other": found.count(None)})
        return
    names = ("message", "to", "status", "answer", "result")
    session.out.table(names, [[row[name] for name in names] for row in rows])
    session.out.say(
        f"{len(rows)} messages bounced; {unknown} bounces are of no message here, and {found.count(None)} "
        "mails are none."
    )


def _mails(place: str) -> Iterable[bytes]:
    if not place.startswith(IMAP):
        return mails_in(Path(place))
    password = os.environ.get("FULFILMENT_IMAP_PASSWORD", "")
    if not password:
        raise click.UsageError("Put the password of the mailbox into FULFILMENT_IMAP_PASSWORD.")
    return reports_at(place, password)


def _bounced(session: Session, bounce: Bounce, each: messages_pb2.Message) -> tuple[dict[str, str], int]:
    """What came of it, and the position of the log that it holds at."""
    digest = sha256(f"{bounce.report} {each.message_id}".encode()).hexdigest()[:32]
    reported_at = Timestamp()
    if bounce.at is not None:
        reported_at.FromDatetime(bounce.at)
    request = messages_pb2.RecordBounceRequest(
        context=session.client.context(f"bounce-{digest}"),
        message_id=each.message_id,
        mail_id=bounce.mail_id,
        status=bounce.status,
        answer=bounce.answer,
        reported_at=reported_at if bounce.at is not None else None,
    )
    receipt = session.client.call(session.client.messages.RecordBounce, request)
    news = receipt.outcome == common_pb2.Receipt.OUTCOME_APPLIED and each.state == messages_pb2.MESSAGE_STATE_SENT
    to, result = word(messages_pb2.MessageAudience, each.audience), "recorded" if news else "known"
    row = {"message": each.message_id, "to": to, "status": bounce.status, "answer": bounce.answer, "result": result}
    return row, receipt.position


def _done(session: Session, receipt: Any, message_id: str) -> None:
    request = messages_pb2.GetMessageRequest(message_id=message_id, at_least=receipt.position)
    found = session.client.call(session.client.messages.GetMessage, request).message
    session.print_result(receipt, f"Message {message_id}", found, word(messages_pb2.MessageState, found.state))


message.add_command(template)
message.add_command(preview)
