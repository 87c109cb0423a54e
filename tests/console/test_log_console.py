"""``fulfilment log``: what facts there are."""

from __future__ import annotations

from tests.support.terminal import Shell


def test_it_lists_the_facts_with_what_they_mean(ff: Shell):
    listed = ff("log", "schemas")
    assert "order.placed" in listed.out
    assert "A shop sold something" in listed.out
    of_parcels = ff("log", "schemas", "parcel.*").out.splitlines()
    assert len(of_parcels) > 10
    assert all(line.startswith("parcel.") for line in of_parcels[1:])


def test_one_fact_is_shown_with_its_fields(ff: Shell):
    shown = ff("log", "schemas", "order.units_cancelled").out
    assert shown.startswith("order.units_cancelled  since 0.1.0")
    assert "units by line number" in shown
    assert "required" in shown


def test_as_json_one_is_its_schema_and_several_are_a_list(ff: Shell):
    one, several = ff("log", "schemas", "order.placed", "--json").json, ff("log", "schemas", "order.*", "--json").json
    assert one["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert one in several


def test_a_fact_that_there_is_not_is_said_so(ff: Shell):
    unknown = ff("log", "schemas", "order.unheard_of")
    assert (unknown.code, unknown.err) == (
        1,
        "Error: no fact has the name order.unheard_of; fulfilment log schemas lists them all [UNKNOWN_FACT]\n",
    )
