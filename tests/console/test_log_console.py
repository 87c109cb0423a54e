"""``fulfilment log``: the facts in their order, filtered, and what facts there are."""

from __future__ import annotations

import json
import re
import signal
import sys

import pytest

from tests.support.service import Service
from tests.support.terminal import Shell, Terminal

LINE = re.compile(r" *(\d+)  (\d{4}-\d\d-\d\d \d\d:\d\dZ)  (\S+)  (\S+)  (\S+)(  .+)?")


@pytest.fixture
def placed(ff: Shell, acme: None) -> str:
    ff("place", "--channel", "shop", "--id", "L1", "--line", "TEA:2:9.90:acme", "--currency", "EUR", "--paid")
    return "shop/L1"


def test_a_fact_is_a_line(ff: Shell, placed: str):
    lines = [LINE.fullmatch(line) for line in ff("log").out.splitlines()]
    found = [line.groups() for line in lines if line is not None]
    assert len(found) == len(lines)
    assert [int(position) for position, *_ in found] == list(range(1, len(found) + 1))
    (first,) = (line for line in found if line[3] == "order.placed")
    assert (first[2], first[4], "2 TEA" in first[5]) == ("order-shop/L1", "console", True)


def test_the_filters_select(ff: Shell, placed: str):
    def names(*options: str) -> set[str]:
        return {line.split()[4] for line in ff("log", *options).out.splitlines()}

    assert "order.placed" in names("--order", placed)
    assert names("--order", placed, "--name", "order.pl*", "--name", "stock.*") == {"order.placed"}
    assert names("--stream", "supplier-") >= {"supplier.registered"}
    assert all(name.startswith("supplier.") for name in names("--stream", "supplier-", "--client", "console"))
    assert names("--client", "nobody") == names("--until", "2020-01-01") == names("--since", "2999-01-01") == set()
    assert len(ff("log", "--after", "1").out.splitlines()) == len(ff("log").out.splitlines()) - 1


def test_what_is_not_there_is_said_and_what_may_be_to_come_is_waited_for(ff: Shell, service: Service, placed: str):
    assert "UNKNOWN_ORDER" in ff("order", "confirm", "shop/L2").err, "a refusal is recorded"
    nothing = ff("log", "--order", "shop/L2")
    assert (nothing.code, nothing.out) == (1, "")
    assert "there is no order shop/L2; " in nothing.err
    assert "--follow waits for it, and a refusal is no fact [UNKNOWN_ORDER]" in nothing.err
    assert "no fact has the name order.plcd; fulfilment log schemas" in ff("log", "--name", "order.plcd").err
    for options in (("--since", "2999-01-01"), ("--name", "case.*"), ("--until", "2020-01-01")):
        found = ff("log", "--order", placed, *options)
        assert (found.code, found.out) == (0, ""), "nothing of an order that there is"
    following = Terminal(service.address).start("log", "--order", "shop/L3", "--follow")
    try:
        ff("place", "--channel", "shop", "--id", "L3", "--line", "TEA:1:9.90:acme", "--currency", "EUR", "--paid")
        assert following.stdout is not None
        assert "order-shop/L3" in following.stdout.readline()
    finally:
        following.kill()
        following.communicate()


def test_as_json_each_line_is_a_fact_with_all_that_is_stored(ff: Shell, placed: str):
    (line,) = ff("log", "--order", placed, "--name", "order.placed", "--json").out.splitlines()
    fact = json.loads(line)
    assert (fact["stream"], fact["name"], fact["json"]["lines"][0]["sku"]) == ("order-shop/L1", "order.placed", "TEA")


def test_a_narrow_terminal_cuts_lines_off(ff: Shell, placed: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    shown = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in ff("log").out.splitlines()]
    assert len(shown) == ff("status", "--json").json["position"]
    assert max(map(len, shown)) == 80
    assert any(line.endswith("…") for line in shown)


def test_it_follows_until_it_is_stopped(service: Service, ff: Shell, placed: str):
    process = Terminal(service.address).start("log", "--follow", "--order", placed, "--name", "order.placed", "--json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["stream"] == "order-shop/L1"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, json.loads(err)["error"]["reason"]) == (130, "", "STOPPED")


@pytest.mark.parametrize("option", ["--order", "--stream", "--name", "--client"])
def test_an_empty_filter_does_not_list_everything(ff: Shell, placed: str, option: str):
    ended = ff("log", option, "")
    assert (ended.code, ended.out) == (2, "")
    assert f"'{option}': it is empty; give it a value or leave it out" in ended.err


def test_that_no_fact_matches_is_said_beside_the_answer(ff: Shell, placed: str):
    nothing = ff("log", "--stream", "nowhere-")
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "No fact matches.\n")
    assert ff("log", "--stream", "nowhere-", "--json").err == ""
    assert ff("log", "--order", placed).err == ""


@pytest.mark.parametrize(
    "wrong", [("--order", "nonsense"), ("--since", "soon"), ("--after", "-1"), ("--after", "1.5")], ids=str
)
def test_what_is_no_filter_is_said_so(ff: Shell, wrong: tuple[str, str]):
    ended = ff("log", *wrong)
    assert ended.code in (1, 2)
    assert wrong[1] in ended.err
    assert ended.out == ""


def test_a_position_that_is_none_is_said_in_plain_words(ff: Shell):
    assert "'--after': '' is not a whole number" in ff("log", "--after", "").err


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
