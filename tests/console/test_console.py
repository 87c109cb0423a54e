"""The console as a program: how it reaches its service, what it prints, and every way in which it can say no."""

from __future__ import annotations

import json
import os
import pty
import re
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from adapters.rpc.statuses import status_of
from fulfilment import __version__
from fulfilment.v1 import (
    admin_pb2,
    batch_pb2,
    common_pb2,
    obligations_pb2,
    orders_pb2,
    rates_pb2,
    supplier_reviews_pb2,
    totals_pb2,
)
from ledger.refusals import NotAllowed, ProjectionBehind
from tests.support.service import HOUSE, Client, Service, context
from tests.support.terminal import NUMBER, Shell, Terminal, placed

pytestmark = pytest.mark.usefixtures("acme")

# --- the service and its tenants --------------------------------------------------------------------


def test_what_is_odd_stands_on_standard_error_beside_the_answer(ff: Shell, shell: Shell, service: Service):
    ff("supplier", "add", "odd", "--name", "Odd")
    at_our_service = ("--server", service.address, "--json", "--version", "1")
    result = shell("stock", "feed", "odd", "TEA", *at_our_service, "--", "-9")
    assert result.code == 0
    assert result.json
    assert result.err == (
        "Warning: odd has a figure for TEA, which it has not offered\n"
        "Warning: odd has -9 units of TEA, which counts as none\n"
    )


def test_erasing_asks_first(service: Service):
    result = Terminal(service.address)("erase", "--order", "shop/nobody", typed="n\n")
    assert result.code == 130
    assert "cannot be undone" in result.err


def test_a_tenant_has_a_ledger_of_its_own(ff: Shell):
    placed(ff, "mine", "--paid")
    ff("tenant", "add", "other")
    assert "other" in ff("tenant", "list").out
    assert ff("show", "shop/mine", "--tenant", "other").code == 1
    assert ff("show", "shop/mine").code == 0


def test_a_read_model_is_verified_and_rebuilt_from_the_log(ff: Shell):
    assert re.match(r"tracking verified at position \d+: equal, \d+ rows", ff("rebuild", "tracking", "--verify").out)
    assert ff("rebuild", "sla", "--json").json["result"].startswith("rebuilt at position")
    unknown = ff("rebuild", "nonsense")
    assert (unknown.code, "there is no projection nonsense" in unknown.err) == (1, True)


def test_the_console_and_the_service_say_which_version_they_are(ff: Shell, shell: Shell):
    assert shell("--version") == (0, f"fulfilment {__version__}\n", "")
    assert f"service {__version__}\n" in ff("status").out
    assert ff("status", "--json").json["version"] == __version__


def test_status_names_the_read_models(ff: Shell):
    found = ff("status", "--json").json
    assert found["position"] > 0
    assert {"tracking", "sla", "supplier_performance"} <= {each["name"] for each in found["projections"]}
    assert "tracking" in ff("status").out


def test_a_long_history_is_read_to_its_end(ff: Shell, service: Service):
    placed(ff, "long")
    states = (orders_pb2.PAYMENT_STATE_AUTHORISED, orders_pb2.PAYMENT_STATE_PENDING)
    changes = [
        batch_pb2.BatchCommand(
            record_payment=orders_pb2.RecordPaymentRequest(
                context=context(), order_id="shop/long", payment=states[n % 2]
            )
        )
        for n in range(1100)
    ]
    with Client(service.address) as client:
        for start in (0, 550):
            client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=changes[start : start + 550]))

    facts = ff("history", "shop/long", "--json").json

    assert [fact["name"] for fact in facts].count("order.payment_changed") == 1100
    assert [fact["version"] for fact in facts] == list(range(1, len(facts) + 1))
    assert facts[-1]["json"]["payment"] == "pending"


# --- refusals and other ends -------------------------------------------------------------------------


def test_a_refusal_is_one_sentence_with_its_reason(ff: Shell):
    result = ff("show", "shop/nowhere")
    assert (result.code, result.out) == (1, "")
    assert result.err == "Error: there is no order shop/nowhere [UNKNOWN_ORDER]\n"


def test_a_refusal_is_json_if_asked_for(ff: Shell):
    result = ff("show", "shop/nowhere", "--json")
    error = json.loads(result.err)["error"]
    assert (result.code, error["reason"], error["details"]["order_id"]) == (1, "UNKNOWN_ORDER", "shop/nowhere")


