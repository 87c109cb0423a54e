"""Order files at the console: columns that are kept, what a second run does, and rows that come back mended."""

from __future__ import annotations

import csv
import os
import stat
from pathlib import Path
from unittest.mock import patch

import pytest

from adapters.console.terminal import batches
from adapters.console.terminal.client import ConsoleClient, Unreachable
from fulfilment.v1 import audit_pb2, orders_pb2
from tests.support import excel
from tests.support.service import Service
from tests.support.terminal import CommandResult, Console
from tests.support.waiting import wait_for

HEADINGS = "Order No.,SKU,Qty,Price,Email,Name,Address,City,Country,Paid"
PERSON = "ann@example.org,Ann Example,1 Elm Street,Berlin,Germany,paid"


@pytest.fixture(scope="module")
def ff(service: Service) -> Console:
    return Console(service.address)


def written(path: Path, *lines: str) -> str:
    path.write_text("\n".join((HEADINGS, *lines)) + "\n")
    return str(path)


def imported(ff: Console, source: str, connection: str, *more: str) -> CommandResult:
    return ff("order", "import", source, "--connection", connection, "--yes", *more)


def order(client, order_id):
    asked = orders_pb2.GetOrderRequest(order_id=order_id, with_personal_data=True)
    return client.orders.GetOrder(asked).order


def test_a_file_is_looked_at_imported_and_changes_nothing_again(ff: Console, client, tmp_path: Path):
    source = written(
        tmp_path / "orders.csv", f"1001,TEA,2,9.90,{PERSON}", "1001,CUP,1,5.00", f"1002,TEA,1,9.90,{PERSON}"
    )
    looked = imported(ff, source, "one", "--map", "currency==EUR", "--dry-run")
    assert looked.code == 0, looked.err
    assert "3 rows, 2 orders: nothing was sent, 0 not taken." in looked.out
    assert "one" not in ff("connection", "list").out
    first = imported(ff, source, "one", "--map", "currency==EUR")
    assert (first.code, first.out.splitlines()[-1]) == (
        0,
        "3 rows, 2 orders: 2 recorded, 0 known already, 0 not taken.",
    )
    known = order(client, "one/1001")
    assert [(each.line.sku, each.line.quantity, each.line.unit_price_minor) for each in known.lines] == [
        ("TEA", 2, 990),
        ("CUP", 1, 500),
    ]
    assert (known.ship_to.country, known.customer.name, known.currency) == ("DE", "Ann Example", "EUR")
    # The columns are kept: nobody is asked or shown them again.
    again = ff("order", "import", source, "--connection", "one")
    assert (again.code, again.out) == (0, "3 rows, 2 orders: 0 recorded, 2 known already, 0 not taken.\n")


def test_columns_that_are_not_known_are_named_each_time_also_for_programs(ff: Console, tmp_path: Path):
    source = tmp_path / "orders.csv"
    source.write_text(f"{HEADINGS},Colour,Shelf\n1501,TEA,2,9.90,{PERSON},red,7\n")
    for _ in range(2):
        assert "Not used: Colour, Shelf" in imported(ff, str(source), "colours", "--map", "currency==EUR").out
    assert imported(ff, str(source), "colours", "--json").json["unused"] == ["Colour", "Shelf"]


@pytest.mark.parametrize(
    ("headings", "why"),
    [
        (HEADINGS.replace("Qty", "Quantiy"), "its column 'Quantiy' is none that is known; did you mean quantity?"),
        (HEADINGS.replace("Address", "Ship Adress 1"), "did you mean address? Say --map 'address=Ship Adress 1', or"),
        (HEADINGS.replace("Price", "sku"), "several of its columns are called 'SKU'; give each a name of its own"),
    ],
)
def test_a_heading_that_is_misspelt_or_stands_twice_is_no_guess(ff: Console, tmp_path: Path, headings: str, why: str):
    source = tmp_path / "orders.csv"
    source.write_text(f"{headings}\n1601,TEA,2,9.90,{PERSON}\n")
    result = imported(ff, str(source), "unclear", "--map", "currency==EUR")
    assert (result.code, why in result.err) == (1, True), result.err
    assert "unclear" not in ff("connection", "list").out


