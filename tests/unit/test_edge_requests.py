"""Requests to foreign systems: within limits, and not into the own network."""

import asyncio
import logging
import socket
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.edges import http, reading
from adapters.edges.delivery import AtTheDoor
from adapters.edges.http import Bucket, Http, HttpClient, Limit, SystemUnreachable, TryLater
from adapters.edges.meaning import NotUnderstood
from adapters.process import logs


class Vendor:
    """A server on this machine that answers each request with the same bytes, and then closes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.asked: list[bytes] = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://localhost:{self._server.sockets[0].getsockname()[1]}/"
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _serve(self, reader, writer):
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self._answer)
        await writer.drain()
        writer.close()


def answer(status="200 OK", body=b"hello", headers=""):
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n{headers}\r\n".encode() + body


async def ask(url, *, private_too=True, **more):
    async with HttpClient(private_too=private_too) as client:
        return await Http(client, Limit(100, 10)).request("GET", url, **more)


def test_a_request_says_the_name_of_the_host_and_asks_for_nothing_packed():
    async def scenario():
        async with Vendor(answer()) as vendor:
            reply = await ask(vendor.url, params={"page": "2"})
            return vendor, reply

    vendor, reply = asyncio.run(scenario())
    assert (reply.status, reply.body) == (200, b"hello")
    (asked,) = vendor.asked
    assert asked.startswith(b"GET /?page=2 HTTP/1.1\r\n")
    assert b"host: localhost:" in asked.lower()
    assert b"accept-encoding: identity" in asked.lower()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "10.1.2.3", "192.168.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0",
     "[fd00::1]", "100.64.0.1", "2130706433", "[2002:7f00:1::]"],
)  # fmt: skip
def test_addresses_of_the_own_machine_and_network_are_not_asked(host):
    with pytest.raises(SystemUnreachable, match="one of this machine or network"):
        asyncio.run(ask(f"http://{host}/", private_too=False))


def test_a_name_that_means_another_address_the_second_time_is_called_at_the_one_that_was_looked_at(monkeypatch):
    asked = []

    async def scenario():
        async with Vendor(answer()) as vendor:
            loop, port = asyncio.get_running_loop(), int(vendor.url.rstrip("/").rpartition(":")[2])
            real = loop.getaddrinfo

            async def changing(host, *more, **options):
                if host != "shop.example.org":
                    return await real(host, *more, **options)
                asked.append(host)
                return await real("127.0.0.1" if len(asked) == 1 else "127.0.0.9", *more, **options)

            monkeypatch.setattr(loop, "getaddrinfo", changing)
            return await ask(f"http://shop.example.org:{port}/"), vendor.asked

    reply, seen = asyncio.run(scenario())
    assert (reply.status, asked) == (200, ["shop.example.org"])
    assert b"host: shop.example.org:" in seen[0].lower()


def test_of_the_addresses_of_a_name_only_one_that_is_public_is_called(monkeypatch):
    async def scenario(*numbers):
        loop = asyncio.get_running_loop()

        async def found(host, port, **options):
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, port)) for number in numbers]

        monkeypatch.setattr(loop, "getaddrinfo", found)
        return await http._Outside(private_too=False)._number_of("shop.example.org", 443)

    assert asyncio.run(scenario("10.0.0.1", "93.184.216.34")) == "93.184.216.34"
    with pytest.raises(SystemUnreachable, match="one of this machine or network"):
        asyncio.run(scenario("10.0.0.1", "fe80::1"))


def test_addresses_that_are_called_are_not_logged(monkeypatch, capsys):
    root = logging.getLogger()
    for logger in (root, logging.getLogger("httpx2")):
        monkeypatch.setattr(logger, "level", logger.level)
        monkeypatch.setattr(logger, "handlers", [])
    logs.log_to_stderr("info", "text")
    logging.getLogger("fulfilment").info("it is heard")

    async def scenario():
        async with Vendor(answer()) as vendor:
            await ask(vendor.url, params={"key": "hush"})

    asyncio.run(scenario())
    written = capsys.readouterr().err
    assert "it is heard" in written
    assert "hush" not in written


def test_a_redirect_is_an_answer_and_is_not_followed():
    async def scenario():
        async with Vendor(answer("302 Found", headers="location: http://169.254.169.254/\r\n")) as vendor:
            return await ask(vendor.url), vendor

    reply, vendor = asyncio.run(scenario())
    assert reply.status == 302
    assert len(vendor.asked) == 1


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        ("429 Too Many Requests", "retry-after: 7\r\n", 7),
        ("429 Too Many Requests", "", 60),
        ("503 Service Unavailable", "retry-after: Wed, 21 Oct 2026 07:28:00 GMT\r\n", 60),
        ("429 Too Many Requests", "retry-after: 999999\r\n", 3600),
    ],
)
def test_a_system_that_takes_no_more_says_for_how_long(status, headers, seconds):
    async def scenario():
        async with Vendor(answer(status, headers=headers)) as vendor:
            await ask(vendor.url)

    with pytest.raises(TryLater) as later:
        asyncio.run(scenario())
    assert later.value.seconds == seconds


def test_an_answer_that_is_too_long_or_packed_is_given_up(monkeypatch):
    monkeypatch.setattr(http, "_LONGEST_ANSWER_BYTES", 1000)

    async def scenario(sent):
        async with Vendor(sent) as vendor:
            await ask(vendor.url)

    with pytest.raises(SystemUnreachable, match="longer than"):
        asyncio.run(scenario(answer(body=b"x" * 1001)))
    with pytest.raises(SystemUnreachable, match="packed"):
        asyncio.run(scenario(answer(headers="content-encoding: gzip\r\n")))


@pytest.mark.parametrize("url", ["ftp://example.org/", "file:///etc/passwd", "http://[", "example.org", "http://"])
def test_an_address_that_is_none_is_unreachable(url):
    with pytest.raises(SystemUnreachable):
        asyncio.run(ask(url))


def test_a_bucket_lets_some_go_at_once_and_the_others_wait_for_their_turn(monkeypatch):
    slept = []

    async def sleep(seconds):
        slept.append(round(seconds, 1))

    async def scenario():
        monkeypatch.setattr(asyncio, "sleep", sleep)
        bucket = Bucket(Limit(0.5, 3))
        for _ in range(5):
            await bucket.take()

    asyncio.run(scenario())
    assert slept == [2.0, 4.0]


def test_who_would_wait_too_long_for_a_turn_comes_again_and_takes_no_turn_away(monkeypatch):
    async def sleep(seconds):
        """Takes no time."""

    async def scenario():
        monkeypatch.setattr(asyncio, "sleep", sleep)
        bucket = Bucket(Limit(0.0056, 2))
        await bucket.take()
        await bucket.take()
        for _ in range(2):
            with pytest.raises(TryLater) as later:
                await bucket.take()
            assert 170 < later.value.seconds < 180
        bucket.calls_per_second = 1.0
        await bucket.take()

    asyncio.run(scenario())


def test_requests_that_a_system_counts_apart_have_limits_of_their_own():
    """The rest goes on while one of them is used up, and the system may change what it allows."""

    async def scenario():
        async with Vendor(answer()) as vendor, HttpClient(private_too=True) as client:
            calls = Http(client, Limit(100, 10), {"orders": Limit(0.001, 1)})
            await calls.request("GET", vendor.url, limit="orders")
            with pytest.raises(TryLater):
                await calls.request("GET", vendor.url, limit="orders")
            assert (await calls.request("GET", vendor.url)).status == 200
            calls.allows("orders", 1000)
            assert (await calls.request("GET", vendor.url, limit="orders")).status == 200

    asyncio.run(scenario())


def test_what_a_system_is_told_takes_the_next_turn_and_those_that_ask_wait_one_longer():
    """So nothing is asked more often than the system allows, and what waits to be asked keeps no news waiting."""
    ended = []

    async def scenario():
        bucket, clock = Bucket(Limit(10, 1)), asyncio.get_running_loop().time

        async def turn(name, **more):
            await bucket.take(**more)
            ended.append((name, clock()))

        begun = clock()
        asking = [asyncio.create_task(turn(f"asked {number}")) for number in range(4)]
        await asyncio.sleep(0)
        await turn("told", told=True)
        await asyncio.gather(*asking)
        return [seconds - begun for _, seconds in ended]

    seconds = asyncio.run(scenario())
    assert [name for name, _ in ended] == ["asked 0", "told", "asked 1", "asked 2", "asked 3"]
    for turn, at in enumerate(seconds):  # none before its time
        assert at >= turn * 0.1 - 0.01


def test_a_system_that_answers_429_to_every_question_is_told_all_the_same():
    async def scenario():
        async with (
            Vendor(answer("429 Too Many Requests")) as busy,
            Vendor(answer()) as free,
            HttpClient(private_too=True) as client,
        ):
            calls = Http(client, Limit(100, 10))
            for _ in range(2):
                with pytest.raises(TryLater):
                    await calls.request("GET", busy.url)
            assert (await calls.told.request("POST", free.url)).status == 200
            with pytest.raises(TryLater):
                await calls.told.request("POST", busy.url)
            for each in (calls, calls.told):  # it said so to what it is told, so it rests for all
                with pytest.raises(TryLater):
                    await each.request("GET", free.url)
            return len(busy.asked), len(free.asked)

    assert asyncio.run(scenario()) == (2, 1)


# --- what all adapters read alike -----------------------------------------------------------------


def test_money_is_read_exactly_or_not_at_all():
    assert reading.minor("12.30", "EUR", "total") == 1230
    assert reading.minor(Decimal("-10.00"), "EUR", "total") == -1000
    assert reading.minor("1200", "JPY", "total") == 1200
    assert reading.minor("12.3000", "EUR", "total") == 1230
    for amount in ("12.345", "", "twelve", "NaN", "Infinity", "1e400", "1e15"):
        with pytest.raises(NotUnderstood, match="total: "):
            reading.minor(amount, "EUR", "total")


def test_a_time_is_of_a_zone_that_is_known():
    east = timezone(timedelta(hours=8))
    assert reading.instant("2026-01-05T09:00:00Z", "at") == datetime(2026, 1, 5, 9, tzinfo=UTC)
    assert reading.instant("2026-01-05T09:00:00", "at", east) == datetime(2026, 1, 5, 1, tzinfo=UTC)
    for text in ("2026-01-05T09:00:00", "yesterday", "", "0001-01-01T00:00:00+08:00"):
        with pytest.raises(NotUnderstood, match="at: "):
            reading.instant(text, "at")


@given(
    said=st.datetimes(timezones=st.just(UTC)),
    came=st.timedeltas(timedelta(), timedelta(days=30)).map(lambda after: datetime(2026, 1, 1, tzinfo=UTC) + after),
    later=st.timedeltas(timedelta(minutes=5), timedelta(days=30)),
    late=st.timedeltas(timedelta(), timedelta(minutes=5)),
)
def test_whatever_time_a_source_says_what_is_true_five_minutes_later_is_no_older(said, came, later, late):
    believed = reading.believed(said, came)
    assert believed <= came + timedelta(minutes=5)
    assert believed == said or said > came  # what lies behind is believed, however long ago
    true = came + later
    assert believed <= reading.believed(true, true + late)


def test_what_is_not_understood_names_the_field_and_not_what_it_holds():
    with pytest.raises(NotUnderstood) as said:
        reading.decoded(b'[{"a": "Ann Example"}]', list[dict[str, int]])
    assert "Ann" not in str(said.value)
    with pytest.raises(NotUnderstood) as said:
        reading.decoded(b'"Ann Example"', AtTheDoor)
    assert "Ann" not in str(said.value)
    with pytest.raises(NotUnderstood, match="not JSON"):
        reading.decoded(b"\xff{", dict)
