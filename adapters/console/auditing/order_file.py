"""``fulfilment audit file``: an order's whole file as one document: whole, or not there at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from adapters.console.auditing.history import LANGUAGE, TIME_ZONE
from adapters.console.terminal import files
from adapters.console.terminal.client import Trouble
from adapters.console.terminal.commands import Words
from adapters.console.terminal.session import Session
from fulfilment.v1 import audit_pb2 as pb

_SECONDS = 300.0
_FORMATS = {".html": pb.ORDER_FILE_FORMAT_HTML, ".htm": pb.ORDER_FILE_FORMAT_HTML, ".json": pb.ORDER_FILE_FORMAT_JSON}


@click.command(cls=Words)
@click.argument("order_id")
@click.option("--to", "path", metavar="FILE", required=True, type=Path, help=".html or .json")
@LANGUAGE
@TIME_ZONE
@click.option("--personal", is_flag=True, help="With what is personal. It is noted as a read.")
@click.pass_obj
def order_file(
    session: Session, order_id: str, path: Path, language: str | None, time_zone: str | None, personal: bool
) -> None:
    """Write an order's whole file: a page to read and print, or JSON.

    Its facts in words, what became of the commands about it, its parcels, cases, recoveries, questions, messages and
    the list of its evidence. The page needs nothing beside itself.

    \b
      fulfilment audit file shop/1001 --to 1001.html --time-zone Europe/Berlin
      fulfilment audit file shop/1001 --to 1001.json --language zh
    """
    known = _FORMATS.get(path.suffix.lower())
    if known is None:
        raise click.UsageError(f"--to {path} does not end in .html or .json, which says what to write.")
    request = pb.GetOrderFileRequest(
        order_id=order_id,
        format=known,
        language=language or "",
        time_zone=time_zone or "",
        with_personal_data=personal,
    )
    end = pb.OrderFileEnd()
    data = _whole(session.client.stream(session.client.audit.GetOrderFile, request, _SECONDS), end)
    files.write(path, lambda path: files.replace(path, data))
    if session.json:
        session.show(end)
    else:
        session.out.say(f"Written to {path}: {end.size_bytes:,} bytes, as of position {end.position}.")
        session.out.say(f"SHA-256 {end.sha256}")


def _whole(parts: Iterable[pb.GetOrderFileResponse], end: pb.OrderFileEnd) -> bytes:
    def pieces() -> Iterator[bytes]:
        for part in parts:
            if part.WhichOneof("part") == "end":
                end.CopyFrom(part.end)
            yield part.data

    data = b"".join(pieces())
    if not end.sha256 or hashlib.sha256(data).hexdigest() != end.sha256:
        raise Trouble("the file broke off; nothing was written, so ask again", "INCOMPLETE")
    return data
