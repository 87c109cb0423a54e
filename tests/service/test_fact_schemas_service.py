"""What facts there are, as the service tells it: over gRPC, over HTTP, page by page, and to whom."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest

from fulfilment.v1 import audit_pb2, common_pb2
from tests.support.edge import edging
from tests.support.http_api import Http
from tests.support.service import Client, Service, fields_of, reason_of, refused
from tests.support.stored_events import REGISTRY


def schemas(client: Client, name: str = "", size: int = 100) -> list[audit_pb2.FactSchema]:
    request = audit_pb2.ListFactSchemasRequest(name=name, page=common_pb2.PageRequest(page_size=size))
    return [each for page in pages(client, request) for each in page.schemas]


def pages(client: Client, request: audit_pb2.ListFactSchemasRequest) -> list[audit_pb2.ListFactSchemasResponse]:
    found = [client.audit.ListFactSchemas(request)]
    while token := found[-1].next_page_token:
        request.page.page_token = token
        found.append(client.audit.ListFactSchemas(request))
    return found


def test_what_the_log_holds_is_valid_by_the_schemas(client: Client):
    client.feed(10)
    client.place("valid")
    by_name = {
        each.name: jsonschema_rs.Draft202012Validator(json.loads(each.json_schema), validate_formats=True)
        for each in schemas(client)
    }
    assert by_name.keys() == REGISTRY.classes.keys()

    stream = client.audit.StreamFacts(audit_pb2.StreamFactsRequest())
    facts = [fact for message in stream for fact in message.facts]
    assert {"supplier.registered", "order.placed", "stock.feed_recorded"} <= {fact.name for fact in facts}
    for fact in facts:
        by_name[fact.name].validate(json.loads(fact.json))


def test_each_says_what_it_means_and_since_when(client: Client):
    (placed,) = schemas(client, "order.placed")
    assert (placed.name, placed.since) == ("order.placed", "0.1.0")
    assert placed.meaning == "A shop sold something: all that was known at that moment."


def test_a_star_stands_for_any_characters_and_nothing_else_does(client: Client):
    of_parcels = [each.name for each in schemas(client, "parcel.*", size=7)]
    assert of_parcels == sorted(name for name in REGISTRY.classes if name.startswith("parcel."))
    assert {each.name for each in schemas(client, "*_missed")} >= {"order.deadline_missed", "case.deadline_missed"}
    for nothing in ("order", "order.?laced", "order.[p]laced", "ORDER.PLACED"):
        assert schemas(client, nothing) == [], nothing


@pytest.mark.parametrize("name", ["order.\n", "o" * 101])
def test_what_is_no_name_is_refused(client: Client, name: str):
    error = refused(client.audit.ListFactSchemas, audit_pb2.ListFactSchemasRequest(name=name))
    assert (reason_of(error), fields_of(error)) == ("MALFORMED", ["name"])


def test_they_are_there_over_http_as_well(service: Service, client: Client):
    with edging(service) as url:
        answer = Http(url).call("ListFactSchemas", audit_pb2.ListFactSchemasRequest(name="order.placed"))
    (placed,) = answer["schemas"]
    assert json.loads(placed["json_schema"])["properties"]["fact"] == {"enum": ["order.placed"]}
