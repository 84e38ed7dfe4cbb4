"""The guard. The addresses are reserved for documentation and the names for tests: none of them leads anywhere."""

import _socket
import asyncio
import contextlib
import socket
import threading

import httpx
import pytest

from conformance.harness.runner import perform
from conformance.reference.implementation import Reference
from conformance.scenario.scenario import CreateThread, Run, Scenario
from conformance.scenario.specs import AgentSpec
from conformance.trace.harness_events import Broke
from conformance.world.errors import OutsideConnection
from conformance.world.network_guard import loopback_only
from conformance.world.world import World

ONE_RUN = Scenario(agents={"a": AgentSpec()}, steps=(CreateThread(thread="t", agent="a"), Run(thread="t", say=("hello",))))


@pytest.fixture
def world():
    world = World(ONE_RUN)
    with loopback_only(world):
        yield world


def attempts(world):
    return [event.text for event in world.events if isinstance(event, Broke) and event.cause == "connection"]


def datagram(family=socket.AF_INET):
    return socket.socket(family, socket.SOCK_DGRAM)


@pytest.mark.parametrize(
    ("make", "attempt", "address"),
    [
        (socket.socket, lambda s: s.connect(("192.0.2.1", 443)), "192.0.2.1:443"),
        (socket.socket, lambda s: s.connect_ex(("192.0.2.1", 443)), "192.0.2.1:443"),
        (socket.socket, lambda s: s.connect((b"192.0.2.1", 443)), "192.0.2.1:443"),
        (socket.socket, lambda s: s.connect(("api.example.invalid", 443)), "api.example.invalid:443"),
        (_socket.socket, lambda s: s.connect(("192.0.2.1", 443)), "192.0.2.1:443"),
        (lambda: socket.socket(socket.AF_INET6), lambda s: s.connect(("2001:db8::1", 443)), "[2001:db8::1]:443"),
        (lambda: socket.socket(socket.AF_INET6), lambda s: s.connect(("::ffff:192.0.2.1", 443)), "[::ffff:192.0.2.1]:443"),
        (datagram, lambda s: s.sendto(b"x", ("192.0.2.1", 53)), "192.0.2.1:53"),
        (datagram, lambda s: s.sendto(b"x", 0, ("api.example.invalid", 53)), "api.example.invalid:53"),
        (datagram, lambda s: s.sendmsg([b"x"], [], 0, ("192.0.2.1", 53)), "192.0.2.1:53"),
    ],
)
def test_a_socket_cannot_leave_loopback(world, make, attempt, address):
    with contextlib.closing(make()) as opened, pytest.raises(OutsideConnection):
        attempt(opened)
    assert attempts(world) == [f"tried to reach {address}, outside of loopback"]


@pytest.mark.parametrize(
    ("look_up", "address"),
    [
        (lambda: socket.getaddrinfo("api.example.invalid", 443), "api.example.invalid:443"),
        (lambda: socket.getaddrinfo("api.example.invalid", None), "api.example.invalid"),
        (lambda: socket.getaddrinfo(b"api.example.invalid", "https"), "api.example.invalid:https"),
        (lambda: socket.gethostbyname("api.example.invalid"), "api.example.invalid"),
        (lambda: socket.gethostbyname_ex("api.example.invalid"), "api.example.invalid"),
        (lambda: socket.gethostbyaddr("192.0.2.1"), "192.0.2.1"),
        (lambda: socket.getnameinfo(("192.0.2.1", 80), 0), "192.0.2.1:80"),
        (lambda: socket.create_connection(("api.example.invalid", 80)), "api.example.invalid:80"),
    ],
)
def test_a_name_is_not_looked_up(world, look_up, address):
    with pytest.raises(OutsideConnection):
        look_up()
    assert attempts(world) == [f"tried to reach {address}, outside of loopback"]


async def test_asyncio_cannot_leave_loopback(world):
    for host in ("192.0.2.1", "2001:db8::1", "api.example.invalid"):
        with pytest.raises(OutsideConnection):
            await asyncio.open_connection(host, 443)
    with pytest.raises(OutsideConnection):
        await asyncio.get_running_loop().create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=("192.0.2.1", 53))
    assert [text.split()[3] for text in attempts(world)] == [
        "192.0.2.1:443,",
        "[2001:db8::1]:443,",
        "api.example.invalid:443,",
        "192.0.2.1:53,",
    ]


async def test_an_http_client_cannot_leave_loopback(world):
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("https://api.example.invalid/v1/responses")
    assert attempts(world) == ["tried to reach api.example.invalid:443, outside of loopback"]


def test_a_thread_of_its_own_cannot_leave_loopback(world):
    def work():
        with pytest.raises(OutsideConnection):
            socket.create_connection(("192.0.2.1", 80))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert attempts(world) == ["tried to reach 192.0.2.1:80, outside of loopback"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", b"127.0.0.1"])
def test_loopback_can_be_reached(world, host):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect((host, server.getsockname()[1]))
    assert attempts(world) == []


def test_ipv6_loopback_unix_sockets_and_own_addresses_are_no_connections_to_outside(world, tmp_path):
    socket.getaddrinfo("localhost", 80)
    socket.getaddrinfo(None, 80)
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "s"))
        server.listen()
        client.connect(str(tmp_path / "s"))
    for host in ("::1", "::ffff:127.0.0.1"):
        with datagram(socket.AF_INET6) as opened, contextlib.suppress(OSError):  # a machine may have no IPv6
            opened.connect((host, 9))
    assert attempts(world) == []


def test_nothing_is_refused_while_no_scenario_is_performed():
    own = vars(socket.socket).get("connect")
    with loopback_only(World(ONE_RUN)):
        assert vars(socket.socket).get("connect") is not own
    assert vars(socket.socket).get("connect") is own
    with datagram() as opened:
        opened.connect(("192.0.2.1", 9))  # a datagram socket only notes the address


def test_each_of_two_performances_answers_for_its_own_attempts():
    worlds = [World(ONE_RUN), World(ONE_RUN)]
    inside = threading.Barrier(2)

    def work(world, host):
        with loopback_only(world), datagram() as opened:
            inside.wait()
            with pytest.raises(OutsideConnection):
                opened.connect((host, 9))
            inside.wait()

    threads = [threading.Thread(target=work, args=pair) for pair in zip(worlds, ("192.0.2.1", "192.0.2.2"), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [attempts(world) for world in worlds] == [
        ["tried to reach 192.0.2.1:9, outside of loopback"],
        ["tried to reach 192.0.2.2:9, outside of loopback"],
    ]


class CallsHome(Reference):
    name = "calls-home"

    async def run(self, agent, thread, turn):
        with contextlib.suppress(OSError):
            await asyncio.open_connection("telemetry.example.invalid", 443)
        return await super().run(agent, thread, turn)


def test_an_implementation_that_swallows_the_refusal_is_caught_all_the_same():
    trace = perform(ONE_RUN, CallsHome)
    assert trace.broken == Broke(
        step=1,
        cause="connection",
        blame="network",
        text="tried to reach telemetry.example.invalid:443, outside of loopback",
    )
    assert perform(ONE_RUN, Reference).broken is None
