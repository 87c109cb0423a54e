"""The OpenAPI document and the pages about the contract: complete, true to the protos, and without another host."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import EnumDescriptor
from starlette.applications import Starlette
from starlette.testclient import TestClient

from adapters.http_api.comments import comments
from adapters.http_api.openapi import kinds
from adapters.http_api.pages import pages
from adapters.shops.site import schemas
from tests.support import documented
from tests.support.contract import contract_files, refusal_classes
from tests.support.service import context, order
from tests.support.trading import WELL_FORMED

SERVICES = [service for file in contract_files() for service in file.services_by_name.values()]
METHODS = {method.name: method for service in SERVICES for method in service.methods}


@pytest.fixture(scope="module")
def site() -> Iterator[TestClient]:
    with TestClient(Starlette(routes=pages(SERVICES, schemas.openapi()))) as client:
        yield client


@pytest.fixture(scope="module")
def document(site: TestClient) -> Any:
    return site.get("/openapi.json").json()


def test_every_rpc_has_its_path_beside_what_an_own_site_sends(document: Any):
    assert document["openapi"] == "3.1.0"
    rpcs = {f"/v1/{rpc.service}/{name}" for name, rpc in documented.rpcs().items()}
    assert document["paths"].keys() == {*rpcs, "/in/{tenant}/{connection}"}
    ids = [path["post"]["operationId"] for path in document["paths"].values()]
    assert sorted(ids) == sorted([*documented.rpcs(), "TellOfOrder"])


def test_every_reference_leads_somewhere_and_every_schema_is_referred_to(document: Any):
    referred = set(re.findall(r'"\$ref": "#/components/(\w+/[\w.-]+)"', json.dumps(document)))
    there = {f"{part}/{name}" for part in ("schemas", "parameters") for name in document["components"][part]}
    assert referred == there


def test_the_comments_are_those_of_the_protos(document: Any):
    """As protoc reads them, paragraphs aside."""
    said = {name: " ".join(text.split()) for name, text in comments().items()}
    for kind in kinds(METHODS.values()):
        if isinstance(kind, EnumDescriptor):
            scope = kind.containing_type.full_name if kind.containing_type is not None else "fulfilment.v1"
            theirs = {each.name: documented.comments().get(f"{scope}.{each.name}") for each in kind.values}
            if kind.containing_type is None:
                assert theirs == {each.name: said[f"{kind.full_name}.{each.name}"] for each in kind.values}
        else:
            for field in kind.fields:
                assert said[field.full_name] == documented.comments()[field.full_name] != ""
        assert said[kind.full_name]
    assert all(path["post"]["description"] for path in document["paths"].values())


def fits(value: Any, schema: Any, document: Any) -> bool:
    """Whether a value is what a schema says, as far as the document's own schemas go."""
    if "$ref" in schema:
        return fits(value, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    if "enum" in schema:
        return value in schema["enum"]
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if isinstance(value, dict):
        known, more = schema.get("properties", {}), schema.get("additionalProperties")
        return "object" in types and all(
            fits(each, known.get(name, more), document) if name in known or more else False
            for name, each in value.items()
        )
    if isinstance(value, list):
        return "array" in types and all(fits(each, schema["items"], document) for each in value)
    name = {str: "string", bool: "boolean", int: "integer", float: "number"}[type(value)]
    return name in types


@pytest.mark.parametrize("rpc", sorted(documented.rpcs()))
def test_a_well_formed_request_fits_the_schema_of_its_rpc(document: Any, rpc: str):
    kind = descriptor_pool.Default().FindMessageTypeByName(documented.rpcs()[rpc].request)
    asks = {"context": context()} if documented.rpcs()[rpc].is_command else {}
    request = (
        order("1")
        if rpc == "PlaceOrder"
        else message_factory.GetMessageClass(kind)(**{**asks, **WELL_FORMED.get(rpc, {})})
    )
    tree = json_format.MessageToDict(request, preserving_proto_field_name=True)
    (path,) = (each for name, each in document["paths"].items() if name.endswith(f"/{rpc}"))
    schema = path["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert fits(tree, schema, document)
    assert not fits({**tree, "no_such_field": 1}, schema, document)


# --- pages ----------------------------------------------------------------------------------------


def test_whoever_follows_the_links_of_the_pages_sees_every_rpc_and_message(site: TestClient):
    todo, seen = ["/docs"], set[str]()
    while todo:
        path = todo.pop()
        if path in seen or path == "/openapi.json":
            continue
        seen.add(path)
        answer = site.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8"), path
        assert "<h1>" in answer.text
        todo += re.findall(r'href="([^"]+)"', answer.text)
    assert {f"/docs/{rpc}" for rpc in documented.rpcs()} < seen
    assert len(seen) > 300


def test_a_page_needs_no_script_and_no_other_host(site: TestClient):
    for path in ("/docs", "/docs/PlaceOrder", "/docs/Order", "/problems/ORDER_ON_HOLD"):
        answer = site.get(path)
        assert not re.search(r"<script|<link|<img|src=|@import|href=\"(?!/)", answer.text)
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline';")


@pytest.mark.parametrize("path", ["/docs/Nothing", "/problems/NOTHING", "/docs/<script>", "/problems/<script>"])
def test_a_page_that_there_is_none_of_is_a_problem(site: TestClient, path: str):
    answer = site.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "<script>" not in answer.text


def test_the_type_of_every_refusal_is_a_page(site: TestClient):
    for kind in refusal_classes():
        page = site.get(f"/problems/{kind.reason}")
        assert (page.status_code, f"<h1>{kind.reason}</h1>" in page.text) == (200, True)
