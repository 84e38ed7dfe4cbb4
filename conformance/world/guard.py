"""The guard: while a scenario is performed, no connection leaves loopback.

Built on the interpreter's audit events, so that it sees every HTTP library and every thread. An attempt is refused and recorded,
also where the implementation swallows the error.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from conformance.trace import Broke
from conformance.world.errors import OutsideConnection

if TYPE_CHECKING:
    from conformance.world import World

_guarded: list[World] = []
_installed = False


@contextmanager
def loopback_only(world: World) -> Iterator[None]:
    """Refuse every connection and look-up outside of loopback while this is open."""
    global _installed
    if not _installed:
        sys.addaudithook(_audit)  # cannot be taken out again: it does nothing while no scenario is performed
        _installed = True
    _guarded.append(world)
    try:
        yield
    finally:
        _guarded.remove(world)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _guarded or not event.startswith("socket."):
        return
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        if isinstance(address, tuple) and address:
            _refuse_outside(str(address[0]), str(address[1]) if len(address) > 1 else "")  # type: ignore[reportUnknownArgumentType]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
        if host is not None:
            _refuse_outside(host.decode() if isinstance(host, bytes) else str(host), str(arguments[1]) if len(arguments) > 1 else "")


def _refuse_outside(host: str, port: str) -> None:
    if _is_loopback(host):
        return
    address = f"{host}:{port}" if port else host
    for world in _guarded:
        world.record(Broke, cause="connection", text=f"tried to connect to {address}, outside of loopback")
    raise OutsideConnection(f"connection to {address} refused: only loopback is allowed while a scenario is performed")


def _is_loopback(host: str) -> bool:
    if host in ("", "localhost", "localhost."):
        return True
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False
