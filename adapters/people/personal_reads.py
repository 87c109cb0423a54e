"""Who saw whom: personal data is given to nobody before it is noted who asked, by which RPC, and about what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from ledger.engine.log import Log
from ledger.engine.statements import in_schema

_OF_KEYS = """
    INSERT INTO {schema}.ledger_reads (client, rpc, object, subject)
    SELECT DISTINCT %(client)s, %(rpc)s, %(object)s, coalesce(subject, '') FROM {schema}.ledger_keys
    WHERE key_id = ANY(%(key_ids)s)
"""
_OF_SUBJECTS = """
    INSERT INTO {schema}.ledger_reads (client, rpc, object, subject)
    SELECT %(client)s, %(rpc)s, %(object)s, subject FROM unnest(%(subjects)s::text[]) AS seen (subject)
"""
_LIST = """
    SELECT read_id, at, client, rpc, object, subject FROM {schema}.ledger_reads
    WHERE (at, read_id) < (%(before_at)s, %(before_id)s) AND at >= %(since)s AND at < %(until)s
        AND (%(subjects)s::text[] IS NULL OR subject = ANY(%(subjects)s))
        AND (%(client)s::text IS NULL OR client = %(client)s OR starts_with(client, %(client)s || '/'))
    ORDER BY at DESC, read_id DESC LIMIT %(limit)s
"""


class Viewer(NamedTuple):
    """Who asks, and about what."""

    client: str
    """Its name, with whom of its people the identity provider names; empty for everybody while none is registered."""
    rpc: str
    object: str
    """The stream whose personal data is shown, or what else was asked for."""


class Read(NamedTuple):
    """Somebody saw a person."""

    read_id: int
    at: datetime
    client: str
    rpc: str
    object: str
    subject: str
    """Whose data keys were used; of lists, whom they are about."""


class ReadFilter(NamedTuple):
    """Which reads are asked for; None says nothing."""

    subjects: Sequence[str] | None
    client: str | None
    since: datetime
    until: datetime


async def note_keys(log: Log, viewer: Viewer, key_ids: Iterable[str]) -> None:
    """What is sealed under these keys is about to be shown; once for each whose keys they are."""
    if known := list(key_ids):
        await _execute(log, _OF_KEYS, {**viewer._asdict(), "key_ids": known})


async def note_subjects(log: Log, viewer: Viewer, subjects: Iterable[str]) -> None:
    """The same, where it is known about whom it is."""
    if known := list(dict.fromkeys(subjects)):
        await _execute(log, _OF_SUBJECTS, {**viewer._asdict(), "subjects": known})


async def list_reads(log: Log, about: ReadFilter, before: tuple[datetime, int], limit: int) -> list[Read]:
    """The newest first."""
    parameters = {**about._asdict(), "before_at": before[0], "before_id": before[1], "limit": limit}
    async with log.pool.connection() as connection:
        rows = await (await connection.execute(in_schema(_LIST, log.schema), parameters)).fetchall()
    return [Read._make(row) for row in rows]


async def _execute(log: Log, query: str, parameters: dict[str, Any]) -> None:
    async with log.pool.connection() as connection:
        await connection.execute(in_schema(query, log.schema), parameters)