def test_a_malformed_field_is_named(ff: Shell):
    result = ff("place", "--channel", "sh op", "--id", "1")
    assert result.code == 1
    assert result.err.startswith("Error: channel: 'sh op' is not made of letters, digits")
    assert json.loads(ff("place", "--channel", "sh op", "--id", "1", "--json").err)["error"]["details"]["fields"] == [
        "channel"
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("place",),
        ("place", "--channel", "shop", "--id", "1", "--line", "TEA"),
        ("place", "--channel", "shop", "--id", "1", "--line", "TEA:1:9.90"),
        ("place", "--channel", "shop", "--id", "1", "--line", "TEA:1:9.999", "--currency", "EUR"),
        ("place", "--channel", "shop", "--id", "1", "--line", "TEA:1:1.5", "--currency", "JPY"),
        ("place", "--channel", "shop", "--id", "1", "--paid", "--payment", "failed"),
        ("place", "--channel", "shop", "--id", "1", "--line", "TEA:99999999999:1", "--currency", "EUR"),
        ("place", "--channel", "shop", "--file", "-"),
        ("show",),
        ("show", "shop/1", "--as-of", "yesterday"),
        ("show", "shop/1", "--as-of", "99999999999999999999"),
        ("show", "shop/1", "--as-of", "²"),
        ("log", "--after", "99999999999999999999"),
        ("export", "--to", "there", "--after", "99999999999999999999"),
        ("order", "cancel", "shop/1", "--by", "nobody"),
        ("order", "ship", "shop/1/1", "--carrier", "dhl", "--number", "1", "--line", "one"),
        ("order", "pay", "shop/1", "--at", "soon"),
        ("erase",),
        ("erase", "--email", "a@example.org", "--phone", "1"),
        ("dance",),
        ("status", "--timeout", "0"),
    ],
    ids=" ".join,
)
def test_what_is_not_understood_is_one_sentence(shell: Shell, arguments: tuple[str, ...]):
    result = shell(*arguments, "--server", "127.0.0.1:1")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("Error: ")
    assert result.err.count("\n") == 1
    error = json.loads(shell(*arguments, "--server", "127.0.0.1:1", "--json").err)["error"]
    assert (error["reason"], error["exit_code"]) == ("USAGE", 2)


@pytest.mark.parametrize("value", ["yesterday", "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"])
def test_a_moment_that_is_none_is_named_with_what_it_could_be(shell: Shell, value: str):
    assert f"{value!r} is not a position of the log, nor a time" in shell("show", "shop/1", "--as-of", value).err
    assert f"Error: Invalid value for '--at': {value!r} is not a time" in shell("show", "shop/1", "--at", value).err


def test_a_service_that_does_not_run_is_named_with_the_way_to_start_it(shell: Shell):
    result = shell("status", "--server", "127.0.0.1:1")
    assert result.code == 3
    assert result.err == (
        "Error: the service at 127.0.0.1:1 does not answer; start it with `make run`, or name it with --server\n"
    )


def test_a_service_that_is_silent_is_not_waited_for(shell: Shell):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        result = shell("order", "pay", "shop/1", "--request-id", "pay-1", "--server", server, "--timeout", "0.3")
    assert result.code == 3
    assert "repeat it with --request-id pay-1" in result.err


