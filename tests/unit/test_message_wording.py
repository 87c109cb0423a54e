"""The language of templates: what is wrong is named with its line, and nobody can do more than print."""

from __future__ import annotations

import pytest

from adapters.messages import samples
from adapters.messages.markup import as_html, as_text
from adapters.messages.wording import MOST_PRINTED, BadTemplate, Values, check, wording
from ledger.nouns.messages import MessageKind

SAMPLES = list(samples.samples(MessageKind.DISPATCHED, "en"))
GOOD = "Your order {{ order }}"


def refused(body: str, subject: str = GOOD) -> BadTemplate:
    with pytest.raises(BadTemplate) as found:
        check(subject, body, SAMPLES)
    return found.value


def test_a_template_prints_chooses_and_repeats():
    body = "\n".join(
        (
            "{% if due and days != 1 %}",
            "By **{{ due }}**.",
            "{% else %}",
            "Soon.",
            "{% endif %}",
            "",
            "{% for line in lines %}",
            "- {{ loop.index }}: {{ line.units }} × {{ line.goods|upper }}",
            "{% endfor %}",
        )
    )
    check(GOOD, body, SAMPLES)
    subject, printed = wording(GOOD, body).fill(SAMPLES[0])
    assert subject == "Your order 1001"
    assert as_text(printed) == "By 11 March 2026.\n\n- 1: 2 × GREEN TEA, 250 G\n- 2: 1 × MUG"


@pytest.mark.parametrize(
    ("body", "line", "problem"),
    [
        ("Hello\n{{ oder }}", 2, "there is no 'oder'; did you mean order?"),
        ("{% if due %}\nX\n{% endif %}\n{{ nonsense_at_all }}", 4, "there is no 'nonsense_at_all'; there are amount"),
        ("{{ lines }}", 1, "lines is a table: print its rows"),
        (
            "{% for line in lines %}\n{{ line.price }}\n{% endfor %}",
            2,
            "there is no line.price; there are amount, code",
        ),
        ("Hi\n{% if due %}\nX", 3, "Unexpected end of template"),
        ("{{ order", 1, "unexpected end of template"),
        ("{% for x in order %}{% endfor %}", 1, "a loop goes through a table; there are"),
        ("{{ order|shout }}", 1, "there is no filter 'shout'"),
        ("{% if not due %}Soon.{% endif %}", 1, "it says nothing"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(body: str, line: int, problem: str):
    bad = refused(body)
    assert (bad.part, bad.line) == ("body", line)
    assert problem.casefold() in bad.problem.casefold()


def test_a_template_that_says_nothing_for_one_reason_is_refused_by_that_reason():
    delays = list(samples.samples(MessageKind.DELAYED, "en"))
    with pytest.raises(BadTemplate, match="it says nothing where reason is 'backordered'"):
        check("Late", "{% if reason != 'backordered' %}Sorry.{% endif %}", delays)


@pytest.mark.parametrize(
    "body",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ order.__class__ }}",
        "{{ lines[0] }}",
        "{{ self }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ range(10) }}",
        "{% for a in range(999999) %}{% endfor %}",
        "{% for a in lines %}{% for b in lines %}x{% endfor %}{% endfor %}",
        "{{ 'x' * 999999999 }}",
        "{{ 9 ** 99999999 }}",
        "{{ 'a' ~ order }}",
        "{% set x = order %}{{ x }}",
        "{% set x %}y{% endset %}",
        "{% with x = order %}{{ x }}{% endwith %}",
        "{% macro m() %}{{ m() }}{% endmacro %}",
        "{% include 'layout.html' %}",
        "{% import 'os' as os %}",
        "{% extends 'layout.html' %}",
        "{% block b %}{{ super() }}{% endblock %}",
        "{{ order|replace('1', 'xxxxxxxx') }}",
        "{{ order|attr('__class__') }}",
        "{{ '%999999999d'|format(1) }}",
        "{{ order|center(999999999) }}",
        "{{ order is mapping }}",
        "{% for line in lines recursive %}{{ loop(lines) }}{% endfor %}",
        "{% for line in lines %}{{ line.__class__ }}{% endfor %}",
        "{% for line in lines %}{{ loop.__init__ }}{% endfor %}",
        "{% for line in lines %}{{ loop.nextitem }}{% endfor %}",
        "{% autoescape true %}x{% endautoescape %}",
        "{% filter upper %}x{% endfilter %}",
        "{{ order if order else order.x }}",
        "{{ [order][0] }}",
        "{{ {'a': order} }}",
        "{{ -days }}",
        "{{ order[:1] }}",
        "{{ namespace(a=1) }}",
        "{% call order() %}{% endcall %}",
        "{% do order %}",
        "{% debug %}",
    ],
)
def test_a_hostile_template_reads_nothing_else_and_runs_nothing(body: str):
    refused(body)


@pytest.mark.parametrize(
    "body",
    [
        "(" * 9_000 + ")" * 9_000,
        "{{ " + "(" * 5_000 + "order" + ")" * 5_000 + " }}",
        "{% if due %}" * 1_000 + "x" + "{% endif %}" * 1_000,
        "{{ " + "not " * 4_000 + "due }}",
        "{{ order " + "|upper" * 3_000 + " }}",
        "{{ " + " if due else ".join(["order"] * 1_000) + " }}",
        "> " * 9_000 + "x",
        "- " * 9_000 + "x",
        "[" * 9_999 + "]" * 9_999,
        "*a " * 6_600,
        "**" * 9_999,
        "{{ order }}\n" * 1_600,
        "{%" * 9_999,
        "{#" * 9_999,
    ],
)
def test_a_template_that_is_nested_as_deep_as_fits_ends(body: str):
    try:
        check(GOOD, body, SAMPLES[:1])
    except BadTemplate:
        return
    _, printed = wording(GOOD, body).fill(SAMPLES[0])
    as_html(printed)
    as_text(printed)


def test_a_template_prints_no_more_than_a_message_may_have():
    body = "{% for line in lines %}" + "x" * 19_000 + "{% endfor %}"
    rows = SAMPLES[0]["lines"]
    assert not isinstance(rows, str | int)
    many: Values = {**SAMPLES[0], "lines": list(rows) * 1000}
    with pytest.raises(BadTemplate, match=f"more than {MOST_PRINTED:,}"):
        wording(GOOD, body).fill(many)
    assert refused("x" * 20_001).problem.startswith("20,001 characters")
    assert refused("x", "y" * 1_001).part == "subject"


def test_what_is_printed_is_words_in_the_subject_and_no_markup_in_the_body():
    values = {**SAMPLES[0], "name": "[x](http://evil.example)\r\nBcc: y"}
    subject, body = wording("For {{ name }}", "{{ name }}\n\n[Real](https://shop.example)").fill(values)
    assert subject == "For [x](http://evil.example) Bcc: y"
    assert as_html(body).count("<a ") == 1
