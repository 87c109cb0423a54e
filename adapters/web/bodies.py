"""The body of a request: bounded in size and time, also where it came packed."""

from __future__ import annotations

import asyncio
import zlib

from starlette.requests import Request

LONGEST_BYTES = 4 << 20
"""The largest order of a shop has 1,000 lines and some hundred KiB."""
SECONDS = 10.0
"""How long a body may take: the systems' own time limits are as long, and slow ones only hold connections."""
_PART_BYTES = 1 << 16


class TooLarge(Exception):
    """The body, or what it unpacks to, is longer than the edge takes."""


class TooSlow(Exception):
    """The body did not come in time."""


class BadPacking(Exception):
    """It cannot be unpacked, or is packed in a way that nobody uses."""


async def body_of(request: Request) -> bytes:
    """The body, unpacked. Raises TooLarge, TooSlow, BadPacking, and starlette's ClientDisconnect."""
    packing = request.headers.get("content-encoding", "identity").strip().lower()
    if packing not in ("identity", "gzip"):
        raise BadPacking(packing)
    raw = await read_body(request, LONGEST_BYTES, SECONDS)
    return unpacked(raw) if packing == "gzip" else raw


async def read_body(request: Request, most_bytes: int, seconds: float) -> bytes:
    """The body as it comes. Raises TooLarge, TooSlow, and starlette's ClientDisconnect."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most_bytes:
        raise TooLarge
    parts, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > most_bytes:
                    raise TooLarge
                parts.append(part)
    except TimeoutError:
        raise TooSlow from None
    return b"".join(parts)


def unpacked(raw: bytes) -> bytes:
    """What a gzip file holds, part by part: one that unpacks to gigabytes is stopped at the limit."""
    parts, size = [], 0
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        left = raw
        while left and not unpacking.eof:
            parts.append(unpacking.decompress(left, _PART_BYTES))
            left = unpacking.unconsumed_tail
            size += len(parts[-1])
            if size > LONGEST_BYTES:
                raise TooLarge
    except zlib.error:
        raise BadPacking("it cannot be unpacked") from None
    if not unpacking.eof or unpacking.unused_data:
        raise BadPacking("it is cut off, or goes on behind its end")
    return b"".join(parts)
