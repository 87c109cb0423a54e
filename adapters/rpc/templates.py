"""TemplateService: what messages say, in the retailer's own words or in the service's, and how they would read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from adapters.messages import library
from adapters.messages.envelope import Erased
from adapters.messages.letters import CannotBeWritten, Letters
from adapters.messages.library import TemplateSource
from adapters.messages.previews import NO_ORDER, PreviewWish
from adapters.messages.samples import REASONS, a_sample, samples
from adapters.messages.wording import MOST_BODY, MOST_SUBJECT, BadTemplate, Values, check
from adapters.people.personal_reads import note_keys
from adapters.rpc import shapes
from adapters.rpc.calls import Call
from adapters.rpc.commands import Ask, Edge, Reader, Readers
from adapters.rpc.faults import fault, require
from adapters.rpc.letters import show_letter
from adapters.rpc.listing import listed, page
from adapters.rpc.queries import Queries, require_position
from adapters.rpc.shows import number_of, stamp
from adapters.streams import read
from adapters.tenants import Tenants
from fulfilment.v1 import messages_pb2
from fulfilment.v1 import templates_pb2 as pb
from ledger.decisions.notices import in_use
from ledger.facts import changes_of
from ledger.nouns import orders, templates
from ledger.nouns.messages import MessageKind
from ledger.nouns.templates import TemplateWithdrawn, TemplateWritten, UnknownTemplate
from ledger.view import View
from projections.machine.reads import Answer

_kind = number_of(messages_pb2.MessageKind)
_read_kind = shapes.enum(messages_pb2.MessageKind, MessageKind)


def put_template(request: pb.PutTemplateRequest, edge: Edge) -> Ask:
    kind, language = _read_kind(request.kind, "kind"), _language(request.language)
    source = _source(request)
    _check(kind, language, source)
    written = TemplateWritten(
        kind=kind, language=language, version=0, subject=source.subject, body=source.body, by=edge.actor, at=edge.now
    )
    stream = templates.stream(kind)
    return Ask(lambda view: changes_of(stream, templates.write(templates.find(view, kind), written)), (stream,))


def withdraw_template(request: pb.WithdrawTemplateRequest, edge: Edge) -> Ask:
    kind, language = _read_kind(request.kind, "kind"), _language(request.language)
    withdrawn = TemplateWithdrawn(kind, language, edge.actor, edge.now)
    stream = templates.stream(kind)
    return Ask(lambda view: changes_of(stream, templates.withdraw(templates.find(view, kind), withdrawn)), (stream,))


READERS: Readers = {
    pb.PutTemplateRequest: Reader(put_template),
    pb.WithdrawTemplateRequest: Reader(withdraw_template),
}


def _language(value: str) -> str:
    require(value != "", "language", "is required: an ISO 639-1 code such as en")
    return shapes.language(value, "language")


def _source(request: pb.PutTemplateRequest | pb.PreviewMessageRequest) -> TemplateSource:
    body = shapes.lines(request.body.replace("\r\n", "\n"), "body", MOST_BODY, required=True)
    return TemplateSource(shapes.text(request.subject, "subject", MOST_SUBJECT, required=True), f"{body}\n")


def _check(kind: MessageKind, language: str, source: TemplateSource) -> None:
    try:
        check(source.subject, source.body, samples(kind, language))
    except BadTemplate as bad:
        fault(bad.part, f"line {bad.line}: {bad.problem}")


class TemplateQueries(Queries):
    """TemplateService but for its commands."""

    def __init__(self, tenants: Tenants, letters: Letters) -> None:
        super().__init__(tenants)
        self._letters = letters

    async def GetTemplate(self, request: pb.GetTemplateRequest, call: Call) -> pb.GetTemplateResponse:
        kind, language = _read_kind(request.kind, "kind"), _language(request.language)
        view, position = await self._templates([kind], request.at_least, call)
        if request.version:
            found = _version(view, kind, language, request.version, own=request.own)
        else:
            found = _in_use(view, kind, language)
        return pb.GetTemplateResponse(template=found, names=_names(a_sample(kind, language, "")), position=position)

    async def ListTemplates(self, request: pb.ListTemplatesRequest, call: Call) -> pb.ListTemplatesResponse:
        kinds = [_read_kind(request.kind, "kind")] if request.kind else list(MessageKind)
        wanted = page(request)
        view, position = await self._templates(kinds, request.at_least, call)
        found = [each for kind in kinds for each in _all_in_use(view, kind) if each.own or not request.own_only]
        first = wanted.after(int) or 0
        shown, more = wanted.cut(found[first:], range(first + 1, len(found) + 1))
        return listed(pb.ListTemplatesResponse, "templates", Answer(shown, position, more), _without_body)

    async def PreviewMessage(self, request: pb.PreviewMessageRequest, call: Call) -> pb.PreviewMessageResponse:
        kind = _read_kind(request.kind, "kind")
        language = shapes.language(request.language, "language")
        order_id = shapes.optional(shapes.order_id, request.order_id, "order_id")
        require(not order_id or kind not in NO_ORDER, "order_id", f"a message of the kind {kind} is about no order")
        reasons = REASONS.get(kind, ())
        one_of = (
            f"{request.reason!r} is not one of {', '.join(filter(None, reasons))}"
            if reasons
            else "this kind has no reasons"
        )
        require(not request.reason or request.reason in reasons, "reason", one_of)
        draft = _source(request) if request.subject or request.body else None
        if draft is not None:
            _check(kind, language or "en", draft)
        viewer = call.viewer(orders.stream(order_id)) if order_id else None
        tenant, wish = await self.tenant(call), PreviewWish(kind, language, request.reason, draft)
        opened: set[str] = set()
        try:
            asked, letter, position = await self._letters.noting(opened).preview(tenant.log, wish, order_id)
        except Erased:
            return pb.PreviewMessageResponse()
        except CannotBeWritten as problem:
            fault("body", str(problem))
            raise
        if viewer is not None:
            await note_keys(tenant.log, viewer, opened)
        written_by = pb.MessageTemplate(
            kind=request.kind, language=asked.language, version=asked.template_version, own=asked.own_template
        )
        return pb.PreviewMessageResponse(letter=show_letter(letter), template=written_by, position=position)

    async def _templates(self, kinds: Iterable[MessageKind], at_least: int, call: Call) -> tuple[View, int]:
        require(at_least >= 0, "at_least", f"{at_least} is below 0")
        view, head = await read((await self.tenant(call)).log, [templates.stream(kind) for kind in kinds])
        require_position(at_least, head)
        return view, head


def _in_use(view: View, kind: MessageKind, language: str) -> pb.MessageTemplate:
    template = in_use(view, kind, [language], library.newest())
    return _version(view, kind, template.language, template.version, own=template.own)


def _version(view: View, kind: MessageKind, language: str, version: int, *, own: bool) -> pb.MessageTemplate:
    known, built_in = templates.find(view, kind), library.built_in().get((kind, language, version))
    written = known.version(language, version) if known is not None and own else None
    source = TemplateSource(written.subject, written.body) if written is not None else None if own else built_in
    if source is None:
        raise UnknownTemplate(kind, language, version)
    return pb.MessageTemplate(
        kind=_kind(kind),
        language=language,
        version=version,
        own=own,
        subject=source.subject,
        body=source.body,
        written_by=written.by if written is not None else "",
        written_at=stamp(written.at) if written is not None else None,
    )


def _all_in_use(view: View, kind: MessageKind) -> Iterator[pb.MessageTemplate]:
    """In each language in which there is one."""
    known = templates.find(view, kind)
    own = [language for language in known.versions if known.in_use(language)] if known is not None else []
    built_in = [language for each, language in library.newest() if each is kind]
    for language in sorted({*own, *built_in}):
        yield _in_use(view, kind, language)


def _without_body(template: pb.MessageTemplate) -> pb.MessageTemplate:
    template.ClearField("body")
    return template


def _names(known: Values) -> Iterator[pb.TemplateName]:
    """What may be printed, with examples; of a table its columns."""
    for name, value in sorted(known.items()):
        if isinstance(value, str | int):
            yield pb.TemplateName(name=name, example=str(value))
        else:
            yield from (pb.TemplateName(name=f"{name}: {column}", example=text) for column, text in value[0].items())
