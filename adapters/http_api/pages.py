"""The contract as pages for people: each RPC, message and refusal, without scripts and without another host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import jinja2
import msgspec
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.rpc import code_pb2
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.http_api.comments import comments
from adapters.http_api.openapi import Schema, document, kinds, name_of, path_of
from adapters.http_api.problems import HTTP_STATUSES, HttpFault, problem_of, response
from adapters.rpc.statuses import CODES
from ledger.refusals import Refusal

_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_PAGE = jinja2.Environment(autoescape=True, trim_blocks=True).from_string(
    (Path(__file__).parent / "pages" / "page.html").read_text("utf-8")
)
_ABOUT = (
    "Every RPC is called by POST with a JSON body. Nobody needs a token to read these pages: they say what the service "
    "can do, and nothing of what it holds."
)


class _Row(NamedTuple):
    name: str
    about: str
    kind: str = ""
    page: str = ""
    kind_page: str = ""


class _Part(NamedTuple):
    title: str
    rows: Sequence[_Row]
    about: Sequence[str] = ()


def pages(services: Iterable[ServiceDescriptor], beside: Schema) -> list[BaseRoute]:
    """The pages, and the document that programs read. They are open to everybody, as the contract itself is.

    ``beside`` is what the same process takes and tells beside the contract, as a part of the document.
    """
    contract = _Pages(sorted(services, key=lambda each: each.name), beside)
    return [
        Route("/openapi.json", contract.openapi, methods=["GET"]),
        Route("/docs", contract.index, methods=["GET"]),
        Route("/docs/{name}", contract.one, methods=["GET"]),
        Route("/problems/{reason}", _problem, methods=["GET"]),
    ]


class _Pages:
    def __init__(self, services: Sequence[ServiceDescriptor], beside: Schema) -> None:
        self._services = services
        self._beside = beside
        self._methods = {method.name: method for service in services for method in service.methods}
        self._kinds: Mapping[str, Descriptor | EnumDescriptor] = {
            name_of(kind): kind for kind in kinds(self._methods.values())
        }
        self._document = b""

    async def openapi(self, request: Request) -> Response:
        self._document = self._document or msgspec.json.encode(document(self._services, self._beside))
        return Response(self._document, 200, _HEADERS, "application/json")

    async def index(self, request: Request) -> Response:
        parts = [
            _Part(
                service.name,
                [
                    _Row(each.name, _first_sentence(comments()[each.full_name]), page=each.name)
                    for each in service.methods
                ],
                _paragraphs(comments()[service.full_name])[:1],
            )
            for service in self._services
        ]
        return _page("The contract over HTTP", [_ABOUT], [*parts, _documents(self._beside)])

    async def one(self, request: Request) -> Response:
        name = request.path_params["name"]
        if (method := self._methods.get(name)) is not None:
            return _of_method(method)
        if (kind := self._kinds.get(name)) is not None:
            return _page(name, _paragraphs(comments()[kind.full_name]), [_members(kind)])
        if (schema := self._beside["components"]["schemas"].get(name)) is not None:
            return _page(name, [schema["description"]], [_properties(schema)])
        return response(
            *problem_of(HttpFault(HTTPStatus.NOT_FOUND, "there is no such RPC or message; /docs lists all"))
        )


def _of_method(method: MethodDescriptor) -> Response:
    answers = "Answer, one a line" if method.server_streaming else "Answer"
    parts = [_members(method.input_type, "Request"), _members(method.output_type, answers)]
    parts += [_Part("All RPCs of the service", (), _paragraphs(comments()[method.containing_service.full_name])[1:])]
    example = f"curl http://HOST{path_of(method)} -H 'Content-Type: application/json' -d '{{...}}'"
    return _page(method.name, _paragraphs(comments()[method.full_name]), parts, example)


def _members(kind: Descriptor | EnumDescriptor, title: str = "") -> _Part:
    if isinstance(kind, Descriptor):
        return _Part(title or "Fields", [_field(field) for field in kind.fields])
    return _Part("Values", [_Row(each.name, comments()[f"{kind.full_name}.{each.name}"]) for each in kind.values])


def _field(field: FieldDescriptor) -> _Row:
    below = field.message_type
    if below is not None and below.GetOptions().map_entry:
        return _Row(
            field.name, comments()[field.full_name], "by name", kind_page=_page_of(below.fields_by_name["value"])
        )
    kind = below or field.enum_type
    named = name_of(kind) if kind is not None else _SCALARS.get(field.type, "string")
    shown = f"array of {named}" if field.is_repeated else named
    return _Row(field.name, comments()[field.full_name], shown, kind_page=_page_of(field))


def _documents(beside: Schema) -> _Part:
    """What is taken and told beside the contract."""
    schemas = beside["components"]["schemas"]
    return _Part("Documents", [_Row(name, each["description"], page=name) for name, each in schemas.items()])


def _properties(schema: Schema) -> _Part:
    required = schema.get("required", ())
    rows = []
    for name, each in schema["properties"].items():
        one = next((part for part in each.get("anyOf", ()) if part.get("type") != "null"), each)
        reference = one.get("$ref") or one.get("items", {}).get("$ref", "")
        kind = reference.rpartition("/")[2] or " or ".join(map(str, one.get("enum", ()))) or one.get("type", "")
        about = each.get("description") or one.get("description", "")
        shown = f"{kind}, required" if name in required else kind
        rows.append(_Row(name, about, shown, kind_page=reference.rpartition("/")[2]))
    return _Part("Fields", rows)


_SCALARS = {
    FieldDescriptor.TYPE_BOOL: "true or false",
    FieldDescriptor.TYPE_INT32: "whole number",
    FieldDescriptor.TYPE_INT64: "whole number, answered as a string",
    FieldDescriptor.TYPE_DOUBLE: "number",
    FieldDescriptor.TYPE_BYTES: "base64",
}


def _page_of(field: FieldDescriptor) -> str:
    """The page of what a field holds, if it is of the contract."""
    kind = field.message_type or field.enum_type
    return name_of(kind) if kind is not None and kind.full_name.startswith("fulfilment.v1.") else ""


async def _problem(request: Request) -> Response:
    reason = request.path_params["reason"]
    kind = Refusal.by_reason.get(reason)
    if kind is None:
        return response(*problem_of(HttpFault(HTTPStatus.NOT_FOUND, "there is no such reason")))
    code = next(CODES[each] for each in kind.__mro__ if each in CODES)
    status = HTTP_STATUSES[code]
    about = [kind.says, f"Answered as {status.value} {status.phrase}; over gRPC as {code_pb2.Code.Name(code)}."]
    return _page(reason, about, [])


def _page(title: str, about: Sequence[str], parts: Sequence[_Part], example: str = "") -> Response:
    html = _PAGE.render(title=title, about=about, parts=parts, example=example)
    return Response(html, 200, _HEADERS, "text/html")


def _paragraphs(text: str) -> list[str]:
    return text.split("\n\n")


def _first_sentence(text: str) -> str:
    return f"{text.partition('. ')[0].removesuffix('.')}."