def test_a_column_that_is_called_nearly_as_usual_can_be_read_or_left_out(ff: Console, client, tmp_path: Path):
    source = tmp_path / "orders.csv"
    source.write_text(f"{HEADINGS},Notte\n1701,TEA,2,9.90,{PERSON},ring twice\n")
    assert imported(ff, str(source), "left-out", "--map", "currency==EUR", "--map", "note==").code == 0
    assert imported(ff, str(source), "read", "--map", "currency==EUR", "--map", "note=Notte").code == 0
    assert [order(client, f"{name}/1701").note for name in ("left-out", "read")] == ["", "ring twice"]


def test_rows_that_are_not_taken_come_back_with_their_reason_and_can_be_mended_there(
    ff: Console, client, tmp_path: Path
):
    source = written(
        tmp_path / "orders.csv",
        f"2001,TEA,1,9.90,{PERSON}",
        f"2002,TEA,lots,9.90,{PERSON}",
        f"2003,=HYPERLINK(1),1,9.90,{PERSON}",
        f"2003,TEA,2000000,9.90,{PERSON}",
    )
    errors = tmp_path / "errors.csv"
    result = imported(ff, source, "two", "--map", "currency==EUR", "--errors", str(errors))
    assert result.code == 1
    assert "4 rows, 3 orders: 1 recorded, 0 known already, 2 not taken." in result.out
    assert "row 3, order 2002: row 3, Qty: 'lots' is no whole number" in result.out
    assert "row 4, order 2003: row 5, quantity: 2000000 is not between 0 and 1000000 [MALFORMED]" in result.out
    assert stat.S_IMODE(errors.stat().st_mode) == 0o600
    rows = list(csv.reader(errors.read_text().splitlines()))
    assert rows[0] == ["row", "why", *HEADINGS.split(",")]
    assert [row[0] for row in rows[1:]] == ["3", "4", "5"]
    assert rows[2][3] == "'=HYPERLINK(1)"
    mended = tmp_path / "mended.csv"
    mended.write_text(errors.read_text().replace("lots", "3").replace("2000000", "2"))
    again = ff("order", "import", str(mended), "--connection", "two")
    assert "3 rows, 2 orders: 2 recorded, 0 known already, 0 not taken." in again.out, again.out
    assert [each.line.sku for each in order(client, "two/2003").lines] == ["=HYPERLINK(1)", "TEA"]


def test_an_order_that_a_file_has_otherwise_than_before_is_not_placed_twice(ff: Console, tmp_path: Path):
    imported(ff, written(tmp_path / "a.csv", f"3001,TEA,1,9.90,{PERSON}"), "three", "--map", "currency==EUR")
    result = ff("order", "import", written(tmp_path / "b.csv", f"3001,TEA,2,9.90,{PERSON}"), "--connection", "three")
    assert result.code == 1
    assert "[ORDER_PLACED_DIFFERENTLY]" in result.out


def test_columns_that_are_kept_are_changed_by_saying_them_and_used_by_every_kind_of_file(
    ff: Console, client, tmp_path: Path
):
    imported(ff, written(tmp_path / "a.csv", f"4001,TEA,1,9.90,{PERSON}"), "four", "--map", "currency==EUR")
    sheet = excel.written(
        tmp_path / "b.xlsx",
        [
            HEADINGS.replace("Price", "Unit").split(","),
            [4002, "TEA", 2, 9.9, "bo@example.org", "Bo", "2 Oak", "Wien", "Austria", True],
        ],
    )
    lacks = ff("order", "import", str(sheet), "--connection", "four")
    assert (lacks.code, lacks.out) == (1, "")
    assert "it has no column 'Price' (price); it has Order No., SKU" in lacks.err
    changed = imported(ff, str(sheet), "four", "--map", "price=Unit", "--set", "zone=Europe/Vienna", "--json")
    assert changed.json["applied"] == 1, changed.out
    assert order(client, "four/4002").lines[0].line.unit_price_minor == 990
    (kept,) = (each for each in ff("connection", "list", "--json").json if each["name"] == "four")
    assert kept["settings"]["price"] == "Unit"
    assert kept["settings"]["zone"] == "Europe/Vienna"
    assert "no delivery" not in ff("connection", "test", "four").out


