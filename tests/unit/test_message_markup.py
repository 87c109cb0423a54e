"""The markup of messages: what is printed of an order is never markup, and text and HTML say the same."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.messages.envelope import Envelope, together
from adapters.messages.layout import lay_out
from adapters.messages.markup import as_html, as_text, one_line, quoted
from ledger.nouns.messages import Audience
from ledger.terms.brands import Brand, brand_of

BROOK = Brand("shop", "Brook & Sons", "#a1502d", "", ("Brook & Sons Ltd", "1 Mill Lane"))


class Reader(HTMLParser):
    """What a person reads of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.elements: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.elements.append(tag)
        self.text += "\n" * (tag == "br")

    def handle_data(self, data: str) -> None:
        self.text += data


def seen(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader


@given(st.text())
def test_words_that_are_quoted_are_read_as_they_are_and_are_no_markup(words: str):
    body = f"before {quoted(words)} after"
    found = seen(as_html(body))
    assert set(found.elements) <= {"p", "br"}
    assert as_text(body).split() == found.text.split()
    visible = re.sub(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]", " ", words).split()
    assert "".join(visible) in "".join(as_text(body).split()).replace("\ufffd", "")


@pytest.mark.parametrize(
    "words",
    [
        "[click](http://evil.example)",
        "**bold** _it_ `code`",
        "# no heading",
        "<script>alert(1)</script>",
        "![pixel](http://evil.example/x.png)",
        "line\n\n- item\n\n> quote\n\n    code",
        "&lt;b&gt; &amp;",
        "http://evil.example",
    ],
)
def test_what_a_customer_wrote_stays_words(words: str):
    html = as_html(f"{quoted(words)}\n")
    assert set(seen(html).elements) <= {"p", "br"}
    assert as_text(quoted(words)).replace("\n", " ").split() == words.split()


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//evil.example"])
def test_a_link_leads_to_a_page_or_a_mailbox(address: str):
    assert "<a" not in as_html(f"[here]({address})")
    assert '<a href="https://x.example">here</a>' in as_html("see [here](https://x.example)")


def test_the_text_of_a_link_has_its_address():
    body = "Read [our page](https://x.example/a_b).\n\n[Follow it](https://x.example)\n\n[mail@x.example](mailto:mail@x.example)"
    assert as_text(body) == ("Read our page (https://x.example/a_b).\n\nFollow it: https://x.example\n\nmail@x.example")
    assert as_html(body).count('<p class="action">') == 2


def test_lines_lists_and_paragraphs_stand_in_the_text_as_they_were_written():
    body = "Hello\nyou\n\n- one\n- two\n\n> 1 Elm Street\n> Berlin\n\n1. first\n2. second\n\nend"
    assert as_text(body) == "Hello\nyou\n\n- one\n- two\n\n1 Elm Street\nBerlin\n\n1. first\n2. second\n\nend"


def test_a_subject_is_one_line():
    assert one_line("a\r\nBcc: b\x00 \u202ec") == "a Bcc: b c"


def test_styles_stand_in_the_elements_and_the_brand_is_above_and_below():
    text, html = lay_out(["Hello **Ann**\n\n[Follow it](https://x.example)"], BROOK, "en", "On its way")
    assert text == "Hello Ann\n\nFollow it: https://x.example\n\n-- \nBrook & Sons Ltd\n1 Mill Lane\n"
    assert '<html lang="en">' in html
    assert "<title>On its way</title>" in html
    assert re.search(r'<a href="https://x.example" style="[^"]*background: #a1502d', html)
    found = seen(html)
    assert "Brook & Sons" in found.text
    assert "1 Mill Lane" in found.text


def test_a_logo_is_shown_instead_of_the_name_and_says_it():
    _, html = lay_out(["Hello"], Brand(name="Brook", logo_url="https://x.example/logo.png"), "en", "Hello")
    assert re.search(r'<img [^>]*src="https://x.example/logo.png"', html)


def test_a_channel_without_a_brand_of_its_own_has_that_of_all():
    other = Brand(name="All")
    assert brand_of([BROOK, other], "shop") is BROOK
    assert brand_of([BROOK, other], "etsy") is other
    assert brand_of([BROOK], "etsy") == Brand()
    assert Brand(order_link="https://x.example/o/{order}").link_to("17") == "https://x.example/o/17"


def test_nobody_is_greeted_twice_in_one_mail():
    def letter(body: str) -> Envelope:
        return Envelope("m-1", Audience.CUSTOMER, "person-1", "Ann", "ann@x.example", "", "en", "Both", "", body=body)

    one = together([letter("# Left\n\nDear Ann,\n\n\nIt left."), letter("# There\n\nDear Ann,\n\nIt is there.")])
    assert one.text == "Left\n\nDear Ann,\n\nIt left.\n\n* * *\n\nThere\n\nIt is there.\n"
    other = together([letter("# Left\n\nDear Ann,\n\nIt left."), letter("# There\n\nIt is there.")])
    assert other.text.endswith("There\n\nIt is there.\n")


def test_several_messages_become_one_mail_in_their_order():
    def letter(number: int) -> Envelope:
        to = (f"m-{number}", Audience.CUSTOMER, "person-1", "Ann", "ann@x.example", "", "en", f"Subject {number}", "")
        files = ((f"{number}.pdf", b"%PDF"),)
        return Envelope(*to, files, brand=BROOK, body=f"Step {number}")

    one = together([letter(1), letter(2)])
    assert one.text.startswith("Step 1\n\n* * *\n\nStep 2\n\n-- \n")
    assert one.html.index("Step 1") < one.html.index("Step 2")
    assert (one.message_id, one.subject, [name for name, _ in one.attachments]) == (
        *("m-2", "Subject 2"),
        ["1.pdf", "2.pdf"],
    )
