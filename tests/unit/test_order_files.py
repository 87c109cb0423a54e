"""Order files: any usual encoding and form of amounts and days, what rows mean, and files that nobody should open."""

from __future__ import annotations

import struct
import tracemalloc
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.order_files import tables, values
from adapters.order_files.columns import COLUMNS, guessed
from adapters.order_files.orders import BadMapping, FileOrder, Places, orders, request_id, template
from adapters.order_files.tables import BadTable, FileRow, table
from adapters.shops.order_files import OrderFiles
from fulfilment.v1 import orders_pb2
from tests.support import excel


def rows_of(path: Path, **said: str) -> list[FileRow]:
    with table(path, **said) as found:
        return list(found.rows)


def read(path: Path, options: Mapping[str, str] | None = None, **mapping: str) -> list[FileOrder]:
    with table(path) as found:
        return list(orders(found.rows, Places(found.columns, guessed(found.columns) | mapping), "web", options or {}))


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


# --- tables ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "订单号,数量,Größe\n1,茶,2\n"),
        ("utf-8-sig", "订单号,数量\n1,茶\n"),
        ("utf-16", "订单号,数量\n1,茶\n"),
        ("utf-16-le", "order,Größe\n1,2\n"),
        ("utf-16-be", "order,Größe\n1,2\n"),
        ("gb18030", "订单号,收货人,商品编码,数量\n1,张三,绿茶,2\n"),
        ("big5", "訂單,收件人,sku,數量\n1,陳小姐,茶葉,2\n"),
        ("shift_jis", "注文番号,お客様,数量\n1,山田さくら,2\n"),
        ("cp1252", "Bestellnummer;Empfänger;Größe\n1;Müller;3 €\n"),
        ("cp1252", "Pedido;Ciudad\n1;A Coruña\n2;São Paulo\n"),
        ("cp1252", "Pedido;Nombre\n1;María Muñoz Núñez\n2;João Conceição\n"),
        ("cp1252", "Commande;Nom\n1;François Lefèvre\n2;Chloé Où\n"),
        ("cp1252", "Ordre;Navn\n1;Åse Sørensen\n2;Ærø\n"),
        ("cp1250", "Zamówienie;Miasto\n1;Łódź\n2;Białystok\n"),
        ("cp1250", "Objednávka;Jméno\n1;Jiří Dvořák\n"),
        ("cp1254", "Sipariş;Şehir\n1;Çağrı Yıldız\n"),
        ("cp1251", "Заказ;Город\n1;Москва\n"),
    ],
)
def test_the_encoding_and_what_stands_between_cells_are_found(tmp_path: Path, encoding: str, text: str):
    path = written(tmp_path / "orders.csv", text, encoding)
    between = ";" if ";" in text else ","
    with table(path) as found:
        assert found.columns == text.split("\n")[0].split(between)
        assert [list(row.cells) for row in found.rows] == [line.split(between) for line in text.split("\n")[1:-1]]


def test_an_encoding_that_is_said_goes_before_what_is_found(tmp_path: Path):
    path = written(tmp_path / "orders.csv", "Objednávka;Jméno\n1;Dvořák\n", "cp1250")
    assert list(rows_of(path, encoding="cp1250")[0].cells) == ["1", "Dvořák"]
    with pytest.raises(BadTable, match="no encoding"):
        rows_of(path, encoding="utf-99")


def test_a_zero_byte_makes_no_other_encoding_of_a_file(tmp_path: Path):
    path = written(tmp_path / "orders.csv", "order,sku,Größe\n1,T\0EA,3\n")
    assert list(rows_of(path)[0].cells) == ["1", "T\0EA", "3"]


def test_a_file_that_ends_in_another_encoding_is_read_up_to_there(tmp_path: Path):
    path = tmp_path / "orders.csv"
    path.write_bytes(b"order,name\n" + b"1,Ann\n" * 2_000 + b"2,\xff\n")
    with table(path, encoding="utf-8") as found, pytest.raises(BadTable, match="not in utf-8 all through"):
        list(found.rows)


def test_rows_are_counted_as_a_spreadsheet_counts_them(tmp_path: Path):
    path = written(tmp_path / "orders.csv", 'sep=|\norder|note\n1|"two\nlines"\n\n2|x\n')
    assert [(row.number, list(row.cells)) for row in rows_of(path)] == [
        (3, ["1", "two\nlines"]),
        (4, []),
        (5, ["2", "x"]),
    ]


