"""The log as a recorder of the eventsourcing library, so that any application, notification log or projection of
the library can open it. The service itself uses ``Log``.

An application names it in its environment: ``PERSISTENCE_MODULE`` of the library for PostgreSQL,
``APPLICATION_RECORDER_TOPIC`` for ``Journal``, and ``MAPPER_TOPIC`` for a subclass of ``FactMapper``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from eventsourcing.persistence import ApplicationRecorder, Mapper, StoredEvent, Subscription
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore, PostgresSubscription
from psycopg import Cursor
from psycopg.rows import DictRow
from psycopg.sql import SQL, Identifier, Literal

from ledger.engine.log import EVENTS_TABLE, LOCK_SEED
from ledger.engine.log_sql import NOTIFY, TAKE_LOCK
from ledger.engine.registry import Registry
from ledger.facts import Fact
from ledger.view import Noun

_POLL_SECONDS = 1.0


class Journal(PostgresApplicationRecorder):
    """Our events table as the library's application recorder.

    Its tables are made by the migrations of adapters/database/migrations.py, so it creates none.
    """

    def __init__(self, datastore: PostgresDatastore, *, events_table_name: str = EVENTS_TABLE) -> None:
        super().__init__(datastore, events_table_name=events_table_name)
        self.sql_create_statements.clear()
        names = {
            "events": Identifier(datastore.schema, events_table_name),
            "seed": Literal(LOCK_SEED),
            "channel": Literal(self.channel_name),
            "schema_name": Literal(datastore.schema),
        }
        self.lock_table_statements = [
            SQL("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"),
            SQL("SET LOCAL lock_timeout = '{0}s'").format(datastore.lock_timeout),
            SQL(cast("Any", TAKE_LOCK)).format(**names),
        ]
        append = """
            INSERT INTO {events} (originator_id, originator_version, topic, state, notification_id)
            SELECT stream, version, topic, state, (SELECT coalesce(max(notification_id), 0) FROM {events}) + ordinal
            FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::bytea[])
                WITH ORDINALITY AS fact (stream, version, topic, state, ordinal)
            RETURNING notification_id
        """
        self.insert_events_statement = SQL(cast("Any", append)).format(**names)
        self._notify = SQL(cast("Any", NOTIFY)).format(**names)

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Appends under the tenant's lock and returns the positions.

        Unlike the library's, it never retries: after a lost connection nobody knows whether the first
        attempt was committed, and a second would report a conflict for a commit that happened.
        """
        with self.datastore.transaction(commit=True) as cursor:
            for statement in self.lock_table_statements:
                cursor.execute(statement)
            self._insert_events(cursor, stored_events, **kwargs)
            if not stored_events:
                return []
            self._insert_stored_events(cursor, stored_events, **kwargs)
            return sorted(row["notification_id"] for row in cursor.fetchall())

    def _insert_stored_events(self, curs: Cursor[DictRow], stored_events: Sequence[StoredEvent], **kwargs: Any) -> None:
        curs.execute(self._notify)
        columns = (
            [str(event.originator_id) for event in stored_events],
            [event.originator_version for event in stored_events],
            [event.topic for event in stored_events],
            [event.state for event in stored_events],
        )
        curs.execute(self.insert_events_statement, columns)

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        """Everything after a position, as it comes."""
        return _PollingSubscription(self, gt, topics)


class _PollingSubscription(PostgresSubscription):
    """Looks for new events every second, announced or not.

    The library's looks only when it is notified: what is appended between its first look and its LISTEN
    would stay unseen until something else comes.
    """

    def _pull(self) -> None:
        super()._pull()
        while not (self._has_been_notified.wait(_POLL_SECONDS) or self._has_been_stopped):
            super()._pull()


@dataclass(frozen=True, slots=True)
class RecordedFact:
    """A fact in the form that the library expects of domain events."""

    originator_id: str
    originator_version: int
    fact: Fact


class FactMapper(Mapper[str]):
    """Translates between the library's stored events and our facts; name it in MAPPER_TOPIC."""

    nouns: ClassVar[Sequence[Noun]]
    """What a subclass translates, such as ``ledger.nouns.NOUNS``."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._registry = Registry(self.nouns)

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        state = self._registry.encode(domain_event.fact)
        name = domain_event.fact.fact_name()
        return StoredEvent(domain_event.originator_id, domain_event.originator_version, name, state)

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        fact = self._registry.decode(stored_event.topic, stored_event.state)
        return RecordedFact(str(stored_event.originator_id), stored_event.originator_version, fact)
