"""``--as-of`` and ``--at``: what the ledger knew at a moment, and what it believed about one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.console.terminal import words
from fulfilment.v1 import common_pb2

F = TypeVar("F", bound=Callable[..., Any])


class _RecordedUntil(words.Instant):
    wanted = f"a position of the log, nor {words.Instant.wanted}"


class _Recorded(click.ParamType[common_pb2.AsOf]):
    """A position of the log, or a time of recording."""

    name = "position|time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> common_pb2.AsOf:
        if isinstance(value, common_pb2.AsOf):
            return value
        if str(value).isdecimal():
            return common_pb2.AsOf(position=words.POSITION.convert(value, param, ctx))
        return common_pb2.AsOf(recorded_until=_RecordedUntil().convert(value, param, ctx))


AS_OF = click.option("--as-of", type=_Recorded(), help="As the log told it at a position, or at a time of recording.")
_AT = click.option("--at", type=words.INSTANT, help="What had happened by then, as far as it is known (as of --as-of).")


def _of_reports(context: click.Context, param: click.Parameter, value: common_pb2.AsOf | None) -> None:
    context.obj.as_of = value


OF_REPORTS = click.Option(
    ["--as-of"],
    type=_Recorded(),
    expose_value=False,
    callback=_of_reports,
    help="As it was at a position, or at a time of recording; the first asks take longer.",
)
"""Of every report: whoever asks for its rows reads it from the session."""


OF_LISTS = click.option(
    "--as-of",
    type=_Recorded(),
    expose_value=False,
    callback=_of_reports,
    help="As it was at a position, or at a time of recording; the first ask takes longer.",
)


def past(command: F) -> F:
    """Both options; ``asked`` reads them."""
    return AS_OF(_AT(command))


def asked(
    as_of: common_pb2.AsOf | None, at: Timestamp | None = None, now: object = None, option: str = "--personal"
) -> common_pb2.AsOf | None:
    """As of when, for a request; None for now. ``now`` is what an option says that shows what is known now."""
    if as_of is None and at is None:
        return None
    if now:
        raise click.UsageError(f"{option} is about now; it cannot be combined with --as-of or --at.")
    found = common_pb2.AsOf(happened_until=at)
    if as_of is not None:
        found.MergeFrom(as_of)
    return found