def test_an_import_that_was_cut_off_goes_on_where_it_stopped(ff: Console, tmp_path: Path):
    source = written(tmp_path / "orders.csv", *(f"{number},TEA,1,9.90,{PERSON}" for number in range(5001, 5013)))
    imported(ff, source, "five", "--map", "currency==EUR", "--dry-run")
    real, calls = ConsoleClient.call, []

    def failing(self, method, request, *rest):
        if getattr(request, "commands", None) and request.commands[0].HasField("place_order"):
            calls.append(len(request.commands))
            if len(calls) == 3:
                raise Unreachable("nobody answers")
        return real(self, method, request, *rest)

    with patch.object(batches, "COMMANDS_A_BATCH", 2), patch.object(ConsoleClient, "call", failing):
        cut = imported(ff, source, "five", "--map", "currency==EUR")
    assert (cut.code, "run the same command again" in cut.err) == (3, True)
    whole = ff("order", "import", source, "--connection", "five")
    counts = whole.out.split(": ")[-1]
    assert whole.code == 0
    assert "0 not taken" in counts
    assert not counts.startswith("12 recorded")
    assert "0 recorded, 12 known" in ff("order", "import", source, "--connection", "five").out


def test_a_file_that_is_broken_is_imported_up_to_there(ff: Console, tmp_path: Path):
    source = written(tmp_path / "a.csv", f"8001,TEA,1,9.90,{PERSON}", f"8002,TEA,1,9.90,{PERSON}", '8003,"TEA,1,9.90')
    result = imported(ff, source, "eight", "--map", "currency==EUR")
    assert result.code == 1
    assert "1 rows, 1 orders: 1 recorded" in result.out  # the second may go on behind it
    assert "row 4 has no CSV" in result.err


def test_a_template_is_written_and_taken_back(ff: Console, tmp_path: Path):
    new = tmp_path / "new.csv"
    assert ff("order", "import", "--template", str(new)).code == 0
    assert "1 rows, 1 orders: 1 recorded" in imported(ff, str(new), "six").out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--connection", "x"), "Missing FILE"),
        (("/nowhere.csv", "--connection", "x"), "there is no such file"),
        ((os.devnull, "--connection", "x", "--map", "price"), "is not NAME=VALUE"),
        ((os.devnull, "--connection", "x", "--map", "prize=Price"), "'prize' is not one of order, placed_at"),
        ((os.devnull, "--connection", "x", "--set", "colour=red"), "'colour' is not one of channel, dates"),
    ],
)
def test_what_cannot_be_imported_is_said_in_a_sentence(ff: Console, arguments: tuple[str, ...], why: str):
    result = ff("order", "import", *arguments)
    assert result.code in (1, 2)
    assert why in result.err


def test_an_unusable_setting_is_refused_before_anything_is_sent(ff: Console, tmp_path: Path):
    source = written(tmp_path / "a.csv", f"7001,TEA,1,9.90,{PERSON}")
    result = imported(ff, source, "seven", "--map", "currency==EUR", "--set", "dates=american")
    assert result.code == 1
    assert "dates is one of" in result.err
    assert "seven" not in ff("connection", "list").out


# --- out again ------------------------------------------------------------------------------------

