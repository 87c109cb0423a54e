"""The whole file of an order as a page that needs nothing beside itself, on a screen and on paper."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import NamedTuple

from adapters.sentences import SentenceReader, catalogue

_CLASSES = {"position": "number", "happened": "at", "recorded": "at", "at": "at", "what": "what", "outcome": "what"}


class Cell(NamedTuple):
    """A text, and what stands below it, each in a way of its own."""

    text: str
    below: Sequence[tuple[str, str]] = ()
    """Classes of the style sheet, and texts."""
    kind: str = ""


Row = Mapping[str, Cell | str]


class Section(NamedTuple):
    """A heading, and a table under it."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Row]


def page(title: str, facts: Iterable[tuple[str, str]], sections: Sequence[Section], reader: SentenceReader) -> str:
    """All of it; headings and columns are told by their names in the words of the reader."""
    words = catalogue(reader.language)["file"]
    style = _style()
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"
    links = "".join(f'<a href="#{each.name}">{escape(words[each.name])} ({len(each.rows)})</a>' for each in sections)
    about = "".join(f"<div><dt>{escape(words[name])}</dt><dd>{escape(text)}</dd></div>" for name, text in facts)
    language = "zh-Hans" if reader.language == "zh" else reader.language
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="robots" content="noindex">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<header>\n<h1>{escape(title)}</h1>\n"
        f'<p class="soft">{escape(words["lead"])}</p>\n<dl class="meta">{about}</dl>\n<nav>{links}</nav>\n</header>\n'
        f"<main>\n{''.join(_section(each, words) for each in sections)}</main>\n</body>\n</html>\n"
    )


@cache
def _style() -> str:
    return files("adapters.rpc.finding").joinpath("pages", "order_file.css").read_text(encoding="utf-8")


def _section(section: Section, words: Mapping[str, str]) -> str:
    head = f'<section>\n<h2 id="{section.name}">{escape(words[section.name])}</h2>\n'
    if note := words.get(f"{section.name}_note"):
        head += f'<p class="soft">{escape(note)}</p>\n'
    if not section.rows:
        return f"{head}<p>{escape(words['none'])}</p>\n</section>\n"
    columns = "".join(f'<th scope="col">{escape(words[name])}</th>' for name in section.columns)
    rows = "".join(f"<tr>{''.join(_cell(name, row[name]) for name in section.columns)}</tr>\n" for row in section.rows)
    return (
        f'{head}<div class="wide"><table>\n<thead><tr>{columns}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table></div>\n</section>\n"
    )


def _cell(name: str, cell: Cell | str) -> str:
    shown = Cell(cell) if isinstance(cell, str) else cell
    within = escape(shown.text)
    if shown.kind:
        within = f'<span class="{shown.kind}">{within}</span>'
    within += "".join(f'<span class="{kind}">{escape(text)}</span>' for kind, text in shown.below if text)
    kind = _CLASSES.get(name, "")
    return f'<td class="{kind}">{within}</td>' if kind else f"<td>{within}</td>"
