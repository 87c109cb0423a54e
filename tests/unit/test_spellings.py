"""Spellings of contacts: what is one address and one number, and what is not."""

from __future__ import annotations

import pytest

from adapters.people.spellings import formerly, international, mailbox, of_any_tag, phone_spellings, untagged


@pytest.mark.parametrize(
    "email",
    [
        "ann@example.org",
        " Ann@Example.ORG ",
        "Ann Example <ann@example.org>",
        '"A. <b>" <ANN@example.org>',
        "ａｎｎ@example.org",
    ],
)
def test_an_address_is_the_same_in_every_spelling(email: str):
    assert mailbox(email) == "ann@example.org"


def test_a_tag_makes_another_address_that_is_known_by_what_all_tags_share():
    assert mailbox("ann+shop@example.org") != mailbox("ann@example.org")
    assert untagged("ann+shop@example.org") == "ann@example.org"
    assert untagged("ann@example.org") == untagged("+@example.org") == untagged("nobody") == ""
    assert of_any_tag("ann+shop@example.org") == of_any_tag("ann@example.org")


@pytest.mark.parametrize(
    ("phone", "country", "whole"),
    [
        ("+49 170 1234567", "", "491701234567"),
        ("0049 (170) 123-4567", "FR", "491701234567"),
        ("0170 1234567", "DE", "491701234567"),
        ("49 170 1234567", "DE", "491701234567"),
        ("06 12 34 56 78", "FR", "33612345678"),
        ("06 1 234 5678", "HU", "3612345678"),
        ("06 1234 5678", "IT", "390612345678"),
        ("393 123 4567", "IT", "393931234567"),
        ("(555) 123-4567", "US", "15551234567"),
        ("1 555 123 4567", "CA", "15551234567"),
        ("8 912 345-67-89", "RU", "79123456789"),
        ("０１７０ 1234567", "DE", "491701234567"),
        ("0170 1234567", "", "01701234567"),
        ("+49 (0)170 1234567", "", "491701234567"),
        ("0049 0170 1234567", "", "491701234567"),
        ("49 (0)170 1234567", "DE", "491701234567"),
        ("+36 (06) 1 234 5678", "", "3612345678"),
        ("+39 06 1234 5678", "", "390612345678"),
        ("+7 800 555 3535", "", "78005553535"),
        ("by pigeon", "DE", ""),
    ],
)
def test_a_number_is_kept_from_its_calling_code_on(phone: str, country: str, whole: str):
    assert international(phone, country) == whole


def test_a_number_with_its_code_is_also_found_as_it_is_dialled_within_its_country():
    assert phone_spellings("+49 170 1234567") == ["491701234567", "01701234567"]
    assert phone_spellings("0170 1234567", "DE") == ["491701234567", "01701234567"]


def test_a_number_that_was_kept_with_a_zero_behind_its_code_is_found_by_it():
    assert formerly("491701234567") == "4901701234567"
    assert formerly("390612345678") == formerly("78005553535") == formerly("999") == ""


def test_a_number_without_a_code_may_be_of_any_country():
    every = phone_spellings("0170 1234567")
    assert {"01701234567", "491701234567", "441701234567", "3901701234567"} <= {*every}
    assert phone_spellings("?") == []
