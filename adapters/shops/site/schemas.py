"""The documents of an own site as JSON Schema: each by itself, and as a part of the OpenAPI document."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from adapters.shops.site.documents import KINDS
from adapters.shops.site.events import SPECVERSION, TYPES

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ANSWERS = {
    "200": "It is kept, or was before.",
    "400": "It is no JSON, or was signed more than five minutes away from now. Do not repeat it.",
    "401": "It is not signed with a secret of the connection. Do not repeat it.",
    "410": "There is no such connection. Stop sending.",
    "413": "It is larger than 4 MiB.",
    "422": "The document does not fit: violations has the JSON pointer of each fault. Mend it, and send it anew.",
    "503": "It cannot be kept now. Repeat it with the same webhook-id.",
}
_HEADERS = {
    "webhook-id": "What happened, by an id of the site: the same in repetitions, and kept once.",
    "webhook-timestamp": "When it was signed, in seconds since 1970.",
    "webhook-signature": "v1,... or v1a,... of Standard Webhooks, over id.timestamp.body; spaces between several.",
}


def file_name(kind: str) -> str:
    """Of the schema of a kind of document: ``order.payment`` is ``payment.json``."""
    return f"{kind.rpartition('.')[2]}.json"


@cache
def schema_files() -> dict[str, bytes]:
    """The schema of each kind of document, and of the data of each type of event, by its file name: whole in itself."""
    kinds: dict[str, type] = {file_name(kind): document for kind, document in KINDS.items()}
    kinds |= {f"{kind}.json": data for kind, data in TYPES.items()}
    return {
        name: msgspec.json.encode({"$schema": _DIALECT, "$id": f"/schemas/{name}", **msgspec.json.schema(kind)})
        for name, kind in kinds.items()
    }


def openapi() -> dict[str, Any]:
    """What the OpenAPI document says of it, beside the contract."""
    parts, schemas = msgspec.json.schema_components(
        [*KINDS.values(), *TYPES.values()], ref_template="#/components/schemas/{name}"
    )
    body = {"oneOf": list(parts[: len(KINDS)])}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in ("tenant", "connection")
    ]
    parameters += [
        {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": text}
        for name, text in _HEADERS.items()
    ]
    post = {
        "operationId": "TellOfOrder",
        "tags": ["Own site"],
        "description": "Takes a document of an own site in. What comes of it says ListReceptions.",
        "security": [],
        "parameters": parameters,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {status: {"description": text} for status, text in _ANSWERS.items()},
    }
    return {
        "tags": [{"name": "Own site", "description": "Orders of an own site, signed by Standard Webhooks."}],
        "paths": {"/in/{tenant}/{connection}": {"post": post}},
        "webhooks": {kind: {"post": _told(kind, data)} for kind, data in zip(TYPES, parts[len(KINDS) :], strict=True)},
        "components": {"schemas": schemas},
    }


def _told(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """What an address of the retailer's is told, as a webhook of the OpenAPI document."""
    attributes = {
        "specversion": {"const": SPECVERSION},
        "id": {"type": "string", "description": "The same in repetitions, and as webhook-id."},
        "source": {"type": "string", "format": "uri-reference"},
        "type": {"const": kind},
        "subject": {"type": "string", "description": "The order or SKU that it is about."},
        "datacontenttype": {"const": "application/json"},
        "dataschema": {"const": f"/schemas/{kind}.json"},
        "data": data,
    }
    required = [name for name in attributes if name != "subject"]
    event = {"type": "object", "properties": attributes, "required": required}
    return {
        "tags": ["Own site"],
        "description": str(TYPES[kind].__doc__),
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}} for name in _HEADERS
        ],
        "requestBody": {"required": True, "content": {"application/cloudevents+json": {"schema": event}}},
        "responses": {
            "2XX": {"description": "It was taken, or was before."},
            "410": {"description": "Nothing is to be told any more: the connection is paused."},
            "default": {"description": "It was not taken, and is sent again later, with the same webhook-id."},
        },
    }