def test_excel_cells_are_numbers_times_and_text_wherever_the_table_begins(tmp_path: Path):
    at = datetime.fromisoformat("2026-01-05T09:30")
    sheet = excel.written(
        tmp_path / "orders.xlsx", [[None], [None, "Order", "Date"], [None, 1001, at], [None, "=A1", None]]
    )
    with table(sheet) as found:
        assert (found.columns, found.what) == (["Order", "Date"], "Excel, its sheet 'Orders'")
        assert [(row.number, list(row.cells)) for row in found.rows] == [(3, [1001.0, at]), (4, ["=A1", ""])]
    with pytest.raises(BadTable, match="no sheet 'Other'; there are Orders"):
        rows_of(sheet, sheet="Other")


# --- files that nobody should open ----------------------------------------------------------------


def test_an_archive_that_unpacks_to_gigabytes_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "_MOST_UNPACKED_BYTES", 1 << 22)
    bomb = excel.written(tmp_path / "bomb.xlsx", [["order"]], more=" " * (1 << 23))
    assert bomb.stat().st_size < 1 << 16
    with pytest.raises(BadTable, match="unpacks to more than"):
        rows_of(bomb)
    # It says of itself that it is small.
    raw = bytearray(bomb.read_bytes())
    for name in (b"PK\x01\x02", b"PK\x03\x04"):
        place = raw.index(b"xl/worksheets") if name == b"PK\x03\x04" else raw.rindex(b"xl/worksheets")
        header = raw.rindex(name, 0, place)
        struct.pack_into("<I", raw, header + (24 if name == b"PK\x01\x02" else 22), 100)
    bomb.write_bytes(raw)
    with pytest.raises(BadTable, match="cannot be unpacked"):
        rows_of(bomb)


def test_a_sheet_with_one_cell_far_away_takes_no_memory_for_all_between(tmp_path: Path):
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    with pytest.raises(BadTable, match="reach to row 1,048,576 and column 16,384"):
        rows_of(excel.written(tmp_path / "far.xlsx", [["order"], [1]], more=far))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "before 2007, or protected"),
        (b"PK\x03\x04" + b"\0" * 600, "cannot be unpacked"),
        (b"", "it is empty"),
        (b"\n\n\n", "it is empty"),
        (b"order," + b"x" * (1 << 20), "a line is longer"),
        (b"order" + b"," * 1500, "1,501 columns"),
    ],
)
def test_what_is_no_table_is_said_in_a_sentence(tmp_path: Path, content: bytes, why: str):
    path = tmp_path / "orders"
    path.write_bytes(content)
    with pytest.raises(BadTable, match=why):
        rows_of(path)


@pytest.mark.parametrize("cell", ['"' + "x\n" * 70_000, '"1 Elm Street', '"a"b'], ids=["long", "at the end", "within"])
def test_nothing_is_read_from_a_broken_quotation_mark_on(tmp_path: Path, cell: str):
    path = written(tmp_path / "orders.csv", f"order,note\n1,a\n2,b\n3,{cell}\n4,c\n")
    with table(path) as found:
        rows = orders(found.rows, Places(found.columns, guessed(found.columns)), "web", {})
        assert next(rows).number == "1"
        with pytest.raises(BadTable, match=r"row 4 has .*; mend its quotation marks"):
            next(rows)  # the second may go on behind it


