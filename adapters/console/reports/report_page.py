"""A report as one page of HTML: charts drawn into it, the figures beside each; nothing is fetched, no script runs."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

MOST_BARS = 20
"""What a chart can show legibly; the table beside it shows all."""
MANY_COLUMNS = 5
"""A table of more stands under its chart."""


class Tile(NamedTuple):
    """A figure that is read first, and what it is made of or should be."""

    name: str
    figure: str
    notes: Sequence[str] = ()


def document(
    title: str, says: str, about: Sequence[str], sections: Sequence[str], notes: str, tiles: Sequence[Tile] = ()
) -> str:
    """The whole page. Whatever comes from outside is escaped, but for the sections, which are made here."""
    shown = "".join(map(_tile, tiles))
    return _PAGE.format(
        title=escape(title),
        says=f"<p>{escape(says)}</p>" if says else "",
        about=" · ".join(escape(each) for each in about if each),
        tiles=f'<div class="tiles">{shown}</div>' if shown else "",
        sections="\n".join(sections),
        notes=escape(notes),
    )


def _tile(tile: Tile) -> str:
    notes = "".join(f"<small>{escape(note)}</small>" for note in tile.notes if note)
    return f'<div class="tile"><span>{escape(tile.name)}</span><strong>{escape(tile.figure)}</strong>{notes}</div>'


def section(title: str, explanation: str, chart: str, table: str, columns: int = 0) -> str:
    """A chart and its figures, beside it or, where they have many columns, under it."""
    layout = "stacked" if columns > MANY_COLUMNS else "beside"
    said = f"<p>{escape(explanation)}</p>" if explanation else ""
    figures = f'<div class="figures" tabindex="0" role="group" aria-label="{escape(title)}">{table}</div>'
    return f'<section><h2>{escape(title)}</h2>{said}<div class="{layout}">{chart}{figures}</div></section>'


def table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> str:
    """Rows under headings, without columns that are empty. A heading that starts with ``>`` is of numbers."""
    if not rows:
        return f'<p class="none">{escape(empty)}</p>'
    filled = [index for index in range(len(headings)) if not index or any(row[index] for row in rows)]
    leans = {index: ' class="n"' if headings[index].startswith(">") else "" for index in filled}
    head = "".join(
        f'<th scope="col"{leans[index]}>{escape(headings[index].removeprefix(">")) or "what"}</th>' for index in filled
    )
    body = "".join(
        "<tr>" + "".join(f"<td{leans[index]}>{escape(row[index])}</td>" for index in filled) + "</tr>" for row in rows
    )
    named = f"<caption>{escape(caption)}</caption>"
    return f"<table>{named}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --paper: #fff; --line: #d1d9e0; --tile: #f4f6f8;
  --bar: #0072b2; --red: #c44e00; --green: #00815e; --pink: #a9447f; --grey: #767676; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e6edf3; --soft: #9da7b1; --paper: #12161b; --line: #3a424b; --tile: #1c2229;
    --bar: #56b4e9; --red: #f0803c; --green: #2fbf93; --pink: #dc8fbb; --grey: #9a9a9a; }}
}}
body {{ font: 15px/1.45 system-ui, "Noto Sans", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; color: var(--ink);
  background: var(--paper); margin: 0 auto; padding: 2rem; max-width: 80rem; }}
h1 {{ margin: 0 0 .25rem; font-size: 1.7rem; line-height: 1.2; }}
h2 {{ margin: 2.25rem 0 .25rem; font-size: 1.2rem; }}
p {{ margin: 0 0 .75rem; color: var(--soft); max-width: 60rem; overflow-wrap: anywhere; }}
.about {{ font-size: .9rem; }}
footer {{ margin-top: 2rem; }}
.tiles {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; margin-top: 1rem; }}
.tile {{ background: var(--tile); border-radius: .5rem; padding: .75rem 1rem; display: grid; align-content: start; }}
.tile strong {{ font-size: 1.4rem; overflow-wrap: anywhere; }}
.tile span, .tile small {{ color: var(--soft); }}
.beside {{ display: grid; grid-template-columns: minmax(0, 3fr) minmax(min-content, 2fr);
  gap: 1.5rem; align-items: start; }}
.stacked {{ display: grid; grid-template-columns: minmax(0, 1fr); gap: 1rem; }}
.stacked figure {{ max-width: 46rem; }}
.beside > .figures:first-child {{ grid-column: 1 / -1; }}
figure {{ margin: 0; }}
svg {{ width: 100%; height: auto; display: block; }}
svg text {{ fill: var(--ink); font-size: 13px; font-family: inherit; }}
svg .tick {{ fill: var(--soft); font-size: 12px; }}
svg .goal {{ fill: var(--red); font-size: 12px; }}
.grid {{ stroke: var(--line); stroke-width: 1; }}
.axis {{ stroke: var(--soft); stroke-width: 1; }}
.target {{ stroke: var(--red); stroke-width: 2; stroke-dasharray: 5 3; }}
.bar {{ fill: var(--bar); stroke: var(--paper); stroke-width: 1; }}
.bar.missed, .bar.late {{ fill: var(--red); }}
.bar.good {{ fill: var(--green); }}
.bar.third {{ fill: var(--pink); }}
.bar.rest {{ fill: var(--grey); }}
figcaption {{ display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; color: var(--soft); font-size: .85rem; }}
figcaption i {{ display: inline-block; width: .8rem; height: .8rem; margin-right: .4rem; background: var(--bar); }}
figcaption i.missed, figcaption i.late {{ background: var(--red); }}
figcaption i.good {{ background: var(--green); }}
figcaption i.third {{ background: var(--pink); }}
figcaption i.rest {{ background: var(--grey); }}
figcaption i.goal {{ width: 0; background: none; border-left: 2px dashed var(--red); }}
.figures {{ max-height: 42rem; overflow: auto; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .85rem; }}
caption {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }}
th, td {{ text-align: left; padding: .25rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top; }}
th.n, td.n {{ text-align: right; white-space: nowrap; }}
th:first-child, td:first-child {{ min-width: 6rem; }}
td {{ overflow-wrap: anywhere; }}
thead th {{ position: sticky; top: 0; background: var(--paper); box-shadow: inset 0 -1px var(--line); }}
@media (min-width: 80rem) {{ .beside {{ grid-template-columns: minmax(0, 1fr) minmax(min-content, 1fr); }} }}
@media (max-width: 56rem) {{ .beside {{ grid-template-columns: minmax(0, 1fr); }} body {{ padding: 1rem; }} }}
@page {{ size: A4; margin: 15mm; }}
@media print {{
  :root {{ color-scheme: light; --ink: #000; --soft: #444; --paper: #fff; --line: #bbb; --tile: #fff; --bar: #0072b2;
    --red: #c44e00; --green: #00815e; --pink: #a9447f; --grey: #767676; }}
  body {{ padding: 0; font-size: 10pt; max-width: none; }}
  .beside {{ grid-template-columns: minmax(0, 1fr); gap: .5rem; }}
  .figures {{ max-height: none; overflow: visible; }}
  figure {{ max-width: 140mm; }}
  .bar, figcaption i {{ print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
  .tile {{ border: 1px solid var(--line); }}
  .tile strong {{ font-size: 1.1rem; }}
  thead th {{ position: static; }}
  h2, figure, tr {{ break-inside: avoid; break-after: auto; }}
  h2, h2 + p {{ break-after: avoid; }}
}}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{says}
<p class="about">{about}</p>
{tiles}
{sections}
</main>
<footer><p>{notes}</p></footer>
</body>
</html>
"""