RICH = """\
order,placed_at,currency,sku,quantity,price,line_total,title,line_id,hs_code,origin,weight_grams,customer,email,phone,\
address,address_2,city,region,postal_code,country,payment,shipping,discount,tax,note,tags,language,priority,promised_day,\
incoterm
2026/17 b,2026-01-05T09:00:00Z,EUR,TEA,3,3.33,10.00,"Tea, green",L-1,090210,CN,100,Ann Example,ann@example.org,\
+49 30 1234567,1 Elm Street,Door 7,Berlin,BE,10115,DE,paid,4.90,-1.00,0.50,"Ring
twice",vip,de,express,2026-01-12,DDP
2026/17 b,,,CUP,1,5.00
#8,2026-01-06T10:30:00Z,JPY,CUP,2,500,,,,,,,Bo,bo@example.org,,2 Oak,,Osaka,,,JP,pending
9,2026-01-07T10:30:00+01:00,KWD,=TEA,2,1.2500,,,,,,,Cy,cy@example.org,,3 Ash,,Kuwait,,,KW,paid
"""


def exported(ff: Console, path: Path, *more: str) -> CommandResult:
    return ff("order", "export", "--to", str(path), *more)


def test_what_was_imported_comes_out_again_equal(ff: Console, client, tmp_path: Path):
    (tmp_path / "in.csv").write_text(RICH)
    first = imported(ff, str(tmp_path / "in.csv"), "rich")
    assert "4 rows, 3 orders: 3 recorded" in first.out, first.out
    before = len(client.audit.ListReads(audit_pb2.ListReadsRequest(order_id="rich/9")).reads)
    wait_for(lambda: "3 orders written" in exported(ff, tmp_path / "out.csv", "--connection", "rich").out)
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o600
    assert not (tmp_path / "out.csv.part").exists()
    assert len(client.audit.ListReads(audit_pb2.ListReadsRequest(order_id="rich/9")).reads) > before
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines(keepends=True)))
    assert [row["order"] for row in rows].count("2026/17 b") == 2
    again = ff("order", "import", str(tmp_path / "out.csv"), "--connection", "rich")
    assert again.out == "4 rows, 3 orders: 0 recorded, 3 known already, 0 not taken.\n"
    # In all columns of the template it says the same.
    assert exported(ff, tmp_path / "all.csv", "--channel", "rich").code == 0
    again = imported(ff, str(tmp_path / "all.csv"), "other", "--set", "channel=rich")
    assert "3 orders: 0 recorded, 3 known already, 0 not taken." in again.out, again.out


def test_an_export_writes_as_its_connection_reads_and_names_what_its_columns_cannot_say(ff: Console, tmp_path: Path):
    source = written(tmp_path / "a.csv", f'8001,TEA,1,"9,90",{PERSON}', f'8002,TEA,2,"4,50",{PERSON}')
    imported(ff, source, "comma", "--map", "currency==EUR", "--set", "decimal=comma")
    ff("place", "--channel", "comma", "--id", "8003", "--line", "TEA:1:9.90", "--currency", "USD", "--paid")
    out = ("--connection", "comma")
    wait_for(lambda: "1 left out" in exported(ff, tmp_path / "out.csv", *out).out)
    result = exported(ff, tmp_path / "out.csv", *out)
    assert (result.code, result.out.splitlines()[1:]) == (
        1,
        ["comma/8003: its currency is 'USD', and that of all rows is 'EUR'"],
    )
    assert not (tmp_path / "out.csv.part").exists()
    assert min((tmp_path / "out.csv").read_text().splitlines()[1:]).startswith('8001,TEA,1,"9,90",Ann')
    again = ff("order", "import", str(tmp_path / "out.csv"), "--connection", "comma")
    assert again.out == "2 rows, 2 orders: 0 recorded, 2 known already, 0 not taken.\n"


def test_an_export_asks_for_one_place_and_leaves_nothing_where_it_cannot_be_written(ff: Console, tmp_path: Path):
    assert exported(ff, tmp_path / "x.csv").code == 2
    assert "there is no connection nobody" in exported(ff, tmp_path / "x.csv", "--connection", "nobody").err
    result = exported(ff, tmp_path / "no" / "x.csv", "--channel", "one")
    assert (result.code, "cannot be written" in result.err) == (1, True)
    assert list(tmp_path.iterdir()) == []
