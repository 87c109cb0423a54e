"""``fulfilment message template`` and ``message preview``: what messages say, and how that would read."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.terminal import files, words
from adapters.console.terminal.commands import Nouns, Words, option_request_id
from adapters.console.terminal.listings import LIMIT, print_rows, rows_of
from adapters.console.terminal.past import asked, past
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute, word
from fulfilment.v1 import common_pb2, messages_pb2
from fulfilment.v1 import templates_pb2 as pb

_KIND = click.argument("kind", type=words.choice(messages_pb2.MessageKind), metavar="KIND")
_LANGUAGE = click.option("--language", metavar="CODE", default="en", show_default=True, help="Such as zh.")


@click.group("template", cls=Nouns)
def template() -> None:
    """What each kind of message says, in your own words or in the service's.

    A template is a file: a line `Subject: ...`, an empty line, and the body. `message template show` prints one as it
    is taken again, and the names that it may print.
    """


@template.command("list")
@click.option("--own", is_flag=True, help="Only those that you wrote.")
@past
@LIMIT
@click.pass_obj
def list_templates(session: Session, own: bool, as_of: common_pb2.AsOf | None, at: Any, limit: int | None) -> None:
    """List which template is in use for each kind and language."""
    request = pb.ListTemplatesRequest(own_only=own, as_of=asked(as_of, at))
    found = rows_of(session, session.client.templates.ListTemplates, request, "templates")
    columns = ["kind", "language", "version", "written by", "at", "subject"]
    print_rows(session, found, limit, columns, _row, "No templates.")


def _row(each: pb.MessageTemplate) -> list[Any]:
    own = [each.written_by, minute(each, "written_at")] if each.own else ["the service", ""]
    return [word(messages_pb2.MessageKind, each.kind), each.language, each.version, *own, each.subject]


@template.command()
@_KIND
@_LANGUAGE
@click.option("--version", type=int, default=0, help="An older version of yours; the one in use if not said.")
@click.option("--built-in", is_flag=True, help="With --version: a version of the service's.")
@click.option("--names", is_flag=True, help="The names that it may print, with examples.")
@past
@click.pass_obj
def show(
    session: Session,
    kind: str,
    language: str,
    version: int,
    built_in: bool,
    names: bool,
    as_of: common_pb2.AsOf | None,
    at: Any,
) -> None:
    """Print a template as `message template put` takes it, or the names that it may print."""
    request = pb.GetTemplateRequest(
        kind=words.number(messages_pb2.MessageKind, kind),
        language=language,
        version=version,
        own=not built_in,
        as_of=asked(as_of, at),
    )
    answer = session.client.call(session.client.templates.GetTemplate, request)
    if session.json:
        session.show(answer)
    elif names:
        session.out.table(["name", "example"], [[each.name, each.example] for each in answer.names])
    else:
        session.out.say(f"Subject: {answer.template.subject}\n\n{answer.template.body}".rstrip())


@template.command()
@_KIND
@click.argument("file", metavar="FILE")
@_LANGUAGE
@option_request_id()
@click.pass_obj
def put(session: Session, kind: str, file: str, language: str, request_id: str | None) -> None:
    """Use a template of your own from now on, from FILE or standard input (-)."""
    subject, body = _read(file)
    request = pb.PutTemplateRequest(
        context=session.client.context(request_id),
        kind=words.number(messages_pb2.MessageKind, kind),
        language=language,
        subject=subject,
        body=body,
    )
    _done(session, kind, language, session.client.call(session.client.templates.PutTemplate, request))


@template.command()
@_KIND
@_LANGUAGE
@option_request_id()
@click.pass_obj
def withdraw(session: Session, kind: str, language: str, request_id: str | None) -> None:
    """Use the service's own template again; yours stays with what it wrote."""
    request = pb.WithdrawTemplateRequest(
        context=session.client.context(request_id),
        kind=words.number(messages_pb2.MessageKind, kind),
        language=language,
    )
    _done(session, kind, language, session.client.call(session.client.templates.WithdrawTemplate, request))


def _done(session: Session, kind: str, language: str, receipt: Any) -> None:
    request = pb.GetTemplateRequest(
        kind=words.number(messages_pb2.MessageKind, kind), language=language, at_least=receipt.position
    )
    found = session.client.call(session.client.templates.GetTemplate, request).template
    whose = "yours" if found.own else "the service's"
    session.print_result(receipt, f"Template {kind} {found.language}", found, f"version {found.version}, {whose}")


def _read(file: str) -> tuple[str, str]:
    """Subject and body of a file in the form that ``show`` prints."""
    head, _, body = files.text(file).replace("\r\n", "\n").partition("\n")
    if not head.startswith("Subject:"):
        raise click.UsageError(f"{file} does not begin with a line such as: Subject: Your order {{{{ order }}}}")
    return head.removeprefix("Subject:").strip(), body.strip("\n")


@click.command(cls=Words)
@_KIND
@click.option("--order", "order_id", metavar="ORDER_ID", help="About this order, with its personal data.")
@click.option("--language", metavar="CODE", help="Such as zh; the reader's if not said.")
@click.option("--reason", metavar="WORD", help="Such as customs, where the kind has several reasons.")
@click.option("--template", "draft", metavar="FILE", help="Written by this template, which is not used yet.")
@click.option("--html", metavar="FILE", help="Write the page there that a mail program shows.")
@click.pass_obj
def preview(
    session: Session,
    kind: str,
    order_id: str | None,
    language: str | None,
    reason: str | None,
    draft: str | None,
    html: str | None,
) -> None:
    """Show how a message would read, with samples or about an order; nothing is sent."""
    subject, body = _read(draft) if draft else ("", "")
    request = pb.PreviewMessageRequest(
        kind=words.number(messages_pb2.MessageKind, kind),
        language=language or "",
        order_id=order_id or "",
        reason=reason or "",
        subject=subject,
        body=body,
    )
    answer = session.client.call(session.client.templates.PreviewMessage, request)
    if html:
        files.write(html, lambda path: path.write_text(answer.letter.html, encoding="utf-8"))
    if session.json:
        session.show(answer)
        return
    if not answer.HasField("letter"):
        session.out.say("There is no letter: its people were erased.", style="dim")
        return
    print_letter(session, answer.letter)


def print_letter(session: Session, letter: messages_pb2.Letter) -> None:
    to = f"{letter.name} <{letter.email}>" if letter.email else letter.name
    session.out.facts([("to", to), ("subject", letter.subject)])
    session.out.blank()
    session.out.say(letter.text)
