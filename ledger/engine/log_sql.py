"""The SQL of the log: what a batch asks and appends under the lock, and what others read.

Templates for ``in_schema``. Parameters are ``$1`` where statements are sent in a pipeline (``wire``), else ``%b``.
"""

TAKE_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended({schema_name}, {seed}))"
NOTIFY = "SELECT pg_notify({channel}, {schema_name})"
APPEND = """
    WITH facts AS (
        INSERT INTO {ledger_events} (originator_id, originator_version, topic, state, notification_id, command)
        SELECT stream, version::bigint, topic, convert_to(state::text, 'UTF8'), $1::bigint + ordinal, command
        FROM ROWS FROM (
            json_array_elements_text($2), json_array_elements_text($3), json_array_elements_text($4),
            json_array_elements($5), json_array_elements_text($6)
        ) WITH ORDINALITY AS fact (stream, version, topic, state, command, ordinal)
    ), keys AS (
        INSERT INTO {ledger_keys} (key_id, subject, wrapped, email, phone, bound_to, epoch, purpose)
        SELECT key_id, subject, decode(wrapped, 'base64'), email, phone, bound_to, epoch::int, purpose
        FROM ROWS FROM (
            json_array_elements_text($7), json_array_elements_text($8), json_array_elements_text($9),
            json_array_elements_text($10), json_array_elements_text($11), json_array_elements_text($12),
            json_array_elements_text($13), json_array_elements_text($14)
        ) AS key (key_id, subject, wrapped, email, phone, bound_to, epoch, purpose)
    )
    INSERT INTO {ledger_commands} (request_id, fingerprint, actor, position, version, refusal)
    SELECT request_id, decode(fingerprint, 'base64'), actor, position::bigint, version::bigint, refusal::jsonb
    FROM ROWS FROM (
        json_array_elements_text($15), json_array_elements_text($16), json_array_elements_text($17),
        json_array_elements_text($18), json_array_elements_text($19), json_array_elements_text($20)
    ) AS outcome (request_id, fingerprint, actor, position, version, refusal)
"""
WARN = """
    UPDATE {ledger_commands} AS command SET warnings = given.warnings::jsonb
    FROM ROWS FROM (json_array_elements_text($1), json_array_elements($2)) AS given (request_id, warnings)
    WHERE command.request_id = given.request_id
"""
OPENING = """
    SELECT 'outcome' AS what, request_id AS name, version, actor AS word, fingerprint AS bytes, position, refusal::text,
        warnings::text
    FROM {ledger_commands} WHERE request_id = ANY($1::text[])
    UNION ALL (
        SELECT 'located', originator_id, originator_version, topic, state, notification_id, NULL, NULL
        FROM {ledger_events} WHERE notification_id >= $2::bigint ORDER BY notification_id LIMIT $3::bigint + 1
    ) UNION ALL (
        SELECT 'stream', originator_id, originator_version, topic, state, notification_id, NULL, NULL
        FROM {ledger_events} WHERE originator_id = ANY($4::text[]) LIMIT $3::bigint
    )
"""
# Ids of before clients had names begin with a printable character (request_ids). Whether there are any is one step into
# the index, and most tenants have none: only then it is worth to ask for them.
FORMER = """
    UNION ALL
        SELECT 'former', '', 0, '', NULL, 0, NULL, NULL
        WHERE EXISTS (SELECT FROM {ledger_commands} WHERE request_id >= '!' AND request_id < chr(127))
"""
OUTCOMES = """
    SELECT request_id, fingerprint, actor, position, version, refusal::text, warnings::text
    FROM {ledger_commands} WHERE request_id = ANY(%b::text[])
"""
STREAMS = """
    SELECT originator_id, originator_version, topic, state
    FROM {ledger_events} WHERE originator_id = ANY(%b::text[])
    ORDER BY originator_id, originator_version LIMIT %b::bigint
"""
TAIL = """
    SELECT notification_id, originator_id, originator_version, topic, state
    FROM {ledger_events} WHERE notification_id > %b::bigint ORDER BY notification_id LIMIT %b::bigint
"""
# A snapshot comes as a row without a topic, before the facts after it; one in several parts alone, without its state.
STREAMS_NOW = """
    SELECT head.position, found.stream, found.version, found.topic, found.state
    FROM (SELECT coalesce(max(notification_id), 0) AS position FROM {ledger_events}) AS head LEFT JOIN LATERAL (
        SELECT wanted.stream, facts.version, facts.topic, facts.state
        FROM unnest(%b::text[]) AS wanted (stream)
            LEFT JOIN LATERAL (
                SELECT version, parts, CASE WHEN parts = 1 THEN state END AS state FROM {ledger_snapshots}
                WHERE originator_id = wanted.stream AND shape = %b AND part = 0 AND position <= head.position
                ORDER BY version DESC LIMIT 1
            ) AS kept ON true
            CROSS JOIN LATERAL (
                SELECT kept.version AS version, '' AS topic, kept.state AS state WHERE kept.version IS NOT NULL
                UNION ALL (
                    SELECT originator_version, topic, state FROM {ledger_events}
                    WHERE originator_id = wanted.stream AND coalesce(kept.parts, 1) = 1
                        AND originator_version > coalesce(kept.version, 0)
                    ORDER BY originator_version LIMIT %b::bigint
                )
            ) AS facts
    ) AS found ON true
    ORDER BY found.stream, found.version
"""
HEAD = "SELECT coalesce(max(notification_id), 0) FROM {ledger_events}"
"""The position of the last fact, 0 while there is none."""
STREAM = """
    SELECT notification_id AS position, originator_id AS stream, originator_version AS version, topic, state,
        command, recorded_at
    FROM {ledger_events}
    WHERE originator_id = %b AND notification_id <= %b
    ORDER BY originator_version
"""
# Some facts are a thousand times as long as others: a page ends with the one that crosses the limit, or the second.
PAST = """
    SELECT event.notification_id AS position, event.originator_id AS stream, event.originator_version AS version,
        event.topic, event.state, event.command, event.recorded_at, coalesce(command.actor, '') AS actor
    FROM (
        SELECT page.*, row_number() OVER place AS place, sum(length(state)) OVER place - length(state) AS bytes_before
        FROM (SELECT * FROM {ledger_events} WHERE """
