"""The guard: while a scenario is performed, no connection and no look-up leaves loopback.

Built on the interpreter's audit events, so that it sees every HTTP library and every thread. An attempt is refused before a packet
leaves, and recorded, also where the implementation swallows the error.

What it cannot see: sockets that are not opened through Python's own `socket` module (uvloop, gRPC, compiled clients, Windows'
proactor loop), other processes, and what a proxy on loopback passes on.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from conformance.trace.harness_events import Broke
from conformance.world.errors import OutsideConnection

if TYPE_CHECKING:
    from conformance.world.world import World

_METHODS = ("connect", "connect_ex", "sendto", "sendmsg")
_LOOKUPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})

_guarded: list[World] = []
_performing: ContextVar[World | None] = ContextVar("performing", default=None)
_lock = threading.Lock()
_hooked = False


@contextmanager
def loopback_only(world: World) -> Generator[None]:
    """Refuse every connection and look-up outside of loopback while this is open, and record it in the world."""
    global _hooked
    with _lock:
        if not _hooked:
            sys.addaudithook(_audit)  # cannot be taken out again: it does nothing while no scenario is performed
            _hooked = True
        if not _guarded:
            _cover()
        _guarded.append(world)
    token = _performing.set(world)
    try:
        yield
    finally:
        _performing.reset(token)
        with _lock:
            _guarded.remove(world)
            if not _guarded:
                _uncover()


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _guarded or not event.startswith("socket."):
        return
    if event[7:] in _METHODS:
        _check_address(arguments[1])
    elif event in _LOOKUPS:
        _check_host(arguments[0], arguments[1] if len(arguments) > 1 else None)
    elif event == "socket.getnameinfo":
        _check_host(*arguments[0][:2])


def _cover() -> None:
    # A socket that is given a name looks it up before its audit event: only the method itself can be early enough.
    for name in _METHODS:
        original = getattr(socket.socket, name, None)
        if original is not None and not hasattr(original, "conformance_original"):
            setattr(socket.socket, name, _checked(original))


def _uncover() -> None:
    for name in _METHODS:
        ours = vars(socket.socket).get(name)
        if ours is not None and hasattr(ours, "conformance_original"):  # else someone covered it after us
            original = ours.conformance_original
            delattr(socket.socket, name)
            if getattr(socket.socket, name) is not original:
                setattr(socket.socket, name, original)


def _checked(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def method(self: socket.socket, *arguments: Any) -> Any:
        if _guarded and arguments:
            _check_address(arguments[-1])
        return original(self, *arguments)

    method.conformance_original = original  # type: ignore[attr-defined]
    return method


def _check_address(address: Any) -> None:
    if isinstance(address, tuple) and address:  # else a Unix socket's path, or no address
        _check_host(*address[:2])  # type: ignore[reportUnknownArgumentType]


def _check_host(host: Any, port: Any = None) -> None:
    if isinstance(host, (bytes, bytearray)):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str) or _is_loopback(host):
        return
    address = f"[{host}]" if ":" in host and port else host
    if port:
        address += f":{port.decode() if isinstance(port, bytes) else port}"
    for world in _responsible():
        world.record(Broke, cause="connection", blame="network", text=f"tried to reach {address}, outside of loopback")
    raise OutsideConnection(f"{address} refused: only loopback can be reached while a scenario is performed")


def _responsible() -> list[World]:
    """The world that the caller performs in; every world, where a thread of its own does not tell."""
    world = _performing.get()
    return [world] if world is not None else list(_guarded)


def _is_loopback(host: str) -> bool:
    if host.lower() in ("", "localhost", "localhost."):
        return True
    try:
        address = ipaddress.ip_address(host.split("%", maxsplit=1)[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    # The unspecified address is this machine, or nothing at all.
    return address.is_loopback or address.is_unspecified