class Stubborn(grpc.GenericRpcHandler):
    """A service that is unavailable some times before it answers."""

    def __init__(self, times: int) -> None:
        self.times, self.asked = times, list[str]()

    def service(self, details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(self.answer)

    def answer(self, request: bytes, call: Any) -> bytes:
        answer: Message = orders_pb2.GetOrderResponse()
        if not self.asked or len(self.asked) <= self.times:
            self.asked.append(orders_pb2.RecordPaymentRequest.FromString(request).context.request_id)
            if len(self.asked) <= self.times:
                call.abort(grpc.StatusCode.UNAVAILABLE, "not now")
            answer = common_pb2.Receipt(position=1)
        return answer.SerializeToString()


@pytest.mark.parametrize(("times", "code"), [(2, 0), (9, 3)])
def test_an_unavailable_service_is_asked_again_with_the_same_request_id(shell: Shell, times: int, code: int):
    stubborn = Stubborn(times)
    server = grpc.server(ThreadPoolExecutor(2), handlers=[stubborn])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        result = shell("order", "pay", "shop/1", "--server", f"127.0.0.1:{port}")
    finally:
        server.stop(0)
    assert result.code == code
    assert len(set(stubborn.asked)) == 1
    assert len(stubborn.asked) == min(times + 1, 4)


class Behind(grpc.GenericRpcHandler):
    """A service whose read model needs some time to reach the head of the log, which is 7."""

    def __init__(self, times: int) -> None:
        self.times, self.asked = times, list[int]()

    def service(self, details: Any) -> Any:
        status = admin_pb2.GetStatusResponse(position=7).SerializeToString()
        answer = self.summary if details.method.endswith("GetSummary") else lambda *_: status
        return grpc.unary_unary_rpc_method_handler(answer)

    def summary(self, request: bytes, call: Any) -> bytes:
        self.asked.append(totals_pb2.GetSummaryRequest.FromString(request).at_least)
        if len(self.asked) <= self.times:
            call.abort_with_status(status_of(ProjectionBehind("supplier_performance", 7, 3)))
        return totals_pb2.GetSummaryResponse(orders=1).SerializeToString()


@contextmanager
def answering(handler: grpc.GenericRpcHandler) -> Iterator[str]:
    """Where a server of this handler alone answers."""
    server = grpc.server(ThreadPoolExecutor(2), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0)


def test_a_report_waits_until_the_read_model_has_caught_up(shell: Shell):
    behind = Behind(times=5)
    with answering(behind) as address:
        result = shell("report", "summary", "--json", "--server", address)
    assert (result.code, result.json["orders"]) == (0, 1)
    assert behind.asked == [7] * 6


class NamesBehind(grpc.GenericRpcHandler):
    """A service that knows of a breach, and of who is late only at the head of the log, which is 7."""

    def service(self, details: Any) -> Any:
        answers: dict[str, Any] = {"GetStatus": self.status, "ListBreaches": self.breaches, "ListSuppliers": self.names}
        asked = details.method.rpartition("/")[2]
        return grpc.unary_unary_rpc_method_handler(answers.get(asked, self.refuse))

    def status(self, request: bytes, call: Any) -> bytes:
        return admin_pb2.GetStatusResponse(position=7).SerializeToString()

    def breaches(self, request: bytes, call: Any) -> bytes:
        answer = obligations_pb2.ListBreachesResponse()
        answer.breaches.add(object_id="shop/1/1", supplier_id="acme")
        return answer.SerializeToString()

    def names(self, request: bytes, call: Any) -> bytes:
        asked = supplier_reviews_pb2.ListSuppliersRequest.FromString(request)
        answer = supplier_reviews_pb2.ListSuppliersResponse()
        if asked.at_least >= 7:
            answer.suppliers.add(supplier_id="acme", name="Acme Ltd")
        return answer.SerializeToString()

    def refuse(self, request: bytes, call: Any) -> None:
        call.abort_with_status(status_of(NotAllowed("AUDITOR", "GetPolicy")))


def test_the_names_beside_a_report_are_as_new_as_the_report(shell: Shell):
    with answering(NamesBehind()) as address:
        result = shell("report", "breaches", "--server", address)
    assert "shop/1/1" in result.out
    assert "Acme Ltd" in result.out


def test_options_may_stand_anywhere(service: Service, shell: Shell):
    server = ("--server", service.address)
    ends = [shell(*server, "tenant", "list", "--json"), shell("tenant", *server, "--json", "list")]
    assert [(each.code, each.json[0]["tenant"]) for each in ends] == [(0, "default")] * 2


def test_the_environment_says_where_and_whose(service: Service):
    terminal = Terminal(service.address, "nobody")
    assert "UNKNOWN_TENANT" in terminal("status").err
    assert terminal("status", "--tenant", "default").code == 0


def test_a_reader_that_has_seen_enough_is_no_trouble(service: Service):
    terminal = Terminal(service.address)
    process = terminal.start("status", "--json")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


# --- its own words -----------------------------------------------------------------------------------


def test_lines_are_counted_alike_in_holds_in_errors_and_in_options(ff: Shell, tmp_path: Path):
    source = tmp_path / "order.json"
    tea, mug = ({"line_no": number, "sku": sku, "quantity": 1} for number, sku in ((7, "TEA"), (9, "MUG")))
    order = {
        "channel": "shop",
        "channel_order_id": "numbered",
        "currency": "EUR",
        "lines": [tea | {"supplier_id": "acme"}, mug],
    }
    source.write_text(json.dumps(order))
    assert "supplier_id of line 9;" in ff("place", "--file", str(source)).out
    assert "supplier_id of line 9;" in ff("show", "shop/numbered").out
    (held,) = [line for line in ff("order", "holds").out.splitlines() if "shop/numbered" in line]
    assert "supplier_id of line 9;" in held
    wrong = ff("order", "complete", "shop/numbered", "--line", "9:MUG:1:5:a/b")
    assert (wrong.code, "supplier_id of line 9" in wrong.err, "[0]" in wrong.err) == (1, True, False)
    paths = json.loads(ff("order", "complete", "shop/numbered", "--line", "9:M:1:5:a/b", "--json").err)
    assert paths["error"]["details"]["fields"] == ["lines[0].supplier_id"]


def test_a_refusal_names_the_command_that_helps(ff: Shell):
    assert "create it with fulfilment tenant add, or have it granted" in ff("status", "--tenant", "nobody").err
    assert "'BAD TENANT' cannot name a tenant: start with a letter a-z" in ff("status", "--tenant", "BAD TENANT").err
    result = json.loads(ff("supplier", "approve", "stranger", "--json").err)
    assert result["error"]["message"] == "supplier stranger is not registered; use fulfilment supplier add"


NOWHERE = "/nonexistent/x"


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "review", "--csv", NOWHERE),
        ("report", "review", "--csv", "/tmp"),
        ("report", "review", "--parquet", NOWHERE),
        ("report", "review", "--html", NOWHERE),
        ("supplier", "statement", "acme", "--csv", NOWHERE),
        ("place", "--file", NOWHERE),
        ("place", "--file", "/tmp"),
        ("policy", "set", "--file", NOWHERE),
        ("case", "evidence", "add", "C-1", f"{NOWHERE}.jpg"),
        ("recovery", "document", "r-1", "photo", "--file", NOWHERE),
        ("import", "olist", NOWHERE),
    ],
    ids=" ".join,
)
def test_a_path_that_cannot_be_used_is_reported_in_one_sentence(ff: Shell, arguments: tuple[str, ...]):
    result = ff(*arguments)
    assert (result.code, result.out) == (1, "")
    assert re.fullmatch(
        r"Error: (/\S+ cannot be (read|written): (No such file or directory|Is a directory|.*)|there is no folder /\S+)"
        r" \[\w+\]\n",
        result.err,
    ), result.err
    assert "mistake" not in result.err


