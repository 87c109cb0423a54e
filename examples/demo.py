"""The service in a world of its own: ``make demo``.

Starts the service on an embedded PostgreSQL in a temporary folder, with a shop of each kind, an aggregator and a mail
server that are played beside it over real HTTP and SMTP, tells what happens, checks what became of it, and leaves all
of it running to be looked at. Ctrl-C ends it, and nothing stays.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fulfilment.v1 import tracking_links_pb2
from tests.support.mail_server import Mailbox, a_mail_server
from tests.support.service import Client, ServiceProcess, serving
from tests.support.waiting import wait_for
from tests.support.world import World, a_world
from tests.support.world_checks import settled

OUT = Console(highlight=False)
INTERRUPTED = 130


def main() -> int:
    """The whole demo; its exit code."""
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        with tempfile.TemporaryDirectory(prefix="fulfilment-demo-", ignore_cleanup_errors=True) as folder:
            tempfile.tempdir = folder  # so that tests' support leaves nothing elsewhere
            code = _show(Path(folder), options)
    except KeyboardInterrupt:
        code = INTERRUPTED
    OUT.print("Ended before everything was checked; nothing is left." if code == INTERRUPTED else "Nothing is left.")
    return code


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make demo",
        usage='make demo ARGS="[SEED] [--orders N] [--quick] [--leave]"',
        description="Plays a world around the service and checks what became of it.",
        epilog="It ends with 1 where a check fails, and with 130 if it is ended before.",
    )
    parser.add_argument("seed", nargs="?", type=int, default=1, metavar="SEED", help="another world, such as 7")
    parser.add_argument("--orders", type=_some, default=3, metavar="N", help="how many each shop sells, 3 if not said")
    parser.add_argument("--quick", action="store_true", help="without time to read along")
    parser.add_argument("--leave", action="store_true", help="end when all is checked, instead of going on")
    return parser.parse_args()


def _some(text: str) -> int:
    """Some orders; each needs a minute of the played past."""
    number = int(text)
    if not 1 <= number <= 20:
        raise argparse.ArgumentTypeError("from 1 to 20")
    return number


def _interrupt(*_: object) -> NoReturn:
    """Once: what is ended then is not to be disturbed. It takes some seconds, so it is said at once."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.write(sys.stdout.fileno(), b"\nEnding ...\n")  # past what may just be printed
    raise KeyboardInterrupt


def _show(folder: Path, options: argparse.Namespace) -> int:
    OUT.print(f"[bold]The fulfilment ledger in a world of its own[/bold] [dim](seed {options.seed})[/dim]\n")
    OUT.print("The service starts, with a PostgreSQL of its own; that takes some seconds ...")
    pause: Callable[[float], object] = float if options.quick else time.sleep
    with (
        a_mail_server() as mailbox,
        _service(folder, mailbox) as (service, edge),
        Client(service.address) as client,
        a_world(client, edge, mailbox, options.seed, _say, pause) as world,
    ):
        try:
            _play(world, options.orders)
        except AssertionError as stuck:
            OUT.print(f"  [red]✘[/red]  The service did not get on: {stuck}.")
            return 1
        if not _checked(world):
            return 1
        if not options.leave:
            _what_there_is(world, service, _kept(folder / "mails", mailbox))
            _stay()
        return 0


def _play(world: World, orders: int) -> None:
    for title, happens in (
        ("Everything is connected", world.connects),
        ("Customers buy, and the shops tell of it", lambda: world.orders_come(orders)),
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
    _print_beside(f"[dim]{time.strftime('%H:%M:%S')}[/dim]", Text(text))


def _print_beside(mark: str, text: Text | str) -> None:
    """Behind a mark, also where it takes several lines."""
    line = Table.grid(padding=(0, 2))
    line.add_row("", mark, text)
    OUT.print(line)


def _checked(world: World) -> bool:
    """Whether all is as it has to be."""
    OUT.print("[bold]What became of it[/bold]")
    checks = settled(world)
    for each in checks:
        _print_beside("[green]✔[/green]" if each.holds else "[red]✘[/red]", f"{each.sentence}.")
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
        ("what shops and AfterShip told", f"{mine} inbox list"),
        ("what they were told", f"{mine} effect list"),
        ("what only asking found", f"{mine} connection show {world.shops[0].name}"),
        ("what people have to do", f"{mine} work"),
        (f"the {len(world.mailbox.mails)} mails", str(mails)),
        ("the log of the service", str(service.log)),
    ):
        OUT.print(f"  [dim]{what}[/dim]")
        OUT.print(f"    {where}", soft_wrap=True, markup=False)  # in one piece, to be copied


def _stay() -> None:
    """Until somebody ends it, which is as it should be."""
    OUT.print("\nCtrl-C ends it, and nothing stays.")
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
