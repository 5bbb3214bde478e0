"""Whom the arena may call: hosts that the instructor names, at addresses that are checked when a connection is made."""

import fnmatch
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LOOPBACK = ("127.0.0.0/8", "::1/128")
AWS = "*.execute-api.*.amazonaws.com"
_NEVER = tuple(ipaddress.ip_network(n) for n in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32"))  # instance metadata
_MAX_URL = 400


class NotAllowed(ValueError):
    """The URL is not one the arena calls; the text says why and what to do."""


class ForbiddenAddress(OSError):
    """A host's name led to an address that the arena does not call."""


def _plain(text: str) -> Address:
    address = ipaddress.ip_address(text.split("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


@dataclass(frozen=True, slots=True)
class Guard:
    """Allowed host-name patterns and networks.

    A name that fits a pattern may resolve to a public address or to one in an allowed network; a literal address has to
    be in an allowed network.
    """

    patterns: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, allowed: Iterable[str]) -> "Guard":
        """Read what an instructor writes: `loopback`, `aws`, a network (192.168.1.0/24), an address, a name or pattern.

        Raises ValueError for a pattern that would allow every host.
        """
        patterns: list[str] = []
        networks: list[Network] = []
        for item in (i.strip().lower() for i in allowed):
            if item == "loopback":
                networks += [ipaddress.ip_network(n) for n in LOOPBACK]
                patterns.append("localhost")
            elif item == "aws":
                patterns.append(AWS)
            elif not item.strip("*.?[]"):
                raise ValueError(f"{item!r} would let the arena call any host; name the hosts or the network.")
            else:
                try:
                    networks.append(ipaddress.ip_network(item, strict=False))
                except ValueError:
                    patterns.append(item)
        return cls(tuple(patterns), tuple(networks))

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
        if parts.scheme not in ("http", "https") or not host:
            raise NotAllowed("The URL has to begin with http:// or https:// and name a host.")
        if parts.username is not None or parts.password is not None:
            raise NotAllowed("The URL holds a user name or password; the arena sends no credentials.")
        if port == 0:
            raise NotAllowed("Port 0 is not a port that answers.")
        if not self._host_allowed(host):
            raise NotAllowed(f"The arena does not call {host}. The instructor allows: {self.describe()}.")
        return parts._replace(fragment="").geturl()

    def _host_allowed(self, host: str) -> bool:
        try:
            return self.allows_address(host, named=False)
        except ValueError:
            return any(fnmatch.fnmatchcase(host.rstrip("."), pattern) for pattern in self.patterns)

    def allows_address(self, address: str, *, named: bool = True) -> bool:
        """Whether to connect to this address; `named`: it came out of a host name that fitted a pattern."""
        plain = _plain(address)
        if plain.is_multicast or plain.is_unspecified or any(plain in n for n in _NEVER):
            return False
        if any(plain in n for n in self.networks):
            return True
        return named and bool(self.patterns) and plain.is_global

    def open_socket(self, info: tuple) -> socket.socket:
        """A socket towards one resolved address (as `getaddrinfo` gives it). Raises ForbiddenAddress."""
        family, kind, protocol, _, address = info
        if not self.allows_address(address[0]):
            raise ForbiddenAddress(f"the arena does not call {address[0]}")
        return socket.socket(family, kind, protocol)

    def describe(self) -> str:
        names = [p for p in self.patterns if p != "localhost"]
        nets = [str(n) for n in self.networks if str(n) not in LOOPBACK]
        own = ["this machine (127.0.0.1)"] if len(nets) < len(self.networks) else []
        return ", ".join(own + names + nets) or "nothing yet"