def test_what_a_shop_calls_a_sku_is_no_formula_in_a_csv(ff: Shell):
    placed(ff, "formula", "--paid", line="=1+2:1:5:acme")
    result = ff("report", "review", "--by", "sku", "--sku", "=1+2", "--csv", "-")
    assert result.out.splitlines()[1].startswith("'=1+2,1,")


# --- what it looks like ------------------------------------------------------------------------------


def test_json_has_the_names_of_the_contract(ff: Shell):
    placed(ff, "named", "--paid")
    for command, message in (
        (("suppliers",), totals_pb2.SupplierTotal),
        (("rank", "--rate", "cancellation"), rates_pb2.Rate),
    ):
        (row, *_) = ff("report", *command, "--json").json
        assert row.keys() - {"supplier_id"} <= set(message.DESCRIPTOR.fields_by_name)
        assert "supplier_id" in row
    fed = ff("stock", "feed", "acme", "BOX", "3", "--json").json
    assert fed["receipt"]["outcome"] == "OUTCOME_APPLIED"
    assert [each["item"]["supplier_id"] for each in fed["levels"]] == ["acme"]


_STOPPED_EARLY = """
import os, signal, sys
class Stop:
    def find_spec(self, name, *rest):
        if name == "{module}":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Stop())
from adapters.console.__main__ import main
main()
"""


@pytest.mark.parametrize("module", ["adapters.console.main", "grpc", "adapters.console.auditing.log"])
@pytest.mark.parametrize("words", [(), ("--json",)], ids=str)
def test_it_is_stopped_in_a_sentence_while_it_is_still_imported(module: str, words: tuple[str, ...]):
    typed = [sys.executable, "-c", _STOPPED_EARLY.format(module=module), "log", *words]
    ended = subprocess.run(typed, cwd=HOUSE, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (130, "")
    if words:
        error = {"reason": "STOPPED", "message": "stopped", "exit_code": 130, "details": {}}
        assert json.loads(ended.stderr) == {"error": error}
    else:
        assert ended.stderr.strip() == "Error: stopped"


def in_a_terminal(server: str, *arguments: str, columns: int = 100) -> str:
    """What a terminal of so many columns shows."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(HOUSE)
        os.environ.update(TERM="xterm-256color", FULFILMENT_SERVER=server)
        os.environ.pop("COLUMNS", None)
        os.execv(sys.executable, [sys.executable, "-m", "adapters.console", *arguments])
    ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    seen = b""
    try:
        while piece := os.read(fd, 65536):
            seen += piece
    except OSError:
        pass  # the way in which Linux says that the other side has gone
    os.waitpid(pid, 0)
    os.close(fd)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode()).replace("\r", "")


def test_nothing_is_cut_off_in_a_terminal_of_100_columns(ff: Shell, service: Service):
    number = "A" * 40
    placed(ff, number, "--paid", line=f"{'S' * 40}:2:1234.50:acme")
    ff("order", "send", f"shop/{number}/1")
    ff("order", "ship", f"shop/{number}/1", "--carrier", "dhl", "--number", NUMBER * 2)

    shown = in_a_terminal(service.address, "show", f"shop/{number}")

    assert "…" not in shown.replace("…/1", "")
    assert max(map(len, shown.splitlines())) <= 100
    assert shown.count("S") - shown.count("SKU") >= 40
    assert "1,234.50 EUR" in shown
    assert max(map(len, in_a_terminal(service.address, "history", f"shop/{number}").splitlines())) <= 100


def test_a_pipe_gets_plain_lines(service: Service):
    result = Terminal(service.address)("tenant", "list")
    assert "\x1b" not in result.out
    assert all(line == line.rstrip() for line in result.out.splitlines())
