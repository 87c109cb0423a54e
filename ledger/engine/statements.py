"""Statements on the tables of a tenant, as they are sent."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from string import Formatter
from typing import Any, cast

from psycopg.sql import SQL, Composable, Identifier


def in_schema(template: str, schema: str, **names: Composable) -> bytes:
    """SQL of ours with the tenant's names in it: ``{schema}`` is its schema, and what is not given is a table there."""
    return _rendered(template, schema, names) if names else _kept(template, schema)


def _rendered(template: str, schema: str, names: Mapping[str, Composable]) -> bytes:
    used = {name for _, name, _, _ in Formatter().parse(template) if name}
    tables = {name: Identifier(schema, name) for name in used if name != "schema"}
    return SQL(cast("Any", template)).format(**{"schema": Identifier(schema), **tables, **names}).as_bytes(None)


@lru_cache(16_384)
def _kept(template: str, schema: str) -> bytes:
    """Kept, because the same is sent again and again, and making it takes as long as sending it."""
    return _rendered(template, schema, {})
