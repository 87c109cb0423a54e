"""The contract as an OpenAPI 3.1 document, made of the protos with their comments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor

from adapters.http_api.comments import comments
from adapters.http_api.problems import MEDIA_TYPE
from fulfilment import __version__

Schema = dict[str, Any]

_ABOUT = """\
Every RPC of the contract as POST /v1/SERVICE/METHOD. Fields are read by the names given here and in camelCase; what is
empty, false or 0 is left out of answers. Refusals are application/problem+json."""

_SCALARS: dict[int, Schema] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.TYPE_INT64: {"type": ["string", "integer"], "format": "int64"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
}
_WELL_KNOWN: dict[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "examples": ["90s"]},
    "google.protobuf.Any": {"type": "object", "properties": {"@type": {"type": "string"}}, "required": ["@type"]},
}

_PARAMETERS: dict[str, Schema] = {
    "Tenant": {"description": "Whose ledger; by default the only one that is granted, else default."},
    "Request-Timeout": {"description": "The deadline in seconds, such as 2.5."},
    "Idempotency-Key": {"description": "The request id, where the context of the command has none."},
}

_PROBLEM: Schema = {
    "type": "object",
    "description": "A refusal (RFC 9457). Act on the reason; the sentence in detail is for people.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "The status over gRPC."},
        "reason": {"type": "string"},
        "details": {"type": "object", "additionalProperties": {"type": "string"}, "description": "The figures."},
        "violations": {
            "type": "array",
            "description": "What is wrong with a malformed request.",
            "items": {
                "type": "object",
                "required": ["field", "description"],
                "properties": {"field": {"type": "string"}, "description": {"type": "string"}},
            },
        },
    },
}


def document(services: Iterable[ServiceDescriptor], beside: Schema) -> Schema:
    """The whole document, with what is served ``beside`` the contract in the same form."""
    services = sorted(services, key=lambda each: each.name)
    methods = [method for service in services for method in service.methods]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Fulfilment ledger", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {}],
        "tags": [{"name": each.name, "description": comments()[each.full_name]} for each in services] + beside["tags"],
        "paths": {path_of(each): {"post": _operation(each)} for each in methods} | beside["paths"],
        "webhooks": beside["webhooks"],
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "parameters": {
                name: {"name": name, "in": "header", "schema": {"type": "string"}, **about}
                for name, about in _PARAMETERS.items()
            },
            "schemas": {"Problem": _PROBLEM, **dict(_schemas(methods)), **beside["components"]["schemas"]},
        },
    }


def path_of(method: MethodDescriptor) -> str:
    return f"/v1/{method.containing_service.name}/{method.name}"


def name_of(kind: Descriptor | EnumDescriptor) -> str:
    """Of a message or an enum, as the document and the pages call it."""
    return kind.full_name.removeprefix("fulfilment.v1.")


def _operation(method: MethodDescriptor) -> Schema:
    headers = [*_PARAMETERS][: 3 if "context" in method.input_type.fields_by_name else 2]
    answer = "application/x-ndjson" if method.server_streaming else "application/json"
    return {
        "operationId": method.name,
        "tags": [method.containing_service.name],
        "description": comments()[method.full_name],
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in headers],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _reference(method.input_type)}}},
        "responses": {
            "200": {
                "description": "The messages of the stream, one a line." if method.server_streaming else "The answer.",
                "content": {answer: {"schema": _reference(method.output_type)}},
            },
            "default": {
                "description": "Refused.",
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        },
    }


# --- what requests and answers hold ---------------------------------------------------------------


def kinds(methods: Iterable[MethodDescriptor]) -> Iterator[Descriptor | EnumDescriptor]:
    """Every message and enum that they need, each once."""
    todo: list[Any] = [kind for method in methods for kind in (method.input_type, method.output_type)]
    seen = set[str]()
    while todo:
        kind = todo.pop()
        if kind.full_name in seen or kind.full_name in _WELL_KNOWN:
            continue
        seen.add(kind.full_name)
        fields = kind.fields if isinstance(kind, Descriptor) else []
        todo += [each for field in fields if (each := field.message_type or field.enum_type) is not None]
        if not (isinstance(kind, Descriptor) and kind.GetOptions().map_entry):
            yield kind


def _schemas(methods: Iterable[MethodDescriptor]) -> Iterator[tuple[str, Schema]]:
    for kind in sorted(kinds(methods), key=lambda each: each.full_name):
        yield name_of(kind), _message(kind) if isinstance(kind, Descriptor) else _enum(kind)


def _message(kind: Descriptor) -> Schema:
    return {
        "type": "object",
        "description": comments()[kind.full_name],
        "properties": {field.name: _field(field) for field in kind.fields},
    }


def _enum(kind: EnumDescriptor) -> Schema:
    says = [f"- `{each.name}`: {comments()[f'{kind.full_name}.{each.name}']}" for each in kind.values]
    return {
        "type": "string",
        "description": "\n".join([comments()[kind.full_name], "", *says]),
        "enum": [each.name for each in kind.values],
    }


def _field(field: FieldDescriptor) -> Schema:
    below = field.message_type
    if below is not None and below.GetOptions().map_entry:
        schema: Schema = {"type": "object", "additionalProperties": _value(below.fields_by_name["value"])}
    elif field.is_repeated:
        schema = {"type": "array", "items": _value(field)}
    else:
        schema = _value(field)
    return {**schema, "description": comments()[field.full_name]}


def _value(field: FieldDescriptor) -> Schema:
    kind = field.message_type or field.enum_type
    return dict(_SCALARS[field.type]) if kind is None else _reference(kind)


def _reference(kind: Descriptor | EnumDescriptor) -> Schema:
    known = _WELL_KNOWN.get(kind.full_name)
    return dict(known) if known is not None else {"$ref": f"#/components/schemas/{name_of(kind)}"}
