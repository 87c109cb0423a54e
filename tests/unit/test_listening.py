"""Where the API may listen, and what it asks for where others can reach it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from adapters.access.listening import Listener, Unprotected, is_here
from adapters.access.tls import Files, Tls
from fulfilment.tls import is_here as all_are_here
from tests.support.certificates import Authority

HERE = ["127.0.0.1:0", "localhost:0", "127.8.9.10:0"]
THERE = ["0.0.0.0:0"]
if socket.has_ipv6:
    with socket.socket(socket.AF_INET6) as trial:
        try:
            trial.bind(("::1", 0))
            HERE += ["[::1]:0"]
            THERE += ["[::]:0"]
        except OSError:
            pass  # this machine speaks IPv4 alone


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    pair = Authority(tmp_path).issue("server")
    return Tls(Files(pair.certificate, pair.key))


@pytest.mark.parametrize(
    ("hosts", "here"),
    [
        (["127.0.0.1", "::1"], True),
        (["::ffff:127.0.0.1"], True),
        (["::1%lo"], True),
        (["0.0.0.0"], False),
        (["::"], False),
        (["::ffff:192.0.2.1"], False),
        (["192.168.1.10"], False),
        (["fe80::1%eth0"], False),
        (["127.0.0.1", "192.0.2.1"], False),
    ],
)
def test_an_address_is_here_if_all_that_it_stands_for_is(hosts: list[str], here: bool):
    assert is_here(hosts) is here


@pytest.mark.parametrize("address", HERE)
def test_on_this_machine_alone_nothing_is_asked_for(address: str):
    Listener(address, None).require_clients(is_open=True)


@pytest.mark.parametrize("address", THERE)
def test_where_others_can_reach_it_it_does_not_listen_in_plain(address: str):
    with pytest.raises(Unprotected) as refused:
        Listener(address, None)
    assert str(refused.value).startswith(f"{address} can be reached from other machines")
    assert "--tls-cert and --tls-key" in str(refused.value)


@pytest.mark.parametrize("address", THERE)
@pytest.mark.parametrize("behind_proxy", [False, True], ids=["over TLS", "behind a proxy"])
def test_where_others_can_reach_it_somebody_has_to_be_registered(address: str, behind_proxy: bool, tls: Tls):
    listener = Listener(address, None if behind_proxy else tls, behind_proxy=behind_proxy)
    with pytest.raises(Unprotected, match=r"register one first: python server\.py client add"):
        listener.require_clients(is_open=True)
    listener.require_clients(is_open=False)


def test_a_proxy_on_this_machine_brings_others_in():
    with pytest.raises(Unprotected, match="no client is registered"):
        Listener("127.0.0.1:0", None, behind_proxy=True).require_clients(is_open=True)


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("127.0.0.1:1", True),
        ("ipv4:127.0.0.1:1,127.0.0.1:2", True),
        ("ipv4:127.0.0.1:1,10.0.0.2:2", False),
        ("ipv6:[::1]:1,[::1]:2", True),
        ("dns:///ledger.example:1", False),
    ],
)
def test_a_token_goes_in_plain_only_where_each_address_is_this_machine(address: str, here: bool):
    assert all_are_here(address) is here
