"""The language of templates, a small part of Jinja's: what a template may say, and how it is filled.

A template prints values by their names, chooses with ``{% if %}`` and repeats for each row of a table with
``{% for %}``. It has no calls, no arithmetic, no assignments and no loops in loops, and it reads no attribute but
the columns of a row. So its work is bounded by its own length and by what is printed, which is bounded as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import NamedTuple

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from adapters.messages.markup import one_line, quoted

Row = Mapping[str, str]
Values = Mapping[str, "str | int | Sequence[Row]"]
"""What a template is filled with, by name: words, figures, and tables as rows of words."""

MOST_SUBJECT, MOST_BODY = 1_000, 20_000
"""Characters of a template's parts."""
MOST_PRINTED = 200_000
"""Characters of a message."""
_MOST_DEPTH = 20
_FILTERS: Mapping[str, Callable[..., object]] = {"upper": str.upper, "lower": str.lower, "capitalize": str.capitalize}
_LOOP = frozenset({"first", "last", "index"})

_PLAIN = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr, nodes.And, nodes.Or, nodes.Not),
    *(nodes.Compare, nodes.Operand, nodes.Const, nodes.Tuple, nodes.List),
)
"""What needs no looking at but for its parts."""


class BadTemplate(Exception):
    """The template cannot be used."""

    def __init__(self, part: str, line: int, problem: str) -> None:
        super().__init__(f"{part}, line {line}: {problem}")
        self.part = part
        """``subject`` or ``body``."""
        self.line = line
        """From 1."""
        self.problem = problem


class Wording(NamedTuple):
    """A template that can be filled."""

    subject: Template
    body: Template

    def fill(self, values: Values) -> tuple[str, str]:
        """The subject, and the body in the markup of messages; raises BadTemplate where one of them says too much."""
        return one_line(_printed(self.subject, "subject", values)), _printed(self.body, "body", values).strip()


def _printed(template: Template, part: str, values: Values) -> str:
    found, length = [], 0
    for piece in template.generate(values):
        length += len(piece)
        if length > MOST_PRINTED:
            raise BadTemplate(part, 1, f"it prints more than {MOST_PRINTED:,} characters")
        found.append(piece)
    return "".join(found)


def _environment(finish: Callable[[object], object]) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        lstrip_blocks=True, undefined=StrictUndefined, finalize=finish, autoescape=False
    )
    environment.globals.clear()
    environment.tests.clear()
    environment.filters.clear()
    environment.filters.update(_FILTERS)
    return environment


_TAGS_ALONE = re.compile(
    r"^(?![ \t]*\{%-)([ \t]*(?:(?:\{%(?:(?!%\}).)*%\}|\{#(?:(?!#\}).)*#\})[ \t]*)+)\n", re.MULTILINE
)


def _source(written: str) -> str:
    """A line of tags alone prints no line: its end stands in a comment, so that lines are still counted rightly.

    One that begins with ``{%-`` goes on with the line above.
    """
    return _TAGS_ALONE.sub(r"\1{#\n#}", written)


_SUBJECTS = _environment(lambda value: one_line(str(value)))
_BODIES = _environment(lambda value: quoted(str(value)))


@lru_cache(maxsize=1024)
def wording(subject: str, body: str) -> Wording:
    """The template of these two sources, which were checked before."""
    return Wording(_SUBJECTS.from_string(_source(subject)), _BODIES.from_string(_source(body)))


def check(subject: str, body: str, samples: Iterable[Values]) -> None:
    """Raises BadTemplate, with the line, unless it is understood and says something of each sample.

    The first sample has a row of every table, which shows its columns.
    """
    samples = list(samples)
    names = samples[0]
    for part, source, most, environment in (
        ("subject", subject, MOST_SUBJECT, _SUBJECTS),
        ("body", body, MOST_BODY, _BODIES),
    ):
        if len(source) > most:
            raise BadTemplate(part, 1, f"{len(source):,} characters, {most:,} at most")
        try:
            _Inspector(part, names).look(environment.parse(_source(source)), 0)
        except TemplateSyntaxError as error:
            raise BadTemplate(part, error.lineno, error.message or "it is not understood") from None
        except RecursionError:
            raise BadTemplate(part, 1, "it is nested too deep") from None
    filled = wording(subject, body)
    for sample in samples:
        for part, printed in zip(("subject", "body"), filled.fill(sample), strict=True):
            if not printed.strip():
                raise BadTemplate(part, 1, f"it says nothing{_of(sample)}")


