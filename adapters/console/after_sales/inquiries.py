"""``fulfilment inquiry``: questions about orders, and who has to answer them."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.terminal import words
from adapters.console.terminal.client import Command, Q
from adapters.console.terminal.commands import Nouns, recording
from adapters.console.terminal.listings import CHANGED_AFTER, LIMIT, SUPPLIER, print_rows, rows_of
from adapters.console.terminal.past import OF_LISTS, asked, past
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute, word
from fulfilment.v1 import common_pb2, inquiries_pb2

_PARTIES = words.choice(common_pb2.Party, "carrier")


@click.group(cls=Nouns)
def inquiry() -> None:
    """Ask about an order, answer in time, close, list what waits."""


def _read(
    session: Session,
    inquiry_id: str,
    at_least: int = 0,
    personal: bool = False,
    as_of: common_pb2.AsOf | None = None,
) -> inquiries_pb2.Inquiry:
    request = inquiries_pb2.GetInquiryRequest(
        inquiry_id=inquiry_id, at_least=at_least, with_personal_data=personal, as_of=as_of
    )
    return session.client.call(session.client.inquiries.GetInquiry, request).inquiry


def _record(session: Session, inquiry_id: str, rpc: Command[Q], request: Q) -> None:
    receipt = session.client.call(rpc, request)
    after = _read(session, inquiry_id, receipt.position)
    session.print_result(receipt, f"Inquiry {inquiry_id}", after, _stands(session, after))


def _answer_by(session: Session, each: inquiries_pb2.Inquiry) -> str:
    """In the time zone of whoever is to answer."""
    of_retailer = each.asked_of == common_pb2.PARTY_RETAILER
    return minute(each, "answer_by", session.time_zone if of_retailer else each.time_zone)


def _stands(session: Session, each: inquiries_pb2.Inquiry) -> str:
    state = word(inquiries_pb2.InquiryState, each.state)
    due = _answer_by(session, each)
    waits = f", {_asked_of(each)} answers by {due}" if due and each.state == inquiries_pb2.INQUIRY_STATE_OPEN else ""
    return state + waits + (", the answer was missed" if each.answer_missed else "")


def _asked_of(each: inquiries_pb2.Inquiry) -> str:
    return each.supplier_id if each.asked_of == common_pb2.PARTY_SUPPLIER else "the retailer"


@inquiry.command()
@click.argument("inquiry_id")
@click.argument("about", metavar="ORDER_ID|SUPPLIER_ORDER_ID")
@click.option("--by", type=_PARTIES, default="retailer", show_default=True, help="Who asks.")
@click.option("--of", type=words.choice(common_pb2.Party, "carrier", "customer"), help="Who is asked.")
@click.option("--supplier", metavar="SUPPLIER_ID", help="The supplier, of a question about a whole order.")
@click.option("--topic", type=words.choice(inquiries_pb2.InquiryTopic), default="other", show_default=True)
@click.option("--text", help="The question; sealed.")
@recording("When it was asked")
def ask(session: Session, /, inquiry_id: str, about: str, at: Any, request_id: str | None, **options: Any) -> None:
    """Record a question: the retailer asks the supplier unless said otherwise."""
    of = options["of"] or ("supplier" if options["by"] == "retailer" else "retailer")
    named = {"supplier_order_id" if about.count("/") == 2 else "order_id": about}
    request = inquiries_pb2.AskInquiryRequest(
        context=session.client.context(request_id),
        inquiry_id=inquiry_id,
        asked_by=words.number(common_pb2.Party, options["by"]),
        asked_of=words.number(common_pb2.Party, of),
        supplier_id=options["supplier"],
        topic=words.number(inquiries_pb2.InquiryTopic, options["topic"]),
        text=options["text"],
        at=at,
        **named,
    )
    _record(session, inquiry_id, session.client.inquiries.AskInquiry, request)


@inquiry.command()
@click.argument("inquiry_id")
@click.option("--text", help="The answer; sealed.")
@recording("When it was answered")
def answer(session: Session, inquiry_id: str, text: str, at: Any, request_id: str | None) -> None:
    """Record an answer; the first by its own time counts."""
    request = inquiries_pb2.AnswerInquiryRequest(
        context=session.client.context(request_id), inquiry_id=inquiry_id, text=text, at=at
    )
    _record(session, inquiry_id, session.client.inquiries.AnswerInquiry, request)


@inquiry.command()
@click.argument("inquiry_id")
@click.option("--reason", metavar="WORD", help="Such as solved.")
@recording()
def close(session: Session, inquiry_id: str, reason: str, at: Any, request_id: str | None) -> None:
    """Record that nothing is expected of it any more."""
    request = inquiries_pb2.CloseInquiryRequest(
        context=session.client.context(request_id), inquiry_id=inquiry_id, reason=reason, at=at
    )
    _record(session, inquiry_id, session.client.inquiries.CloseInquiry, request)


@inquiry.command()
@click.argument("inquiry_id")
@click.option("--personal", is_flag=True, help="What was said too.")
@past
@click.pass_obj
def show(session: Session, inquiry_id: str, personal: bool, as_of: common_pb2.AsOf | None, at: Any) -> None:
    """Show a question and its answers."""
    found = _read(session, inquiry_id, personal=personal, as_of=asked(as_of, at, personal))
    if session.json:
        session.show(found)
        return
    session.out.title(f"Inquiry {inquiry_id}", _stands(session, found))
    session.out.facts(
        [
            ("about", found.supplier_order_id or found.order_id),
            ("topic", word(inquiries_pb2.InquiryTopic, found.topic)),
            ("asked by", word(common_pb2.Party, found.asked_by)),
            ("asked", minute(found, "asked_at")),
            ("question", found.text),
            *((f"answer of {each.by}", f"{minute(each, 'at')} {each.text}".strip()) for each in found.answers),
            ("closed", minute(found, "closed_at")),
        ]
    )


@inquiry.command("list")
@click.option("--state", type=words.choice(inquiries_pb2.InquiryState), help="Only in this state; open if not said.")
@SUPPLIER
@click.option("--order", metavar="ORDER_ID", help="Only this order.")
@click.option("--of", type=words.choice(common_pb2.Party, "carrier", "customer"), help="Only those this party answers.")
@CHANGED_AFTER
@OF_LISTS
@LIMIT
@click.pass_obj
def list_(session: Session, state: str | None, supplier: str, order: str, of: str | None, limit: int | None) -> None:
    """List questions by when their answer is due."""
    request = inquiries_pb2.ListInquiriesRequest(
        state=words.number(inquiries_pb2.InquiryState, state),
        supplier_id=supplier,
        order_id=order,
        asked_of=words.number(common_pb2.Party, of),
    )
    print_rows(
        session,
        rows_of(session, session.client.inquiries.ListInquiries, request, "inquiries"),
        limit,
        ["inquiry", "about", "topic", "asked of", "asked", "answer by", "answered", "missed"],
        lambda each: [
            each.inquiry_id,
            each.supplier_order_id or each.order_id,
            word(inquiries_pb2.InquiryTopic, each.topic),
            _asked_of(each),
            minute(each, "asked_at"),
            _answer_by(session, each),
            minute(each, "answered_at"),
            "yes" if each.answer_missed else "",
        ],
        "No such questions.",
    )