PAGE = """ ORDER BY notification_id LIMIT %b) AS page
        WINDOW place AS (ORDER BY notification_id ROWS UNBOUNDED PRECEDING)
    ) AS event LEFT JOIN {ledger_commands} AS command ON command.request_id = event.command
    WHERE bytes_before < %b OR place <= 2
    ORDER BY event.notification_id
"""
HISTORY = f"{PAST}originator_id = ANY(%b::text[]) AND notification_id > %b{PAGE}"
POSITIONS = """
    SELECT notification_id FROM {ledger_events}
    WHERE originator_id BETWEEN %b AND %b AND notification_id > %b AND notification_id <= %b LIMIT %b
"""
# Positions are dense, so that the middle of two is always there.
POSITION_BEFORE = """
    WITH RECURSIVE search (low, high) AS (
        SELECT 0::bigint, coalesce(max(notification_id), 0) FROM {ledger_events}
        UNION ALL
        SELECT CASE WHEN event.recorded_at < given.at THEN middle ELSE low END,
            CASE WHEN event.recorded_at < given.at THEN high ELSE middle - 1 END
        FROM (SELECT low, high, (low + high + 1) / 2 AS middle FROM search WHERE low < high) AS halved
            JOIN {ledger_events} AS event ON event.notification_id = middle, (SELECT %b::timestamptz AS at) AS given
    )
    SELECT low FROM search WHERE low >= high
"""
RECORDED_AT = "SELECT recorded_at FROM {ledger_events} WHERE notification_id = %b"
KEYS_OF = "SELECT key_id, subject, wrapped, epoch FROM {ledger_keys} WHERE key_id = ANY(%b::text[])"
DESTROY = """
    UPDATE {ledger_keys} AS key SET wrapped = NULL, email = NULL, phone = NULL, bound_to = NULL, destroyed_at = now()
    FROM ROWS FROM (json_array_elements_text($1), json_array_elements_text($2)) AS ended (subject, purpose)
    WHERE wrapped IS NOT NULL AND key.subject = ended.subject AND ended.purpose IN ('', key.purpose)
"""
FORGET = """
    UPDATE {ledger_commands} SET fingerprint = '' WHERE request_id IN (
        SELECT command FROM {ledger_events} WHERE originator_id = ANY(ARRAY(SELECT json_array_elements_text($1)))
    )
"""
FORGET_MARKED = "UPDATE {ledger_commands} SET fingerprint = '' WHERE octet_length(fingerprint) = 37"
