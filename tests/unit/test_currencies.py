"""What the ledger knows of currencies, and amounts in what people read."""

import pytest

from ledger.nouns.orders import ChargebackDiffers
from ledger.terms.money import CURRENCIES, Money, amount, minor_digits


@pytest.mark.parametrize(
    ("currency", "digits"),
    [("EUR", 2), ("JPY", 0), ("KRW", 0), ("ISK", 0), ("KWD", 3), ("TND", 3), ("CLF", 4), ("MGA", 2), ("HUF", 2)],
)
def test_digits_after_the_point_are_those_of_the_currency(currency: str, digits: int):
    assert minor_digits(currency) == digits


def test_every_currency_in_use_is_known_and_nothing_else():
    # ISO 4217, list one of January 2026, without the codes that have no minor unit; and six that left the list.
    assert len(CURRENCIES) == 165 + 6
    assert {"EUR", "CNY", "XCG", "ZWG", "SLE", "VED", "BGN", "HRK"} <= CURRENCIES
    assert CURRENCIES.isdisjoint({"ZZZ", "XXX", "XTS", "XAU", "DEM", "eur", ""})


@pytest.mark.parametrize(
    ("amount_minor", "currency", "written"),
    [
        (1500, "JPY", "1,500 JPY"),
        (1500, "EUR", "15.00 EUR"),
        (1500, "KWD", "1.500 KWD"),
        (123456, "USD", "1,234.56 USD"),
    ],
)
def test_money_is_written_with_the_digits_of_its_currency(amount_minor: int, currency: str, written: str):
    money = Money(amount_minor, currency)

    assert str(money) == written == f"{amount(amount_minor, currency)} {currency}"
    assert ChargebackDiffers("cb-1", money).message == f"chargeback cb-1 was recorded already, of {written}"
