"""The contract for reporting only grows: tests/unit/reporting_contract.txt has a line for each column there ever was.

``python -m tests.unit.test_reporting_contract`` appends lines for new ones, in order.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from ledger.terms.retention import PersonalKind
from projections.reporting import REPORT_TABLES
from projections.reporting.views import lines

_GOLDEN = Path(__file__).with_name("reporting_contract.txt")


def _now() -> list[str]:
    return [line for table in REPORT_TABLES for line in lines(table)]


def _by_table(found: list[str]) -> dict[str, list[str]]:
    tables = defaultdict(list)
    for line in found:
        tables[line.partition(".")[0]].append(line)
    return tables


def test_every_column_that_there_ever_was_is_there_in_its_place():
    now = _by_table(_now())
    recorded = _by_table(_GOLDEN.read_text().splitlines())
    for table, columns in recorded.items():
        assert now[table][: len(columns)] == columns, f"{table} lost or changed what jobs read"
    assert now == recorded, "record what is new: python -m tests.unit.test_reporting_contract"


def test_each_table_and_column_says_what_it_means():
    for table in REPORT_TABLES:
        assert table.meaning.endswith("."), table.name
        for column in table.columns:
            assert re.search(r"[.…]$", column.meaning), f"{table.name}.{column.name}"
            is_amount = column.name.endswith(("_minor", "_units", "_hours", "_basis_points"))
            assert not is_amount or column.unit, f"{table.name}.{column.name} counts in something"


def test_an_amount_of_money_has_its_currency_beside_it():
    for table in REPORT_TABLES:
        names = [column.name for column in table.columns]
        assert not any(name.endswith("_minor") for name in names) or any("currency" in name for name in names)


def test_no_column_is_named_for_anything_personal():
    words = {kind.value for kind in PersonalKind} | {"email", "phone", "address", "street", "city", "postcode"}
    words |= {"person", "note", "text", "subject_line", "recipient", "customer_name", "staff"}
    for table in REPORT_TABLES:
        for column in table.columns:
            assert column.name not in words, f"{table.name}.{column.name}"


if __name__ == "__main__":
    known = _GOLDEN.read_text().splitlines() if _GOLDEN.exists() else []
    added = [line for line in _now() if line not in known]
    _GOLDEN.write_text("\n".join([*known, *added]) + "\n")
    print(f"{len(added)} lines are new.")
