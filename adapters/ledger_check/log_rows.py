"""Checks of rows that one statement compares for many: positions, outcomes of commands, keys, evidence."""

from __future__ import annotations

from typing import Any, cast

from psycopg import Connection

from adapters.ledger_check.findings import SHOWN, CheckTally
from ledger.engine.request_ids import sent_id
from ledger.engine.statements import in_schema

STEP = 20_000
"""Positions, or rows, that one statement looks at."""

_COUNT = """
    SELECT count(*), count(DISTINCT notification_id) FROM {schema}.ledger_events
    WHERE notification_id > %(after)s AND notification_id <= %(until)s
"""
_GAPS = """
    SELECT position FROM generate_series(%(after)s::bigint + 1, %(until)s::bigint) AS position
    WHERE NOT EXISTS (SELECT FROM {schema}.ledger_events WHERE notification_id = position)
    ORDER BY position LIMIT %(most)s
"""
_TWICE = """
    SELECT notification_id FROM {schema}.ledger_events
    WHERE notification_id > %(after)s AND notification_id <= %(until)s
    GROUP BY notification_id HAVING count(*) > 1 ORDER BY notification_id LIMIT %(most)s
"""
# The fact after the last is read too, so that a command whose facts go on there is not taken to be over.
_OF_COMMANDS = """
    SELECT position, stream, command, found, refused, ends, is_last FROM (
        SELECT notification_id AS position, originator_id AS stream, command, c.request_id IS NOT NULL AS found,
            c.refusal IS NOT NULL AS refused, c.position AS ends,
            lead(command) OVER (ORDER BY notification_id) IS DISTINCT FROM command AS is_last
        FROM {schema}.ledger_events LEFT JOIN {schema}.ledger_commands AS c ON c.request_id = command
        WHERE notification_id > %(after)s AND notification_id <= %(until)s + 1
    ) AS fact
    WHERE command IS NOT NULL AND position <= %(until)s
        AND (NOT found OR refused OR ends < position OR is_last AND ends <> position)
    ORDER BY position
"""
# Of what holds nothing personal it is not known whether it recorded something (engine/fingerprints.py). Where it did
# not, the fact that it found last is another command's.
_OUTCOMES = """
    SELECT request_id, c.position, refusal IS NULL AND (
            octet_length(fingerprint) = 36
            OR octet_length(fingerprint) = 32 AND e.notification_id IS NOT NULL AND e.command IS NULL
        ) AS recorded, e.command IS NOT DISTINCT FROM c.request_id AS is_its
    FROM {schema}.ledger_commands AS c LEFT JOIN {schema}.ledger_events AS e ON e.notification_id = c.position
    WHERE request_id > %(after)s ORDER BY request_id LIMIT %(most)s
"""
_KEYS = """
    SELECT key_id, subject FROM {schema}.ledger_keys
    WHERE key_id > %(after)s AND wrapped IS NULL AND destroyed_at IS NULL ORDER BY key_id LIMIT %(most)s
"""
_EVIDENCE = """
    SELECT sha256, subject, EXISTS (SELECT FROM {schema}.ledger_keys AS k WHERE k.key_id = e.key_id)
    FROM {schema}.ledger_evidence AS e WHERE (sha256, subject) > (%(after)s, %(subject)s)
    ORDER BY sha256, subject LIMIT %(most)s
"""


class LogRows:
    """One tenant's rows, up to a position of its log."""

    def __init__(self, connection: Connection[Any], schema: str, head: int) -> None:
        self._connection = connection
        self._schema = schema
        self._head = head

    def positions(self, tally: CheckTally, after: int) -> int:
        """Looks at the next positions and at whose they are; returns up to which."""
        until = min(after + STEP, self._head)
        ((count, different),) = self._rows(_COUNT, after=after, until=until)
        tally.look("positions", count)
        if count != until - after or count != different:
            for (position,) in self._rows(_GAPS, after=after, until=until, most=SHOWN):
                tally.find("positions", "no fact has it", position)
            for (position,) in self._rows(_TWICE, after=after, until=until, most=SHOWN):
                tally.find("positions", "several facts have it", position)
        self._commands(tally, after, until)
        return until

    def _commands(self, tally: CheckTally, after: int, until: int) -> None:
        """Each fact has the outcome of the command that recorded it, which stands where its last fact is."""
        tally.look("outcomes of facts", until - after)
        for position, stream, command, found, refused, ends, _ in self._rows(_OF_COMMANDS, after=after, until=until):
            name = sent_id(command)
            if not found:
                what = f"request {name} has no outcome"
            elif refused:
                what = f"request {name} was refused, and has facts"
            else:
                what = f"request {name} ended at position {ends}"
            tally.find("outcomes of facts", what, position, stream)

    def outcomes(self, tally: CheckTally, after: str, from_position: int) -> str | None:
        """Looks at the next outcomes; returns after which to go on, None at the end."""
        rows = self._rows(_OUTCOMES, after=after, most=STEP)
        for request_id, position, recorded, is_its in rows:
            if not from_position < position <= self._head:
                continue
            tally.look("facts of outcomes")
            if recorded and not is_its:
                what = f"request {sent_id(request_id)} recorded facts up to there, and they are not there"
                tally.find("facts of outcomes", what, position)
        return rows[-1][0] if len(rows) == STEP else None

    def keys(self, tally: CheckTally) -> None:
        """Each key wraps something or was destroyed, and each piece of evidence has one."""
        for key_id, subject in self._rows(_KEYS, after="", most=SHOWN):
            tally.find("keys", f"key {key_id} of {subject} is empty, and nobody destroyed it")
        last = ("", "")
        while rows := self._rows(_EVIDENCE, after=last[0], subject=last[1], most=STEP):
            tally.look("evidence", len(rows))
            for sha256, subject, has_key in rows:
                if not has_key:
                    tally.find("evidence", f"evidence {sha256} of {subject} has no key")
            last = rows[-1][:2]

    def _rows(self, template: str, **values: Any) -> list[tuple[Any, ...]]:
        return cast(
            "list[tuple[Any, ...]]", self._connection.execute(in_schema(template, self._schema), values).fetchall()
        )
