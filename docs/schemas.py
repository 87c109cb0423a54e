"""The facts for those who read the log: a JSON Schema of each, and the pages that say what each means.

``adapters/schemas/facts.json`` remembers since when there is a fact, or a field of one: what is new in it gets the
version that the service has now, and keeps it.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any, cast

import msgspec
from msgspec import inspect as types

from adapters.fact_schemas import DIALECT, FILE, ID, MEANINGS, REF, SINCE, UNIT, Schema, is_fact, type_in_words
from fulfilment import __version__
from ledger.engine.registry import Registry
from ledger.nouns import NOUNS

_UNITS = {
    "minor": "minor units of the currency",
    "grams": "g",
    "bytes": "bytes",
    "seconds": "seconds",
    "minutes": "minutes",
    "hours": "hours",
    "days": "days",
    "basis_points": "1/100 %",
    "minute": "minutes since midnight",
    "units": "units",
    "quantity": "units",
    "by_line": "units by line number",
}
"""What a number counts, by how the name of its field ends; no number before it, as in a rate of 30 days."""
_UNIT = re.compile(rf"(?:^|(?<!\d)_)({'|'.join(_UNITS)})$")


# --- the schemas ----------------------------------------------------------------------------------


def schemas_file() -> str:
    """The schemas of all facts, a line each."""
    known: Mapping[str, Schema] = json.loads(FILE.read_text())["$defs"] if FILE.exists() else {}
    facts = Registry(NOUNS).classes
    _, found = msgspec.json.schema_components(facts.values(), ref_template=REF + "{name}")
    names = {cls.__name__: name for name, cls in facts.items()}
    classes = _classes(facts.values())
    told = {names.get(name, name): _part(classes[name], found[name], names) for name in found}
    parts = {name: dated(told[name], known.get(name)) for name in sorted(told)}
    head = {"$schema": DIALECT, "$id": ID, "title": "The facts of the fulfilment ledger"}
    one_of = [{"$ref": REF + name} for name, part in parts.items() if is_fact(part)]
    lines = (f"{json.dumps(name)}: {json.dumps(part, ensure_ascii=False)}" for name, part in parts.items())
    top = json.dumps({**head, "oneOf": one_of}, ensure_ascii=False).removesuffix("}")
    return f'{top}, "$defs": {{\n' + ",\n".join(lines) + "\n}}\n"


def _classes(facts: Any) -> dict[str, type]:
    """The classes of all facts and of what they are made of, by their names."""
    found: dict[str, type] = {}

    def walk(kind: types.Type) -> None:
        cls = getattr(kind, "cls", None)
        if cls is not None and cls.__name__ not in found:
            found[cls.__name__] = cls
            for each in getattr(kind, "fields", ()):
                walk(each.type)
        for each in _within(kind):
            walk(each)

    for kind in types.multi_type_info(facts):
        walk(kind)
    return found


def _within(kind: types.Type) -> Sequence[types.Type]:
    match kind:
        case types.UnionType():
            return kind.types
        case types.ListType() | types.VarTupleType():
            return (kind.item_type,)
        case types.TupleType():
            return kind.item_types
        case types.DictType():
            return (kind.key_type, kind.value_type)
        case _:
            return ()


def _part(cls: type, schema: Schema, names: Mapping[str, str]) -> Schema:
    """The schema of a class with what msgspec leaves out: instants, keys that are numbers, units, what fields mean."""
    if issubclass(cls, Enum):
        meanings = {cls[name].value: text for name, text in _said(cls).items() if name in cls.__members__}
        return {**schema, **({MEANINGS: meanings} if meanings else {})}
    said = {name: text for each in reversed(cls.__mro__) for name, text in _said(each).items()}
    for field in cast("types.StructType", types.type_info(cls)).fields:
        of_it = schema["properties"][field.encode_name]
        _complete(field.type, of_it)
        if (unit := _UNIT.search(field.name)) and '"integer"' in json.dumps(of_it):
            of_it[UNIT] = _UNITS[unit[1]]
        if field.name in said:
            of_it["description"] = said[field.name]
    schema["description"] = " ".join(schema.get("description", "").replace("``", "`").split())
    text = json.dumps(schema)
    return cast("Schema", json.loads(re.sub(rf'"{re.escape(REF)}(\w+)"', lambda m: _renamed(m, names), text)))


def _renamed(found: re.Match[str], names: Mapping[str, str]) -> str:
    return f'"{REF}{names.get(found[1], found[1])}"'


def _complete(kind: types.Type, schema: Schema) -> None:
    match kind:
        case types.DateTimeType():
            schema["format"] = "date-time"
        case types.ListType() | types.VarTupleType() if "items" in schema:
            _complete(kind.item_type, schema["items"])
        case types.TupleType():
            for each, of_it in zip(kind.item_types, schema["prefixItems"], strict=True):
                _complete(each, of_it)
        case types.DictType():
            if isinstance(kind.key_type, types.IntType):
                schema["propertyNames"] = {"pattern": "^-?[0-9]+$"}
            _complete(kind.value_type, schema["additionalProperties"])
        case types.UnionType():
            plain = [each for each in kind.types if not isinstance(each, types.NoneType)]
            options = [each for each in schema["anyOf"] if each != {"type": "null"}]
            if len(plain) == len(options) == 1:
                _complete(plain[0], options[0])
        case _:
            pass


@cache
def _said(cls: type) -> Mapping[str, str]:
    """What stands below the fields of a class, or the members of an enum, by their names."""
    if not cls.__module__.startswith("ledger."):
        return {}
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(node, ast.ClassDef)
    said = {}
    for above, below in zip(node.body, node.body[1:], strict=False):
        target = above.target if isinstance(above, ast.AnnAssign) else getattr(above, "targets", [None])[0]
        if isinstance(target, ast.Name) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            said[target.id] = " ".join(str(below.value.value).replace("``", "`").split())
    return said


def dated(part: Schema, known: Schema | None, version: str = __version__) -> Schema:
    """With the version that it, and each field that came later, is there since: what was not known is new."""
    if "properties" not in part:
        return part
    since = version if known is None else known[SINCE]
    before = part["properties"] if known is None else known["properties"]
    for name, field in part["properties"].items():
        came = before[name].get(SINCE, since) if name in before else version
        if came != since:
            field[SINCE] = came
    return {**part, SINCE: since}


# --- the pages ------------------------------------------------------------------------------------

_MARK = "<!-- Generated by `make docs` from the classes of the facts. -->"
_INDEX = f"""\
# Facts

