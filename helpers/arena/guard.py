"""Whom the arena may call: hosts that the instructor names, at addresses that are checked when a connection is made."""

import fnmatch
import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LOOPBACK = tuple(ipaddress.ip_network(n) for n in ("127.0.0.0/8", "::1/128"))
AWS = ("*.execute-api.*.amazonaws.com", "*.execute-api.*.amazonaws.com.cn")
# Link-local addresses and those of clouds' own services: instance metadata is there
_NEVER = tuple(
    ipaddress.ip_network(n)
    for n in ("169.254.0.0/16", "192.0.0.0/24", "100.100.100.0/24", "fe80::/10", "fd00:ec2::/32")
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits
_COMPATIBLE = ipaddress.ip_network("::/96")  # RFC 4291, deprecated: likewise
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_URL = 400
# An API Gateway stage of the offline AWS: /restapis/<API's id>/<stage>/_user_request_/<resource>
_STAGE = re.compile(r"/restapis/[A-Za-z0-9]{1,64}/[A-Za-z0-9_-]{1,128}/_user_request_(/[^/\\]+)*/?")


class NotAllowed(ValueError):
    """The URL is not one the arena calls; the text says why and what to do."""


class ForbiddenAddress(OSError):
    """A host's name led to an address that the arena does not call."""


def _plain(text: str) -> Address:
    """The address, out of an IPv6 form that only carries an IPv4 one where it does. Raises ValueError."""
    address = ipaddress.ip_address(text.split("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        carried = address.ipv4_mapped or address.sixtofour
        if carried is None and (address in _NAT64 or (address in _COMPATIBLE and int(address) > 1)):
            carried = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return carried or address
    return address


def _is_local_name(name: str) -> bool:
    return name == "localhost" or name.endswith(".localhost")


def is_stage(path: str) -> bool:
    """Whether the path is that of an API Gateway stage of the offline AWS, and stays there however it is decoded."""
    plain = unquote(path)
    segments = plain.split("/")
    return "%" not in plain and not {".", ".."} & set(segments) and bool(_STAGE.fullmatch(plain))


@dataclass(frozen=True, slots=True)
class Place:
    """One port of a host: an address, a name, or a pattern of names. Whatever answers there may be asked."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Guard:
    """Allowed names, networks and places.

    - A name that fits a pattern, at the scheme's own port, may resolve to a public address or one in a network.
    - At an address in a network, which may be this machine's loopback, only API Gateway stages of an offline AWS are
      called: other services that listen there were not meant for the arena.
    - At a place anything is called.
    """

    patterns: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    places: tuple[Place, ...] = ()

    @classmethod
    def parse(cls, allowed: Iterable[str]) -> "Guard":
        """Read what an instructor writes: `loopback`, `aws`, a network (192.168.1.0/24), host:port, a name or pattern.

        Raises ValueError for a pattern that would allow every host.
        """
        patterns: list[str] = []
        networks: list[Network] = []
        places: list[Place] = []
        for item in (i.strip().lower() for i in allowed):
            host, _, port = item.rpartition(":")
            if item == "loopback":
                networks += LOOPBACK
            elif item == "aws":
                patterns += AWS
            elif re.fullmatch(r"[*.?\[\]]*(:\d*)?", item):
                raise ValueError(f"{item!r} would let the arena call any host; name the hosts or the network.")
            elif host and port.isdecimal() and (host.count(":") == 0 or host.startswith("[")):
                places.append(Place(host.strip("[]"), int(port)))
            else:
                try:
                    networks.append(ipaddress.ip_network(item, strict=False))
                except ValueError:
                    patterns.append(item)
        return cls(tuple(patterns), tuple(networks), tuple(places))

    def check_url(self, url: str) -> str:
        """The URL, cleaned of its fragment. Raises NotAllowed in words for the learner."""
        url = url.strip()
        if len(url) > _MAX_URL:
            raise NotAllowed(f"The URL has {len(url)} characters; {_MAX_URL} is the most the arena takes.")
        if any(ord(c) < 33 or ord(c) == 127 for c in url):
            raise NotAllowed("The URL holds a space or a control character.")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise NotAllowed(f"That is not a URL: {error}.") from None
        if parts.scheme not in _DEFAULT_PORTS or not host:
            raise NotAllowed("The URL has to begin with http:// or https:// and name a host.")
        if parts.username is not None or parts.password is not None:
            raise NotAllowed("The URL holds a user name or password; the arena sends no credentials.")
        if port == 0:
            raise NotAllowed("Port 0 is not a port that answers.")
        self._check_target(parts, host.rstrip("."), port or _DEFAULT_PORTS[parts.scheme])
        return parts._replace(fragment="").geturl()

    def _check_target(self, parts: SplitResult, host: str, port: int) -> None:
        if any(place.port == port and fnmatch.fnmatchcase(host, place.host) for place in self.places):
            return
        refused = NotAllowed(f"The arena does not call {host}:{port}. The instructor allows: {self.describe()}.")
        try:
            in_a_network = self._in_networks(_plain(host))
        except ValueError:
            in_a_network = host == "localhost" and self._in_networks(ipaddress.IPv4Address("127.0.0.1"))
            if not in_a_network and any(fnmatch.fnmatchcase(host, pattern) for pattern in self.patterns):
                if port != _DEFAULT_PORTS[parts.scheme]:
                    raise refused from None
                return
        if not in_a_network:
            raise refused
        if not is_stage(parts.path):
            raise NotAllowed(
                f"At {host} the arena calls APIs of an offline AWS only: the path has to be like"
                " /restapis/<id>/<stage>/_user_request_/<resource>."
            )

    def _in_networks(self, address: Address) -> bool:
        return not _is_barred(address) and any(address in network for network in self.networks)

    def allows_address(self, address: str, port: int) -> bool:
        """Whether to connect to this address and port, which a URL that was allowed led to."""
        plain = _plain(address)
        if _is_barred(plain):
            return False
        if self._in_networks(plain) or any(_is_at(place, plain, port) for place in self.places):
            return True
        named = bool(self.patterns) or any(not _is_local_name(place.host) for place in self.places)
        return named and plain.is_global and not plain.is_reserved

    def open_socket(self, info: tuple) -> socket.socket:
        """A socket towards one resolved address (as `getaddrinfo` gives it). Raises ForbiddenAddress."""
        family, kind, protocol, _, address = info
        if not self.allows_address(address[0], address[1]):
            raise ForbiddenAddress(f"the arena does not call {address[0]}")
        return socket.socket(family, kind, protocol)

    def describe(self) -> str:
        nets = [str(n) for n in self.networks if n not in LOOPBACK]
        own = ["APIs on this machine"] if len(nets) < len(self.networks) else []
        return ", ".join([*own, *self.patterns, *nets, *map(str, self.places)]) or "nothing yet"


def _is_barred(address: Address) -> bool:
    return address.is_multicast or address.is_unspecified or any(address in network for network in _NEVER)


def _is_at(place: Place, address: Address, port: int) -> bool:
    if place.port != port:
        return False
    if _is_local_name(place.host):
        return any(address in network for network in LOOPBACK)
    try:
        return _plain(place.host) == address
    except ValueError:
        return False
