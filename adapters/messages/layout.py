"""The frame of every mail: the brand above, the signature below, and all styles within the elements."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import css_inline
from jinja2 import Environment, Template
from markupsafe import Markup

from adapters.messages.markup import as_html, as_text
from ledger.terms.brands import Brand

_INLINER = css_inline.CSSInliner(keep_style_tags=True, load_remote_stylesheets=False)
"""The style sheet stays as well: it holds what only narrow screens and dark ones need."""
_BETWEEN = "\n\n* * *\n\n"


def lay_out(bodies: Sequence[str], brand: Brand, language: str, subject: str) -> tuple[str, str]:
    """Text and HTML of one mail that says all of it, in this order."""
    texts = [as_text(body) for body in bodies]
    signature = "\n".join(brand.signature)
    text = _BETWEEN.join(texts) + (f"\n\n-- \n{signature}" if signature else "") + "\n"
    html = _frame().render(
        bodies=[Markup(as_html(body)) for body in bodies],  # noqa: S704 - no HTML passes through as_html
        brand=brand,
        language=language,
        subject=subject,
        preview=" ".join(texts[0].split())[:140] if texts else "",
    )
    return text, _INLINER.inline(html)


@cache
def _frame() -> Template:
    source = files("adapters.messages").joinpath("layout.html").read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(source)
