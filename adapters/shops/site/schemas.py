"""The documents of an own site as JSON Schema: each by itself, and as a part of the OpenAPI document."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from adapters.shops.site.documents import KINDS

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
    """The schema of each kind by its file name, whole in itself."""
    return {
        file_name(kind): msgspec.json.encode(
            {"$schema": _DIALECT, "$id": f"/schemas/{file_name(kind)}", **msgspec.json.schema(document)}
        )
        for kind, document in KINDS.items()
    }


def openapi() -> dict[str, Any]:
    """What the OpenAPI document says of it, beside the contract."""
    documents, schemas = msgspec.json.schema_components(KINDS.values(), ref_template="#/components/schemas/{name}")
    body = {"oneOf": list(documents)}
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
        "components": {"schemas": schemas},
    }
