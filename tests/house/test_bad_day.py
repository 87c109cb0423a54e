"""The scenario of examples/bad_day.py against a real server."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.service import HOUSE, Service


def run_bad_day(*arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "examples/bad_day.py", *arguments]
    return subprocess.run(words, cwd=HOUSE, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def scenario(service: Service) -> str:
    done = run_bad_day("--server", service.address)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "sentence",
    [
        "Oversold: 9 are promised, 6 are there, 3 are short.",
        "shop/1004 got its mugs without anybody asking, and is confirmed.",
        "By its agreement Slow Boat owes 2.97 EUR: 10 % of 29.70 EUR.",
        "Nobody had to ask: Brook & Sons could send them, so the ledger wants the mugs back.",
        "Rerouted: Brook & Sons has the three mugs now, instead of shop/late/1.",
        "With code, origin and weight the hold goes, and the order is confirmed.",
        "The ledger draws up the invoice, as PDF too: 39.00 EUR, the sum of its lines.",
        "DHL confirms: both units are lost.",
        "Claim DHL-4711 is paid: 19.80 EUR of 19.80 EUR.",
        "Order shop/broken+R1 is placed at no price, with its stock reserved.",
        "The reship failed, and the case knows: both units are due a refund.",
        "Refunded: 49.80 EUR; the case is resolved.",
        "X1 is one parcel of both orders, and DHL's number was not used twice.",
        "Who keeps the third mug is somebody's work, and nobody owes for it.",
        "On-time dispatch: 15 of 21, wanted are at least 95 %.",
        "A person agrees: Slow Boat is suspended.",
        "What DHL had said of N1 counts at once: the mug is under way, since six in the morning.",
        "N2 is the neighbour's again, who has his mug.",
        "Its unit is to be sent again, by the deadline of before, and its stock is the order's own again.",
        "H2 is the same parcel: whoever asks for it finds H1, and shop/home.",
        "That is a return's arrival, and no delivery: both are back at their supplier.",
        "The order is closed, nothing is left to do, and two mugs can be sold again.",
        "Three mugs and a bowl that stands for the fourth, shipping and wrap: 49.50 EUR.",
        "It is asked, and has the third mug until it answers.",
        "It is ignored: a newer state of the order is known, which stays; this one is only recorded.",
        "A mug and the bowl are paid back, 22.80 EUR: of 49.50 EUR the shop keeps 26.70 EUR.",
        "It is somebody's work, and no case: 9.90 EUR is owed to the customer: pay it back.",
        "It is owed again, and work again, a piece of its own.",
        "To another account, then: 34.60 EUR came in, 9.90 EUR went back once, 24.70 EUR are the shop's,",
        "The shop's policy is to stop then, so Brook & Sons is asked to without anybody's word.",
        "The order is cancelled, and nobody owes anybody: what the bank took is not paid twice.",
        "Left for tomorrow: six orders to send, and to ask who keeps the third mug.",
        "Each of the 60 units of 39 orders is in exactly one place.",
    ],
)
def test_the_day_prints_what_the_ledger_answers(scenario: str, sentence: str):
    assert f"✔ {sentence}" in " ".join(scenario.split())


def test_its_lines_fit_a_terminal_of_100_columns(scenario: str):
    assert [line for line in scenario.splitlines() if len(line) > 100] == []


def test_the_day_can_be_run_again_beside_the_first(service: Service, scenario: str):
    again = run_bad_day("--server", service.address)
    assert again.returncode == 0, again.stdout + again.stderr
    assert chapters(again.stdout) == chapters(scenario)


def chapters(scenario: str) -> list[str]:
    """All but the heading, which names the tenant, and the number of facts, some of which are clocks' own."""
    return [line for line in scenario.splitlines()[1:] if "facts were recorded" not in line]


def test_a_service_that_is_not_there_is_reported_in_one_sentence():
    done = run_bad_day("--server", "127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.strip().startswith("The service at 127.0.0.1:1 answers: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_excerpt_in_the_readme_is_of_its_output(scenario: str):
    excerpt = (HOUSE / "README.md").read_text().partition("```text\n")[2].partition("```")[0]
    assert len(excerpt.splitlines()) > 3
    assert excerpt in scenario
