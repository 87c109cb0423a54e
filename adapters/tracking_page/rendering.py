"""Pages and their style sheet, from templates in which every value is escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from hashlib import blake2b
from importlib.resources import files
from string import Template
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FunctionLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from adapters.tracking.carriers import tracking_page
from adapters.tracking_page.colours import palette
from adapters.tracking_page.wording import LANGUAGES, PageWords
from ledger.nouns.parcels import CustomsAsk, CustomsHold
from ledger.terms.brands import Brand
from ledger.terms.parties import Party

_HEADERS = {
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow, noarchive",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
_POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; img-src "
_STYLE = re.compile(r"([0-9a-f]{6})-([0-9a-f]{16})\.css")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_YEAR = "public, max-age=31536000, immutable"
LOOK_AGAIN = "private, no-cache"
"""It may be kept, and is asked for again each time."""
NOT_KEPT = "no-store"


def page(
    name: str, words: PageWords, brand: Brand, values: Mapping[str, Any], *, status: int = 200, cached: str = NOT_KEPT
) -> Response:
    logo, source = _logo(brand)
    body = (
        _templates()
        .get_template(f"{name}.html")
        .render(
            w=words,
            brand=brand,
            logo=logo,
            style=style_address(brand.colour),
            languages=[PageWords(each) for each in LANGUAGES],
            page_of=tracking_page,
            customs_key=_customs_key,
            **values,
        )
    )
    headers = {
        **_HEADERS,
        "content-security-policy": _POLICY + (source or "'none'"),
        "cache-control": cached,
        "content-language": words.language,
        "vary": "Accept-Language",
    }
    return Response(body, status, headers, "text/html")


def unless_known(request: Request, answer: Response) -> Response:
    """The answer with its tag, or the word that it has not changed since it was given."""
    tag = f'"{blake2b(bytes(answer.body), digest_size=12).hexdigest()}"'
    answer.headers["etag"] = tag
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if tag not in known:
        return answer
    kept = ("etag", "cache-control", "vary", "content-security-policy", *_HEADERS)
    return Response(None, 304, {name: answer.headers[name] for name in kept})


def _logo(brand: Brand) -> tuple[str, str]:
    """The brand's logo and where it is, which is the only place that the page loads anything from."""
    parts = urlsplit(brand.logo_url)
    if parts.scheme != "https" or _HOST.fullmatch(parts.netloc) is None:
        return "", ""
    return brand.logo_url, f"https://{parts.netloc}"


def _customs_key(hold: CustomsHold) -> str:
    """The text that says what customs wants and of whom."""
    if hold.asks is None:
        return "customs.unknown"
    if hold.asks is CustomsAsk.PROHIBITED:
        return "customs.prohibited"
    return f"customs.{hold.asks}_{'customer' if hold.asks_of is Party.CUSTOMER else 'retailer'}"


# --- the style sheet ------------------------------------------------------------------------------


def style_address(colour: str) -> str:
    """Where the style sheet of a brand is: its name changes with its content."""
    return f"/page/{colour[1:]}-{_digest(_style(colour))}.css"


def style(name: str) -> Response | None:
    """The style sheet of that name; one of another version as it is now, to be asked for again."""
    found = _STYLE.fullmatch(name)
    if found is None:
        return None
    sheet = _style(f"#{found[1]}")
    cached = _YEAR if found[2] == _digest(sheet) else "no-cache"
    return Response(sheet, 200, {**_HEADERS, "cache-control": cached}, "text/css")


@lru_cache(maxsize=256)
def _style(colour: str) -> str:
    return Template(_source("style.css")).substitute(palette(colour)._asdict())


def _digest(sheet: str) -> str:
    return blake2b(sheet.encode(), digest_size=8).hexdigest()


# --- templates ------------------------------------------------------------------------------------


def _source(name: str) -> str:
    return files("adapters.tracking_page").joinpath("pages", name).read_text(encoding="utf-8")


@cache
def _templates() -> Environment:
    return Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        auto_reload=False,
    )
