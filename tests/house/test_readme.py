"""The sessions of the README and the example of docs/clients.md, against the real service: each says what it does."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.support.pages import missing, sessions
from tests.support.service import HOUSE, serving
from tests.support.terminal import Console
from tests.support.waiting import wait_for
from tests.support.woo_shop import SECRET, WooShop, woo_order, woo_shop


def test_the_sessions_of_the_readme_do_what_they_show_and_the_shop_knows_its_number(folder: Path) -> None:
    steps = sessions(HOUSE / "README.md")
    assert len(steps) > 15
    with serving(folder, "--data", str(folder / "data"), "--web", "127.0.0.1:0", "--web-private") as service:
        edge = wait_for(lambda: re.search(r"the edges listen on ([\d.:]+)", service.log.read_text()))[1]
        with woo_shop(f"http://{edge}", "main") as shop:
            shop.statuses = dict.fromkeys(("order.created", "order.updated", "order.deleted"), "active")
            (folder / "main.secret").write_text(f"webhook={SECRET}\nkey=ck_1\nsecret=cs_1\n")
            happens: dict[str, Callable[[], object]] = {
                "fulfilment inbox list": lambda: _sells(shop),
                "fulfilment effect list": lambda: wait_for(lambda: shop.orders[1002]["status"] == "completed"),
            }
            console = Console(service.address)
            for command, shown in steps:
                for begin, what in happens.items():
                    if command.startswith(begin):
                        what()
                typed = command.replace("https://shop.example.org", shop.url)
                _require(console, typed.replace("main.secret", str(folder / "main.secret")), shown)
            assert shop.numbers(1002) == ["00340434161094042564"]


def _sells(shop: WooShop) -> None:
    """Somebody buys two units of tea, and the shop tells of it."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    times = dict.fromkeys(("date_created_gmt", "date_modified_gmt", "date_paid_gmt"), now)
    line = {**woo_order(1002)["line_items"][0], "name": "Green tea", "sku": "TEA"}
    assert shop.send(shop.change(1002, now, **times, line_items=[line]), "order.created").status_code == 200


def _require(console: Console, command: str, shown: list[str]) -> None:
    """That it says what the page shows; what the service does by itself may take a moment."""
    words = shlex.split(command)
    assert words[0] == "fulfilment"
    give_up_at = time.monotonic() + (30 if {"list", "show"} & set(words) else 0)
    while True:
        done = console(*words[1:])
        lacks = missing(shown, done.out + done.err)
        if not lacks or time.monotonic() > give_up_at:
            break
        time.sleep(0.2)
    assert not lacks, f"{command}\nsays\n{done.out}{done.err}but the README shows\n{lacks}"


def test_the_python_of_the_clients_page_prints_what_it_shows(folder: Path) -> None:
    page = (HOUSE / "docs" / "clients.md").read_text()
    (code,), (shown,) = (re.findall(rf"```{word}\n(.*?)```", page, re.DOTALL) for word in ("python", "text"))
    with serving(folder, "--data", str(folder / "data")) as service:
        code = code.replace("127.0.0.1:50051", service.address)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == shown, done.stderr