{_MARK}

The {{count}} facts that the ledger records, each with what it means and the version of the service that it is there
since. A name leads to its fields. `fulfilment log schemas` lists them as well, `fulfilment log schemas NAME --json`
prints the JSON Schema of one (draft 2020-12), and `AuditService.ListFactSchemas` answers these to programs.

A fact is a JSON object, and its name is in its field `fact`. What a fact leaves out has the default. Names and fields
are never renamed or removed; new facts, new optional fields and new words of an enum come, so a reader ignores what
it does not know. Instants are RFC 3339 with an offset. Personal data is [sealed](facts/parts.md#sealed).
`adapters/schemas/facts.json` has the schemas of all.
"""
_NOUN = f"# Facts of {{noun}}\n\n{_MARK}\n\n[All facts](../facts.md)\n"
_PARTS = f"# Parts of facts\n\n{_MARK}\n\nWhat several facts, or their parts, are made of. [All facts](../facts.md)\n"


def fact_pages(file: str) -> dict[str, str]:
    """The pages by their paths, from the file of the schemas."""
    parts: Mapping[str, Schema] = json.loads(file)["$defs"]
    facts = {name: part for name, part in parts.items() if is_fact(part)}
    by_noun: defaultdict[str, list[str]] = defaultdict(list)
    for name in facts:
        by_noun[name.partition(".")[0]].append(name)
    index = [_INDEX.format(count=len(facts))]
    pages = {}
    for noun, names in by_noun.items():
        index += [f"## {noun}\n", "| fact | what it means | since |", "|---|---|---|"]
        index += [*(_line(noun, name, facts[name]) for name in names), ""]
        told = "\n".join(_section(name, facts[name]) for name in names)
        pages[f"facts/{noun}.md"] = f"{_NOUN.format(noun=noun)}\n{told}"
    others = "\n".join(_section(name, part) for name, part in parts.items() if name not in facts)
    return {"facts.md": "\n".join(index), "facts/parts.md": f"{_PARTS}\n{others}", **pages}


def _line(noun: str, name: str, part: Schema) -> str:
    return f"| [{name}](facts/{noun}.md#{_anchor(name)}) | {_cell(part['description'])} | {part[SINCE]} |"


def _anchor(name: str) -> str:
    return name.lower().replace(".", "")


def _section(name: str, part: Schema) -> str:
    since = f" Since {part[SINCE]}." if SINCE in part else ""
    head = f"## {name}\n\n{part.get('description', '')}{since}\n"
    if "enum" in part:
        meanings = part.get(MEANINGS, {})
        return head + "\n" + "\n".join(f"- `{word}`{_after(meanings.get(word))}" for word in part["enum"]) + "\n"
    rows = list(_rows(part))
    return head + "\n" + "\n".join(["| field | type | what |", "|---|---|---|", *rows]) + "\n" if rows else head


def _link(name: str) -> str:
    return f"[{name}](parts.md#{_anchor(name)})"


def _after(text: str | None) -> str:
    return f": {text}" if text else ""


def _rows(part: Schema) -> Iterator[str]:
    for name, field in part["properties"].items():
        if name == "fact":
            continue
        required = "required" if name in part.get("required", ()) else ""
        unit = f"in {field[UNIT]}" if UNIT in field else ""
        since = f"since {field[SINCE]}" if SINCE in field else ""
        default = field.get("default")
        if not required and default not in (None, "", [], {}, False):
            required = f"default `{json.dumps(default)}`"
        what = "; ".join(each.rstrip(".") for each in (field.get("description", ""), required, unit, since) if each)
        yield f"| `{name}` | {type_in_words(field, _link)} | {_cell(what)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
