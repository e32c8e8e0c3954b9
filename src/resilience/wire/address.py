"""Addresses to listen at and to connect to, `host:port`, with what toxiproxy says of wrong ones."""

import socket
from dataclasses import dataclass

BACKLOG = 1024
_PORTS = 65_535


class AddressError(ValueError):
    """An address cannot be understood or not be listened at; the text is what toxiproxy would say."""


@dataclass(frozen=True, slots=True)
class Address:
    """Host and port; an empty host is every address of this machine."""

    host: str
    port: int

    def __str__(self) -> str:
        """`127.0.0.1:6379`, `[::1]:6379`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text: str) -> Address:
    """Read `host:port`; nothing is looked up.

    Raises:
        AddressError: it is something else.
    """
    if not text:
        return Address("", 0)
    host, colon, port = text.rpartition(":")
    if not colon or (text.startswith("[") and not host.endswith("]")):
        raise AddressError(f"address {text}: missing port in address")
    if host.startswith("["):
        host = host[1:-1]
    elif ":" in host:
        raise AddressError(f"address {text}: too many colons in address")
    try:
        number = int(port) if port.isascii() and port.isdigit() else socket.getservbyname(port, "tcp") if port else 0
    except OSError:
        raise AddressError(f"lookup tcp/{port}: unknown port") from None
    if number > _PORTS:
        raise AddressError(f"address {port}: invalid port")
    return Address(host, number)


def resolve(text: str) -> Address:
    """As `parse`, with a name of a host replaced by its first address, IPv4 before IPv6.

    Raises:
        AddressError: it cannot be found.
    """
    address = parse(text)
    if not address.host:
        return address
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise AddressError(f"lookup {address.host}: no such host") from None
    family, *_, first = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    if family not in {socket.AF_INET, socket.AF_INET6}:
        raise AddressError(f"lookup {address.host}: no such host")
    return Address(str(first[0]), address.port)


def listen(text: str) -> tuple[socket.socket, str]:
    """Listen; return the socket and the address with the port that it got.

    An address that means everything listens on IPv6 and IPv4, as toxiproxy does.

    Raises:
        AddressError: nobody can listen there.
    """
    try:
        address = resolve(text)
    except AddressError as error:
        raise AddressError(f"listen tcp: {error}") from None
    everywhere = address.host in {"", "0.0.0.0", "::"}  # noqa: S104 - compared, not bound
    if everywhere and socket.has_dualstack_ipv6():
        address = Address("::", address.port)
    elif not address.host:
        address = Address("0.0.0.0", address.port)  # noqa: S104 - what an empty host asks for
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        listener = socket.create_server(
            (address.host, address.port),
            family=family,
            backlog=BACKLOG,
            dualstack_ipv6=everywhere and family == socket.AF_INET6,
        )
    except OSError as error:
        why = (error.strerror or str(error)).split(" (")[0]
        shown = f":{address.port}" if everywhere else address
        raise AddressError(f"listen tcp {shown}: bind: {why[:1].lower()}{why[1:]}") from None
    host, port = listener.getsockname()[:2]
    return listener, str(Address(host, port))
