"""What the service writes while it runs: one JSON object a line, or plain lines for a terminal.

Of an error it writes the kind and where it came about. The message is left out, whoever logs it, because it may quote
what people wrote.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

import msgspec

from ledger.engine.about import ABOUT, NAMES
from ledger.engine.trouble import in_short


class PlainFormatter(logging.Formatter):
    """Plain lines, with the trace of an error."""

    def format(self, record: logging.LogRecord) -> str:
        record.exc_text = None  # another handler's words
        return super().format(record)

    def formatException(self, exc_info: Any) -> str:  # noqa: N802 - logging's name
        return _trace(exc_info[1])


class JsonLines(PlainFormatter):
    """One JSON object for each record: at, level, logger, message, what it is about, and the trace of an error."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_about(record),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def _about(record: logging.LogRecord) -> dict[str, object]:
    """Whose ledger, which request and which position, as far as there are any."""
    known = {**ABOUT.get()(), **{name: value for name in NAMES if (value := getattr(record, name, None))}}
    return {name: known[name] for name in NAMES if known.get(name)}


def _trace(error: BaseException | None) -> str:
    """Where an error came about and what led to it, the oldest first, as Python prints it but for the messages."""
    parts: list[str] = []
    while error is not None:
        parts.append("".join([*traceback.format_tb(error.__traceback__), in_short(error)]))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\nthen, because of it:\n\n".join(reversed(parts))


def log_to_stderr(level: str, form: str) -> None:
    """form is ``json`` or ``text``."""
    handler = logging.StreamHandler(sys.stderr)
    plain = PlainFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", datefmt="%H:%M:%S")
    handler.setFormatter(JsonLines() if form == "json" else plain)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # It logs every lost connection at length; the service itself logs it once.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    # Addresses that systems are called at may hold tracking numbers and keys.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    logging.getLogger("grpc._cython.cygrpc").addFilter(_is_no_cancelled_call)


def _is_no_cancelled_call(record: logging.LogRecord) -> bool:
    """Filters out what gRPC logs as a server error when a caller cancels a call."""
    return not (record.exc_info and type(record.exc_info[1]).__name__ == "ExecuteBatchError")


def log_of_the_loop(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Logs errors of the event loop; asyncio's own handler would quote the error of a task."""
    logging.getLogger("asyncio").error("%s", context["message"], exc_info=context.get("exception"))
