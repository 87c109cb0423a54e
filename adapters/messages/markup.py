"""The markup that templates are written in: paragraphs, lists and links of Markdown, as plain text and as HTML.

What a template prints of an order is words, never markup: ``quoted`` makes it so. No HTML passes through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER = MarkdownIt("commonmark", {"html": False, "breaks": True}).disable(
    ["code", "fence", "html_block", "html_inline", "image", "reference", "lheading", "autolink", "backticks"]
)
"""A line ends where it ends in the template."""
_LINK = re.compile(r"(?:https?://|mailto:)", re.ASCII | re.IGNORECASE)
_PARSER.validateLink = lambda url: _LINK.match(url) is not None  # type: ignore[method-assign]

_SIGNS = re.compile(r"([!-/:-@\[-`{-~])")
_BREAKS = re.compile(r"\s*[\n\v\f\r\x85\u2028\u2029]\s*")
_INVISIBLE = re.compile(r"[\x00-\x09\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]+")
"""Control characters, and those that turn the direction of what follows."""


def one_line(words: str) -> str:
    """The words without line breaks and control characters."""
    return " ".join(_INVISIBLE.sub(" ", words).split())


def quoted(words: str) -> str:
    """Words in which no sign is markup; where a line ended, it still does."""
    return _SIGNS.sub(r"\\\1", _BREAKS.sub("\n", _INVISIBLE.sub(" ", words).strip()))


def as_html(body: str) -> str:
    """HTML without styles; a paragraph that is one link alone is of class ``action``."""
    tokens = _PARSER.parse(body)
    for opening, inline in pairwise(tokens):
        if opening.type == "paragraph_open" and _is_one_link(inline.children or []):
            opening.attrSet("class", "action")
    rendered: str = _PARSER.renderer.render(tokens, _PARSER.options, {})
    return rendered


def _is_one_link(parts: Sequence[Token]) -> bool:
    kinds = [part.type for part in parts if part.content or part.type != "text"]
    return kinds[:1] == ["link_open"] and kinds[-1:] == ["link_close"] and kinds.count("link_open") == 1


class _Block(NamedTuple):
    text: str
    close: bool
    """Whether no empty line stands between it and the one before: items of one list."""


def as_text(body: str) -> str:
    """Plain text: an empty line between paragraphs, a dash before an item, a link's address behind its words."""
    found = list(_blocks(_PARSER.parse(body)))
    return "".join(("" if not i else "\n" if each.close else "\n\n") + each.text for i, each in enumerate(found))


def _blocks(tokens: Sequence[Token]) -> Iterator[_Block]:
    sign, close = "", False
    for token in tokens:
        match token.type:
            case "bullet_list_open" | "ordered_list_open":
                close = False
            case "list_item_open":
                sign = f"{token.info}{token.markup} " if token.info else "- "
            case "inline":
                words = _inline(token.children or [], in_list=bool(sign))
                yield _Block(sign + words.replace("\n", "\n" + " " * len(sign)), close and bool(sign))
                close, sign = bool(sign), ""
            case "hr":
                yield _Block("* * *", close=False)
            case _:
                pass


def _inline(parts: Sequence[Token], *, in_list: bool) -> str:
    found, address, begins = "", "", 0
    alone = _is_one_link(parts)
    # What ends an item in emphasis is its figure: HTML sets it to the right.
    figure = in_list and [part.type for part in parts if part.content or part.type != "text"][-1:] == ["em_close"]
    for part in parts:
        match part.type:
            case "text":
                found += part.content
            case "softbreak" | "hardbreak":
                found += "\n"
            case "em_open" if figure:
                found = found.rstrip() + ": "
            case "link_open":
                address, begins = str(part.attrGet("href")), len(found)
            case "link_close" if found[begins:] != address.removeprefix("mailto:"):
                found += f": {address}" if alone else f" ({address})"
    return found
