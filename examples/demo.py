"""The service in a world of its own: ``make demo``.

Starts the service on an embedded PostgreSQL in a temporary folder, with two shops, an aggregator and a mail server that
are played beside it over real HTTP and SMTP, tells what happens, checks what became of it, and leaves all of it running
to be looked at. Ctrl-C ends it, and nothing stays. The exit code is 1 where a check fails.
"""

from __future__ import annotations

import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from fulfilment.v1 import tracking_links_pb2
from tests.support.mail_server import Mailbox, a_mail_server
from tests.support.service import Client, ServiceProcess, serving
from tests.support.waiting import wait_for
from tests.support.world import World, a_world
from tests.support.world_checks import settled

EACH_SHOP = 5
OUT = Console(highlight=False)


def main() -> int:
    """The whole demo; its exit code."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with tempfile.TemporaryDirectory(prefix="fulfilment-demo-", ignore_cleanup_errors=True) as folder:
            tempfile.tempdir = folder  # so that tests' support leaves nothing elsewhere
            return _show(Path(folder), seed)
    except KeyboardInterrupt:
        OUT.print("Ended; nothing is left.")
        return 0


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _show(folder: Path, seed: int) -> int:
    OUT.print(f"[bold]The fulfilment ledger in a world of its own[/bold] [dim](seed {seed})[/dim]\n")
    OUT.print("The service starts, with a PostgreSQL of its own; that takes some seconds ...")
    with (
        a_mail_server() as mailbox,
        _service(folder, mailbox) as (service, edge),
        Client(service.address) as client,
        a_world(client, edge, mailbox, seed, _say, time.sleep) as world,
    ):
        try:
            _play(world)
        except AssertionError as stuck:
            OUT.print(f"  [red]✘[/red]  The service did not get on: {stuck}.")
            return 1
        if not _checked(world):
            return 1
        _what_there_is(world, service, _kept(folder / "mails", mailbox))
        while True:
            time.sleep(1)


def _play(world: World) -> None:
    for title, happens in (
        ("Everything is connected", world.connects),
        ("Customers buy, and the shops tell of it", lambda: world.orders_come(EACH_SHOP)),
        ("Suppliers send", world.suppliers_ship),
        ("Parcels travel, and AfterShip tells of it", world.parcels_travel),
    ):
        OUT.print(f"[bold]{title}[/bold]")
        happens()
        OUT.print()


@contextmanager
def _service(folder: Path, mailbox: Mailbox) -> Iterator[tuple[ServiceProcess, str]]:
    """It and the address of its edges."""
    words = ["--web", "127.0.0.1:0", "--web-private", "--outbox", "smtp", "--smtp", f"127.0.0.1:{mailbox.port}"]
    words += ["--smtp-security", "none", "--mail-from", "Brook & Sons <orders@brook.example>"]
    with serving(folder / "service", *words) as service:
        found = wait_for(lambda: re.search(r"the edges listen on ([\d.:]+)", service.log.read_text()))
        OUT.print(f"It answers at {service.address}, and its edges at http://{found[1]}.\n")
        yield service, f"http://{found[1]}"


def _say(text: str) -> None:
    OUT.print(f"  [dim]{time.strftime('%H:%M:%S')}[/dim]  {text}", soft_wrap=True)


def _checked(world: World) -> bool:
    """Whether all is as it has to be."""
    OUT.print("[bold]What became of it[/bold]")
    checks = settled(world)
    for each in checks:
        OUT.print(f"  [green]✔[/green]  {each.sentence}." if each.holds else f"  [red]✘[/red]  {each.sentence}.")
        if not each.holds:
            OUT.print(f"       found {each.found}\n       wanted {each.wanted}", markup=False, style="red")
    return all(each.holds for each in checks)


def _kept(folder: Path, mailbox: Mailbox) -> Path:
    """The mails as files."""
    folder.mkdir()
    for number, each in enumerate(mailbox.mails, 1):
        (folder / f"{number:03}.eml").write_bytes(each.content.as_bytes())
    return folder


def _what_there_is(world: World, service: ServiceProcess, mails: Path) -> None:
    order_id = world.bought[0].order_id
    asked = tracking_links_pb2.GetTrackingLinkRequest(order_id=order_id)
    link = world.client.tracking_links.GetTrackingLink(asked)
    mine = f".venv/bin/fulfilment --server {service.address}"
    OUT.print("\n[bold]It goes on running. Look at[/bold]")
    for what, where in (
        ("what a customer sees", f"{world.edge}{link.path}"),
        ("what the contract is over HTTP", f"{world.edge}/docs"),
        ("an order", f"{mine} show {order_id}"),
        ("all that happened to it", f"{mine} history {order_id}"),
        ("what the shops and AfterShip told", f"{mine} inbox list"),
        ("what they were told", f"{mine} effect list"),
        ("what only asking found", f"{mine} connection show brook"),
        ("what people have to do", f"{mine} work"),
        (f"the {len(world.mailbox.mails)} mails", str(mails)),
        ("the log of the service", str(service.log)),
    ):
        OUT.print(f"  {what:<34} {where}", soft_wrap=True, markup=False)
    OUT.print("\nCtrl-C ends it, and nothing stays.")


if __name__ == "__main__":
    sys.exit(main())
