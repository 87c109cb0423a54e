"""What Citus does not take of SQL, as far as it can be seen in a statement: three kinds, which must not come back.

Every statement that the code sends while tests run is looked at; what only tests send is not.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from psycopg import _cursor_base

from ledger.engine import wire

HOUSE = Path(__file__).parents[2]
ROOMS = ("adapters", "ledger", "projections", "server.py")

_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/|('(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")", re.DOTALL)
_CHANGES = re.compile(r"(?<!\bFOR )(?<!\bKEY )(?<!\bON )\bUPDATE\b[^;]*?\bSET\b|\bMERGE\s+INTO\b", re.IGNORECASE)
_INSERTS = re.compile(r"\bINSERT\s+INTO\b(?:(?!\bVALUES\b).)*?\bSELECT\b", re.IGNORECASE | re.DOTALL)
_COLUMN = re.compile(
    r"\bADD\s+(?!CONSTRAINT\b)(?:\([\d\s,]*\)|[^,;])*?\b(?:CHECK|UNIQUE|PRIMARY\s+KEY|REFERENCES|CONSTRAINT)\b",
    re.IGNORECASE,
)
VOLATILE = re.compile(
    r"\b(clock_timestamp|timeofday|random|random_normal|gen_random_uuid|uuidv4|uuidv7|nextval|setval|currval|lastval"
    r"|set_config|setseed|txid_current|pg_\w*lock\w*|pg_notify|pg_sleep\w*|pg_current_xact_id\w*|pg_\w+_size|pg_terminate_backend|lo_\w+)\s*\(",
    re.IGNORECASE,
)


def not_portable(statement: str) -> str:
    """Why Citus would not take it; empty if it would."""
    bare = _COMMENTS.sub(lambda found: "'" if found[1] else " ", statement).strip().rstrip(";")
    if ";" in bare:
        return "two statements at once"
    if re.match(r"ALTER\s+TABLE\b", bare, re.IGNORECASE) and _COLUMN.search(bare):
        return "a constraint within ADD column"
    if (_CHANGES.search(bare) or _INSERTS.search(bare)) and (found := VOLATILE.search(bare)):
        return f"the volatile {found[1]} in UPDATE or INSERT ... SELECT"
    return ""


class NotPortable(AssertionError):
    """The code has sent what Citus does not take."""


_verdict = cache(not_portable)


def _require_portable(statement: bytes) -> None:
    if (why := _verdict(statement.decode(errors="replace"))) and (sender := _sender()):
        raise NotPortable(f"{sender} sent {why}: {statement.decode(errors='replace')}")


def _sender() -> str:
    """The place in our code that sends; empty if a test sends by itself."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(HOUSE) and "site-packages" not in path.parts and path != Path(__file__):
            name = path.relative_to(HOUSE)
            return f"{name}:{frame.f_lineno}" if name.parts[0] in ROOMS else ""
        frame = frame.f_back
    return ""


def watch() -> None:
    """From now on every statement of this process is looked at as it is sent."""
    cursor: Any = _cursor_base.BaseCursor
    ours: Any = wire
    send, prepare, wired = cursor._execute_send, cursor._send_prepare, ours._send

    def sent(self: Any, query: Any, *rest: Any, **more: Any) -> Any:
        _require_portable(query.query)
        return send(self, query, *rest, **more)

    def prepared(self: Any, name: bytes, query: Any) -> Any:
        _require_portable(query.query)
        return prepare(self, name, query)

    def sent_by_wire(pg: Any, names: Any, most: Any, statement: bytes, *rest: Any) -> Any:
        _require_portable(statement)
        return wired(pg, names, most, statement, *rest)

    cursor._execute_send, cursor._send_prepare, ours._send = sent, prepared, sent_by_wire