def test_a_large_file_is_read_in_little_memory(tmp_path: Path):
    path = written(
        tmp_path / "orders.csv", "order,sku,quantity,note\n" + "".join(f"{n},TEA,1,{'x' * 3000}\n" for n in range(1000))
    )
    tracemalloc.start()
    try:
        with table(path) as found:
            count = sum(1 for _ in orders(found.rows, Places(found.columns, guessed(found.columns)), "web", {}))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 1000
    assert most < path.stat().st_size


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_spoilt_excel_file_is_read_or_refused_in_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
):
    path = tmp_path_factory.mktemp("spoilt") / "orders.xlsx"
    raw = bytearray(excel.written(path, [["order", "sku"], [1, "TEA"]]).read_bytes())
    with zipfile.ZipFile(path) as packed:
        sheet = packed.read("xl/worksheets/sheet1.xml")
    if data.draw(st.booleans()):
        for _ in range(data.draw(st.integers(1, 5))):
            raw[data.draw(st.integers(4, len(raw) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(raw[: data.draw(st.sampled_from([len(raw), len(raw) // 2]))])
    else:
        spoilt = bytearray(sheet)
        for _ in range(data.draw(st.integers(1, 5))):
            spoilt[data.draw(st.integers(0, len(sheet) - 1))] = data.draw(st.sampled_from(b'<>&"9A\0\xff'))
        excel.written(path, [], more=spoilt.decode("latin-1"))
    try:
        with table(path) as found:
            list(orders(found.rows, Places(found.columns, {"order": found.columns[0]}), "web", {}))
    except (BadTable, BadMapping):
        return


@settings(max_examples=150, deadline=None)
@given(raw=st.one_of(st.binary(max_size=300), st.text('order,;\t|"\n\r\0é茶1', max_size=300).map(str.encode)))
def test_any_bytes_are_a_table_or_refused_in_a_sentence(tmp_path_factory: pytest.TempPathFactory, raw: bytes):
    path = tmp_path_factory.mktemp("any") / "orders.csv"
    path.write_bytes(raw)
    try:
        with table(path) as found:
            list(orders(found.rows, Places(found.columns, {"order": found.columns[0]}), "web", {}))
    except (BadTable, BadMapping):
        return


# --- which column is what -------------------------------------------------------------------------


HEADINGS = {
    "Shopify": """
        Name,Email,Financial Status,
        Currency,Shipping,Discount Amount,Created at,Lineitem quantity,
        Lineitem name,Lineitem price,Lineitem sku,Shipping Name,Shipping Street,Shipping City,Shipping Zip,
        Shipping Province,
        Shipping Country,Shipping Phone,Notes""",
    "Amazon": """
        amazon-order-id,order-item-id,purchase-date,buyer-email,buyer-name,sku,product-name,quantity-purchased,
        currency,item-price,recipient-name,ship-address-1,ship-address-2,ship-city,ship-state,
        ship-postal-code,ship-country""",
    "Chinese": """订单编号,下单时间,商品编码,商品名称,数量,单价,币种,收货人,联系电话,收货地址,
        城市,省份,邮编,国家,买家留言""",
    "German": """Bestell-Nr.,Bestelldatum,Artikel-Nr.,Bezeichnung,Menge,Einzelpreis,Währung,Empfänger,E-Mail,Straße,
        PLZ,Ort,Land,Bemerkung""",
}
KNOWN = {
    "Shopify": """order email payment currency shipping discount placed_at quantity title price sku customer address
        city postal_code region country phone note""",
    "Amazon": """
        order line_id placed_at email sku title quantity currency line_total customer address address_2
        city region postal_code country""",
    "Chinese": """order placed_at sku title quantity price currency customer phone address city region postal_code
        country note""",
    "German": """order placed_at sku title quantity price currency customer email address postal_code city country
        note""",
}


@pytest.mark.parametrize("whose", list(HEADINGS))
def test_usual_headings_are_known(whose: str):
    headings = [each.strip() for each in HEADINGS[whose].split(",")]
    assert guessed(headings).keys() == set(KNOWN[whose].split())


def test_the_template_needs_no_mapping_and_its_example_is_an_order(tmp_path: Path):
    headings, example = template()
    assert guessed(headings) == {name: name for name in COLUMNS}
    (order,) = read(written(tmp_path / "new.csv", ",".join(headings) + "\n" + ",".join(example) + "\n"))
    assert order.request is not None
    assert order.request.payment == orders_pb2.PAYMENT_STATE_PAID


def test_a_mapping_of_columns_that_are_not_there_says_which_there_are():
    with pytest.raises(BadMapping, match=r"no column 'SKU' \(sku\); it has Order, Qty"):
        Places(["Order", "Qty"], {"order": "order", "sku": "SKU"})
    with pytest.raises(BadMapping, match="which column has the order's number"):
        Places(["Order", "Qty"], {"quantity": "Qty"})


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({}, "order is not said"),
        ({"order": "No", "dates": "american"}, "dates is one of"),
        ({"order": "No", "decimal": "."}, "decimal is point or comma"),
        ({"order": "No", "delimiter": ";;"}, "one character"),
        ({"order": "No", "zone": "Mars/Base"}, "no time zone"),
    ],
)
def test_a_connection_of_files_keeps_only_what_can_be_used(wrong: dict[str, str], why: str):
    with pytest.raises(ValueError, match=why):
        OrderFiles().checked(wrong)


# --- what cells mean ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "minor"),
    [
        *(("9.90", 990), ("9,90", 990), ("1.234,50", 123450), ("1,234.50", 123450), ("1'234.50", 123450)),
        *(("€ 9,90", 990), ("9.90 EUR", 990), ("1\u00a0234,5", 123450), ("1.234.567", 123456700), ("-5,00", -500)),
        *(("(5.00)", -500), ("0.5", 50), (".5", 50), (9.9, 990), (1.1 + 2.2, 330), (7, 700), ("￥12", 1200)),
    ],
)
def test_amounts_are_read_as_people_and_spreadsheets_write_them(written: object, minor: int):
    assert values.amount_minor(written, "EUR", "") == minor  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "why"),
    [
        *(("12,345", "say decimal=point or decimal=comma"), ("9.999", "may be thousands"), ("9.9999", "more digits")),
        *(
            ("abc", "is no amount"),
            ("1e5", "is no amount"),
            ("--5", "is no amount"),
            ("1" * 30, "no amount that can be"),
        ),
        *(("NaN", "is no amount"), (float("inf"), "that can be"), (True, "is no amount"), ("", "is no amount")),
    ],
)
def test_an_amount_that_is_none_or_may_be_two_is_not_guessed(written: object, why: str):
    with pytest.raises(ValueError, match=why):
        values.amount_minor(written, "EUR", "")  # type: ignore[arg-type]


def test_what_a_connection_says_of_decimals_ends_all_doubt():
    assert values.amount_minor("12,345", "EUR", "point") == 1234500
    assert values.amount_minor("12,340", "KWD", "comma") == 12340
    assert values.amount_minor("1980", "JPY", "") == 1980
    with pytest.raises(ValueError, match="decimal mark elsewhere"):
        values.amount_minor("1.234,50", "EUR", "point")


@pytest.mark.parametrize(
    ("written", "dates", "day"),
    [
        *(("2026-01-05", "", "2026-01-05"), ("2026/1/5 9:05", "", "2026-01-05"), ("2026年1月5日", "", "2026-01-05")),
        *(("05.01.2026", "", "2026-01-05"), ("5.1.26", "", "2026-01-05"), ("1/5/2026", "mdy", "2026-01-05")),
        *(("05/01/2026 09:30", "dmy", "2026-01-05"), (datetime.fromisoformat("2026-01-05T09:30"), "", "2026-01-05")),
        ("2026-01-05T23:00:00-05:00", "", "2026-01-05"),
    ],
)
def test_days_are_read_in_their_usual_forms(written: object, dates: str, day: str):
    assert values.day(written, dates) == day  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "written", ["1/5/2026", "2026-02-30", "31.02.2026", "tomorrow", "05.01.2026 25:00", "99/99/99", ""]
)
def test_a_day_that_is_none_or_may_be_two_is_not_guessed(written: str):
    with pytest.raises(ValueError, match=r"dates=dmy|there is|usual form"):
        values.day(written, "")


def test_a_time_without_a_zone_is_of_the_zone_that_the_connection_says():
    assert values.instant("05.01.2026 09:30", "", "Europe/Berlin") == datetime(2026, 1, 5, 8, 30, tzinfo=UTC)
    assert values.instant("1/5/2026 3:04 PM", "mdy", "") == datetime(2026, 1, 5, 15, 4, tzinfo=UTC)
    assert values.instant("2026-01-05 12:00:00 +0100", "", "Asia/Tokyo") == datetime(2026, 1, 5, 11, tzinfo=UTC)


def test_words_and_countries_are_read_in_three_languages():
    assert [values.payment(each) for each in ("Paid", "bezahlt", "已付款", "partially_refunded")][1:3] == [
        "PAID",
        "PAID",
    ]
    assert [values.country(each) for each in ("de", "Germany", "Österreich", "美国", "Narnia")] == [
        "DE",
        "DE",
        "AT",
        "US",
        "Narnia",
    ]
    assert [values.flag(each) for each in ("Ja", "否", True, 0)] == [True, False, True, False]
    with pytest.raises(ValueError, match="no state of a payment"):
        values.payment("maybe")


def test_what_tables_do_to_keep_formulas_out_is_taken_back():
    assert [values.text(each) for each in ('="00123"', "'=1+1", "'+49 30", "=1+1", 1001.0)] == [
        "00123",
        "=1+1",
        "+49 30",
        "=1+1",
        "1001",
    ]


# --- what rows mean -------------------------------------------------------------------------------


def test_rows_of_one_number_are_one_order_and_what_only_the_first_says_counts_for_all(tmp_path: Path):
    path = written(
        tmp_path / "orders.csv",
        "Order,SKU,Qty,Price,Currency,Shipping,Discount,Email,City,Country,Paid\n"
        "1001,TEA,2,9.90,EUR,4.90,-1.00,ann@example.org,Berlin,Germany,paid\n"
        "1001,CUP,1,5,,,,,,,\n"
        ",POT,1,7,,,,,,,\n"
        "1002,TEA,1,9.90,EUR,,,bo@example.org,Bonn,DE,\n",
    )
    first, second = read(path)
    assert first.request is not None
    assert second.request is not None
    assert [(each.sku, each.quantity, each.unit_price_minor) for each in first.request.lines] == [
        ("TEA", 2, 990),
        ("CUP", 1, 500),
        ("POT", 1, 700),
    ]
    assert [(each.charge_id, each.amount_minor) for each in first.request.charges] == [
        ("shipping", 490),
        ("discount", -100),
    ]
    assert (first.request.ship_to.country, first.request.payment) == ("DE", orders_pb2.PAYMENT_STATE_PAID)
    assert [row.number for row in first.rows] == [2, 3, 4]
    assert (second.number, second.request.payment) == ("1002", orders_pb2.PAYMENT_STATE_UNSPECIFIED)


def test_all_that_is_wrong_with_an_order_is_said_by_row_and_column(tmp_path: Path):
    path = written(
        tmp_path / "orders.csv",
        "Order,SKU,Qty,Price,Currency,Order Date,City\n"
        "1001,TEA,two,9.9.9.9,EUR,5/6/2026,Berlin\n"
        "1001,CUP,1,-1,EUR,5/6/2026,Bonn\n"
        ",TEA,1,1,EUR,,\n",
    )
    (bad,) = read(path)
    assert bad.request is None
    assert bad.faults == [
        "row 3, City: differs from the rows before",
        "row 2, Qty: 'two' is no whole number",
        "row 3, Price: is below zero",
        "Order Date: '5/6/2026' can be read in two ways: say dates=dmy or dates=mdy",
    ]


def test_an_order_that_begins_again_further_down_is_not_sent_in_two_parts(tmp_path: Path):
    path = written(tmp_path / "orders.csv", "order,sku,quantity\n1,TEA,1\n2,TEA,1\n1,CUP,1\n")
    found = read(path)
    assert [each.request is not None for each in found] == [True, True, False]
    assert found[2].faults == ["row 2 begins the same order: sort the file by order, or leave one out"]


def test_prices_need_a_currency_which_may_be_the_same_for_all_rows(tmp_path: Path):
    path = written(tmp_path / "orders.csv", "order,sku,quantity,price\n1,TEA,1,9.90\n")
    (bad,) = read(path)
    assert "--map currency==EUR" in bad.faults[0]
    (good,) = read(path, currency="=EUR")
    assert good.request is not None
    assert good.request.lines[0].unit_price_minor == 990


def test_the_same_order_has_the_same_request_id_in_any_file(tmp_path: Path):
    rows: list[list[object]] = [["order", "sku", "quantity"], [1, "TEA", 2]]
    (typed,) = read(written(tmp_path / "a.csv", "order;sku;quantity\n1;TEA;2\n"))
    (sheet,) = read(excel.written(tmp_path / "a.xlsx", rows))
    assert typed.request is not None
    assert sheet.request is not None
    assert request_id(typed.request) == request_id(sheet.request)
    typed.request.lines[0].quantity = 3
    assert request_id(typed.request) != request_id(sheet.request)