def _of(sample: Values) -> str:
    said = ", ".join(f"{name} is {sample[name]!r}" for name in ("reason", "clock") if sample.get(name))
    return f" where {said}" if said else ""


class _Inspector:
    """Goes through a template's tree, and knows the columns of the row that a loop is at."""

    def __init__(self, part: str, names: Values) -> None:
        self._part = part
        self._names = names
        self._row = ""
        """How the loop calls its row; empty outside of one."""
        self._columns: frozenset[str] = frozenset()

    def look(self, node: nodes.Node, depth: int) -> None:
        if depth > _MOST_DEPTH:
            raise self._bad(node, "it is nested too deep")
        match node:
            case nodes.For():
                self._loop(node, depth)
                return
            case nodes.Getattr(node=nodes.Name(name=name), attr=column):
                self._column(node, name, column)
                return
            case nodes.Name(name=name):
                self._name(node, name)
            case nodes.Filter(name=name, args=[], kwargs=[], dyn_args=None, dyn_kwargs=None) if name in _FILTERS:
                pass
            case nodes.Filter(name=name):
                raise self._bad(node, f"there is no filter {name!r} like this; {_listed(_FILTERS)}")
            case _ if not isinstance(node, _PLAIN):
                raise self._bad(node, f"{_NAMES.get(type(node), type(node).__name__.lower())} cannot be used here")
            case _:
                pass
        for each in node.iter_child_nodes():
            self.look(each, depth + 1)

    def _loop(self, node: nodes.For, depth: int) -> None:
        table, row = node.iter, node.target
        if self._row:
            raise self._bad(node, "a loop cannot stand in a loop")
        rows = self._names.get(table.name, "") if isinstance(table, nodes.Name) else ""
        if isinstance(rows, str | int):
            raise self._bad(node, f"a loop goes through a table; {_listed(self._tables())}")
        if not isinstance(row, nodes.Name) or node.recursive or node.test:
            raise self._bad(node, "write a loop as {% for row in table %}")
        self._row, self._columns = row.name, frozenset(rows[0] if rows else ())
        for each in (*node.body, *node.else_):
            self.look(each, depth + 1)
        self._row, self._columns = "", frozenset()

    def _column(self, node: nodes.Node, name: str, column: str) -> None:
        known = self._columns if name == self._row else _LOOP if name == "loop" and self._row else frozenset()
        if column not in known:
            raise self._bad(node, f"there is no {name}.{column}; {_listed(known)}")

    def _name(self, node: nodes.Node, name: str) -> None:
        if isinstance(self._names.get(name), str | int):
            return
        if name in self._names:
            raise self._bad(node, f"{name} is a table: print its rows with {{% for row in {name} %}}")
        near = get_close_matches(name, self._names, 1)
        hint = f"did you mean {near[0]}?" if near else _listed(self._names)
        raise self._bad(node, f"there is no {name!r}; {hint}")

    def _tables(self) -> Iterator[str]:
        return (name for name, value in self._names.items() if not isinstance(value, str | int))

    def _bad(self, node: nodes.Node, problem: str) -> BadTemplate:
        return BadTemplate(self._part, node.lineno, problem)


_NAMES: Mapping[type[nodes.Node], str] = {
    nodes.Call: "a call",
    nodes.Getitem: "an index",
    nodes.Getattr: "a part of a value",
    nodes.Assign: "an assignment",
    nodes.AssignBlock: "an assignment",
    nodes.With: "an assignment",
    nodes.Include: "another template",
    nodes.Extends: "another template",
    nodes.Import: "another template",
    nodes.FromImport: "another template",
    nodes.Macro: "a macro",
    nodes.CallBlock: "a macro",
    nodes.Block: "a block",
    nodes.Test: "a test",
    nodes.Concat: "~",
    nodes.Mul: "arithmetic",
    nodes.Add: "arithmetic",
    nodes.Sub: "arithmetic",
    nodes.Div: "arithmetic",
    nodes.FloorDiv: "arithmetic",
    nodes.Mod: "arithmetic",
    nodes.Pow: "arithmetic",
}


def _listed(names: Iterable[str]) -> str:
    found = sorted(names)
    return f"there are {', '.join(found)}" if found else "there is none"
