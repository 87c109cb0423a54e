"""The parts of the tracking page that need no service: its words, its colours, its forms, and what it counts."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime
from importlib.resources import files
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from adapters.tracking_page.colours import DARK_GROUND, DARK_SHEET, LIGHT_GROUND, contrast, palette
from adapters.tracking_page.countries import country_name, country_names
from adapters.tracking_page.forms import BadForm, Form, form_of
from adapters.tracking_page.limits import FINDING_FROM, Rates, visitor_of
from adapters.tracking_page.rendering import page
from adapters.tracking_page.wording import PageWords, catalogue, language_of
from ledger.nouns.cases import CaseStatus, Reason
from ledger.nouns.orders import Header
from ledger.nouns.parcels import ParcelStatus
from ledger.terms.brands import Brand
from ledger.terms.places import COUNTRIES

NOON = datetime(2026, 12, 11, 12, tzinfo=UTC)

# --- words ----------------------------------------------------------------------------------------


def test_both_languages_say_the_same_with_the_same_values():
    def values(text: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(text) if name is not None}

    english, chinese = catalogue("en"), catalogue("zh")
    assert english.keys() == chinese.keys()
    assert {key: values(text) for key, text in english.items()} == {key: values(text) for key, text in chinese.items()}


def test_whatever_state_something_is_in_there_are_words_for_it():
    known = catalogue("en").keys()
    wanted = {
        "header": Header,
        "status": ParcelStatus,
        "reason": Reason,
        "cases.status": CaseStatus,
    }
    states = {f"{kind}{'_' if '.' in kind else '.'}{each}" for kind, every in wanted.items() for each in every}
    assert states - known == set()


def test_every_text_is_said_somewhere():
    folder = files("adapters.tracking_page")
    sources = [each.read_text() for each in folder.iterdir() if each.name.endswith(".py")]
    sources += [each.read_text() for each in folder.joinpath("pages").iterdir()]
    said = set(re.findall(r'"((?:[a-z_]+\.)?[a-z_]+)"', "\n".join(sources)))
    made = ("header.", "status.", "reason.", "cases.status_", "what_now.", "customs.", "cases.", "money.")
    whole = {"gone", "not_found", "busy", "trouble"}
    silent = {
        key
        for key in catalogue("en")
        if key not in said
        and not key.startswith(made)
        and key.partition(".")[0] not in whole
        and key.removesuffix("_one") not in said
    }
    assert silent - {"find.missing", "find.not_found", "find.too_many"} == set()


@pytest.mark.parametrize(
    ("asked", "accepted", "usual", "language"),
    [
        ("zh", "en", "en", "zh"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "en", "zh"),
        ("", "fr, en-GB;q=0.3, zh;q=0.7", "", "zh"),
        ("", "zh;q=0, fr", "", "en"),
        ("", "fr", "zh", "zh"),
        ("klingon", "", "", "en"),
        ("", ";;;q=x,,", "de", "en"),
        ("", "en" * 9999, "", "en"),
    ],
)
def test_the_switch_counts_more_than_the_browser_and_that_more_than_the_order(asked, accepted, usual, language):
    assert language_of(asked, accepted, usual) == language


def test_days_and_times_are_those_of_where_it_goes():
    english, chinese = PageWords("en", "America/New_York"), PageWords("zh", "Asia/Shanghai")
    assert english.time(NOON) == "11 December 2026, 07:00"
    assert chinese.time(NOON) == "2026年12月11日 20:00"
    assert english.weekday(NOON.replace(hour=2)) == "Thursday, 10 December 2026"
    assert chinese.weekday(date(2026, 12, 11)) == "2026年12月11日 星期五"
    assert english.zone_name() == "New York"


def test_places_and_carriers_are_called_as_people_call_them():
    assert PageWords("en").place("Leipzig", "DE") == "Leipzig, Germany"
    assert PageWords("zh").place("Leipzig", "DE") == "德国 Leipzig"
    assert (PageWords("en").place("", "CN"), PageWords("en").place("Leipzig", "")) == ("China", "Leipzig")
    assert (PageWords("en").carrier("sf-express"), PageWords("zh").carrier("sf-express")) == ("SF Express", "顺丰速运")
    assert PageWords("en").carrier("pony-mail") == "Pony Mail"


def test_every_country_has_a_name_in_both_languages():
    assert country_names().keys() == COUNTRIES
    assert country_name("ZZ", "en") == "ZZ"


# --- colours --------------------------------------------------------------------------------------


@given(st.integers(0, 0xFFFFFF))
def test_whatever_the_brand_s_colour_it_can_be_read(number: int):
    def rgb(colour: str) -> tuple[int, int, int]:
        return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:], 16)

    made = palette(f"#{number:06x}")
    assert contrast(rgb(made.ink), LIGHT_GROUND) >= 4.5
    assert contrast(rgb(made.ink_dark), DARK_GROUND) >= 4.5
    assert contrast(rgb(made.ink_dark), DARK_SHEET) >= 4.5
    assert contrast(rgb(made.fill), rgb(made.on_fill)) >= 4.5


def test_a_colour_that_can_be_read_stays_as_it_is():
    assert palette("#a1502d")[::2] == ("#a1502d", "#a1502d")


@pytest.mark.parametrize(
    "logo", ["https://a.example;script-src */x.png", "https://a b/x.png", "http://a.example/x.png", "https://u@a/x", ""]
)
def test_a_logo_s_address_cannot_widen_what_the_page_may_load(logo: str):
    values = {"what": "not_found", "find": "", "lang": ""}
    answer = page("message", PageWords("en"), Brand(name="Brook", logo_url=logo), values)
    assert answer.headers["content-security-policy"].endswith("img-src 'none'")
    assert b"<img" not in answer.body


# --- forms ----------------------------------------------------------------------------------------

ENCODED = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=xYzZY"


def body(*parts: bytes) -> bytes:
    return b"".join(b"--xYzZY\r\n" + each + b"\r\n" for each in parts) + b"--xYzZY--\r\n"


def part(head: bytes, data: bytes) -> bytes:
    return b"Content-Disposition: form-data; " + head + b"\r\n\r\n" + data


def test_both_ways_in_which_browsers_send_forms_are_read():
    assert form_of(ENCODED, b"a=1&b=x+y&a=2").fields == {"a": "1", "b": "x y"}
    photo = b"\r\n--xYzZ\0\xff"
    sent = body(
        part(b'name="note"', "é\r\nzwei".encode()),
        part(b'name="photos"; filename="a.png"\r\nContent-Type: image/png', photo),
        part(b'name="photos"; filename=""', b""),
    )
    form = form_of(PARTS, sent)
    assert form.fields == {"note": "é\r\nzwei"}
    assert form.text("note") == "é\nzwei"
    assert [(each.name, each.data) for each in form.files] == [("a.png", photo)]


def test_characters_that_nobody_types_are_left_out():
    assert Form({"a": " x\0y\u202ez\x1b[31m \n"}).text("a") == "xyz[31m"


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        ("", b"a=1"),
        ("application/json", b"{}"),
        ("multipart/form-data", body()),
        (PARTS, b""),
        (PARTS, body(part(b'name="a"', b"1"))[:-8]),
        (PARTS, body(b"no head")),
        (PARTS, body(part(b"", b"1"))),
        (PARTS, body(*[part(b'name="a"', b"")] * 1300)),
        (ENCODED, b"&".join([b"a=1"] * 1300)),
        (ENCODED, b"\xff=1"),
    ],
)
def test_what_no_browser_sends_is_refused(kind: str, sent: bytes):
    with pytest.raises(BadForm):
        form_of(kind, sent)


@given(st.binary(max_size=300), st.sampled_from([PARTS, ENCODED, 'multipart/form-data; boundary="']))
def test_no_bytes_break_the_reading(sent: bytes, kind: str):
    with suppress(BadForm):
        assert isinstance(form_of(kind, sent), Form)


# --- limits ---------------------------------------------------------------------------------------


def test_so_much_is_allowed_in_a_window_and_again_in_the_next():
    rates = Rates()
    assert [rates.allows(FINDING_FROM, "a", now=0.0) for _ in range(11)] == [True] * 10 + [False]
    assert rates.allows(FINDING_FROM, "b", now=0.0)
    assert not rates.allows(FINDING_FROM, "a", now=599.0)
    assert rates.allows(FINDING_FROM, "a", now=600.0)


@pytest.mark.parametrize(
    ("peer", "forwarded", "behind_proxy", "visitor"),
    [
        ("192.0.2.7", "", False, "192.0.2.7"),
        ("192.0.2.7", "198.51.100.1", False, "192.0.2.7"),
        ("127.0.0.1", "203.0.113.9, 198.51.100.1", True, "198.51.100.1"),
        ("127.0.0.1", "", True, "127.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "", False, "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "", False, "192.0.2.7"),
        ("127.0.0.1", "nonsense", True, ""),
    ],
)
def test_a_visitor_is_a_household_and_cannot_say_itself_which(peer, forwarded, behind_proxy, visitor):
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    request = Request({"type": "http", "client": (peer, 1), "headers": headers})
    assert visitor_of(request, behind_proxy=behind_proxy) == visitor
