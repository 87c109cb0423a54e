"""The console of after-sales people: a case from its opening to its remedy, and what it shows on the way."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from adapters.console.main import run
from tests.support.service import Service
from tests.support.terminal import CommandResult, Shell

PNG = b"\x89PNG\r\n\x1a\n a broken cup"
PERSON = ("--name", "Ann Example", "--email", "ann@example.org", "--address", "1 Elm Street", "--city", "Berlin")


@pytest.fixture
def ff(capsys: pytest.CaptureFixture[str], service: Service) -> Shell:
    """Types a command, which must succeed unless said otherwise."""

    def type_in(*arguments: str, code: int = 0) -> CommandResult:
        ended = run((*arguments, "--server", service.address))
        printed = capsys.readouterr()
        assert ended == code, printed.err
        return CommandResult(ended, printed.out, printed.err)

    return type_in


@pytest.fixture
def photo(folder: Path) -> str:
    path = folder / "cup.png"
    path.write_bytes(PNG)
    return str(path)


def arrived(ff: Shell, number: str, units: int = 2, feed: int = 20) -> None:
    """An order of cups that was delivered."""
    ff("supplier", "add", "acme", "--name", "Acme Ltd", "--approve")
    ff("stock", "feed", "acme", "CUP", str(feed), "--version", str(time.time_ns()))
    line = f"CUP:{units}:9.90:acme"
    ff("place", "--channel", "shop", "--id", number, "--line", line, "--currency", "EUR", "--paid", *PERSON,
       "--country", "DE")  # fmt: skip
    ff("order", "send", f"shop/{number}/1")
    ff("order", "ship", f"shop/{number}/1", "--carrier", "dhl", "--number", f"CUPS{number}")
    ff("parcel", "scan", "dhl", f"CUPS{number}", "delivered")


def ruled(ff: Shell, number: str, photo: str, units: int = 1) -> str:
    case_id = f"C-{number}"
    arrived(ff, number)
    ff("case", "open", case_id, "--order", f"shop/{number}", "--reason", "damaged", "--line", f"1:{units}",
       "--note", "came in pieces")  # fmt: skip
    ff("case", "evidence", "add", case_id, photo)
    ff("case", "review", case_id)
    ff("case", "rule", case_id, "supplier", "--reason", "broken_in_box", "--on-all")
    return case_id


def test_a_broken_cup_is_refunded(ff: Shell, photo: str, folder: Path):
    arrived(ff, "1")
    result = ff(
        "case", "open", "C-1", "--order", "shop/1", "--reason", "damaged", "--line", "1:1", "--note", "in pieces"
    )
    assert result.out.startswith("Case C-1  opened\nNext: fulfilment case evidence add C-1 FILE")
    assert "evidence requested" in ff("case", "ask", "C-1", "photo_of_label").out
    ff("case", "evidence", "add", "C-1", photo)
    ff("case", "review", "C-1")
    (sha256,) = re.findall(r"^([0-9a-f]{12})  png", ff("case", "show", "C-1").out, re.MULTILINE)
    ff("case", "rule", "C-1", "supplier", "--reason", "broken_in_box", "--on", sha256)
    assert "Next: fulfilment case refund C-1 REFUND" in ff("case", "approve", "C-1", "refund").out
    granted = ff("case", "refund", "C-1", "R-1", "--share", "50").out
    assert "Next: pay 4.95 EUR, then fulfilment case paid C-1 R-1" in granted
    assert ff("case", "paid", "C-1", "R-1", "--reference", "psp-1").out == "Case C-1  resolved\n"

    shown = ff("case", "show", "C-1", "--personal").out
    for expected in (
        r"liable +supplier: broken_in_box",
        r"customer wrote +in pieces",
        r"1  CUP  acme +1\n",
        r"R-1 +1 of line 1 +4\.95 EUR .* psp-1",
    ):
        assert re.search(expected, shown), expected
    assert "in pieces" not in ff("case", "show", "C-1").out
    ff("case", "evidence", "save", "C-1", sha256, str(folder / "out.png"))
    assert (folder / "out.png").read_bytes() == PNG
    history = ff("case", "history", "C-1").out
    assert "case.opened" in history
    assert "case.resolved" in history


def test_a_refund_whose_money_the_bank_took_is_denied(ff: Shell, photo: str):
    case_id = ruled(ff, "9", photo)
    ff("case", "approve", case_id, "refund")
    ff("case", "refund", case_id, "R-9")
    ff("order", "chargeback", "shop/9", "--id", "cb-9", "--amount", "19.80:EUR")
    assert "deny what cannot go back, by the refund's id" in ff("case", "paid", case_id, "R-9", code=1).err
    assert ff("case", "deny-refund", case_id, "charged_back", "--refund", "R-9").out == f"Case {case_id}  resolved\n"
    assert "denied           charged back" in ff("case", "show", case_id).out


def test_goods_come_back_are_inspected_and_refunded(ff: Shell, photo: str):
    case_id = ruled(ff, "2", photo, units=2)
    assert f"Next: fulfilment case label {case_id} LABEL" in ff("case", "approve", case_id, "return").out
    assert f"Next: fulfilment case receive {case_id}" in ff("case", "label", case_id, "L-1", "--freight", "5.90").out
    ff("case", "sent", case_id, "L-1", "dhl", "BACK2")
    assert f"Next: fulfilment case inspect {case_id}" in ff("case", "receive", case_id, "1:2").out
    assert (
        f"Next: fulfilment case refund {case_id}"
        in ff("case", "inspect", case_id, "--restocked", "1", "--not-restocked", "1").out
    )
    ff("case", "refund", case_id, "R-2", "--line", "1:1", "--amount", "9.90")
    ff("case", "deny-refund", case_id, "goods_used")
    assert "resolved" in ff("case", "paid", case_id, "R-2").out
    shown = ff("case", "show", case_id).out
    assert re.search(r"L-1 +2 of line 1 +acme +supplier +5\.90 EUR +dhl BACK2", shown)
    assert "denied           goods used" in shown


def test_a_reship_is_placed_and_waited_for(ff: Shell, photo: str):
    case_id = ruled(ff, "3", photo)
    assert "Next: order shop/3+R1 has to arrive" in ff("case", "approve", case_id, "reship").out
    assert "confirmed" in ff("show", "shop/3+R1").out
    assert re.search(r"shop/3\+R1 +1 of line 1", ff("case", "show", case_id).out)


def test_an_exchange_names_what_is_sent_instead(ff: Shell, photo: str):
    case_id = ruled(ff, "8", photo)
    ff("case", "approve", case_id, "exchange", "--sku", "JUG", "--price-minor", "890")
    assert re.search(r"remedy +exchange\nsent instead +JUG, 8\.90 EUR each\n", ff("case", "show", case_id).out)


def test_a_case_is_denied_and_reopened_on_new_evidence(ff: Shell, photo: str):
    case_id = ruled(ff, "4", photo)
    denied = ff("case", "deny", case_id, "customer_fault", "--note", "Ann dropped it")
    assert denied.out == f"Case {case_id}  denied\n"
    assert "denial's note    Ann dropped it" in ff("case", "show", case_id, "--personal").out
    assert "Ann dropped it" not in ff("case", "show", case_id).out
    letter = Path(photo).with_name("letter.pdf")
    letter.write_bytes(b"%PDF-1.4 it was you")
    ff("case", "evidence", "add", case_id, str(letter), "--by", "supplier")
    (sha256,) = re.findall(r"^([0-9a-f]{12})  pdf", ff("case", "show", case_id).out, re.MULTILINE)
    assert "under review" in ff("case", "reopen", case_id, sha256).out
    assert "cancelled" in ff("case", "cancel", case_id, "--reason", "solved").out


def test_cases_are_listed_with_whose_turn_it_is(ff: Shell, photo: str):
    case_id = ruled(ff, "5", photo)
    ff("case", "answer", case_id)
    arrived(ff, "6")
    ff("case", "open", "C-6", "--order", "shop/6", "--reason", "quality", "--line", "1:1")
    listed = ff("case", "list").out
    assert re.search(rf"{case_id} +shop/5 +damaged +liability ruled +supplier .* we decide", listed)
    assert re.search(r"C-6 +shop/6 +quality +opened .* we answer, in 2\d h", listed)
    rows = ff("case", "list", "--status", "opened", "--supplier", "acme", "--order", "shop/6", "--json").json
    assert [row["case_id"] for row in rows] == ["C-6"]
    assert ff("case", "list", "--limit", "1").out.endswith("--limit 10 shows more of them, --json all.\n")
    assert ff("case", "list", "--order", "shop/6", "--until", "2026-01-01").out == "There are no such cases.\n"
    assert "there is no order shop/999" in ff("case", "list", "--order", "shop/999", code=1).err


def test_what_is_not_possible_is_reported_in_one_sentence(ff: Shell, photo: str):
    case_id = ruled(ff, "7", photo)
    assert "[NO_REMEDY_YET]" in ff("case", "refund", case_id, "R", code=1).err
    assert "[UNKNOWN_CASE]" in ff("case", "show", "nobodys", code=1).err
    assert "begins no hashes" in ff("case", "rule", case_id, "carrier", "--reason", "x", "--on", "zz", code=2).err
    assert "--amount is for the units of one --line" in ff("case", "refund", case_id, "R", "--amount", "1", code=2).err
    text = Path(photo).with_name("note.txt")
    text.write_text("a note")
    assert "note.txt is none of .jpg" in ff("case", "evidence", "add", case_id, str(text), code=2).err


def test_a_case_may_be_opened_without_an_id(ff: Shell):
    arrived(ff, "unnamed")
    said = ff("case", "open", "--order", "shop/unnamed", "--reason", "damaged", "--line", "1:1")
    (case_id,) = re.findall(r"^Case (C-[A-Z2-7]{12})  opened$", said.out, re.MULTILINE)
    assert "opened" in ff("case", "show", case_id).out
