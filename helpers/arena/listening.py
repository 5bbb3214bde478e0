"""Sockets that listen, and this machine's own address as others see it."""

import socket

BACKLOG = 512
OTHER_PORTS = 20  # tried after the one asked for, before any free one


def listen(host: str, port: int) -> socket.socket:
    """A listening socket at the port asked for (0: any), or at a free one. Raises OSError."""
    failure: OSError | None = None
    for attempt in (*range(port, port + OTHER_PORTS), 0) if port else (0,):
        found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, attempt))
            found.listen(BACKLOG)
            return found
        except OSError as error:
            found.close()
            failure = error
    raise OSError(f"cannot listen at {host}:{port}: {failure}")


def address_towards(host: str) -> str:
    """This machine's own address in the network that leads to `host`. Raises OSError when none does."""
    family = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0][0]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))  # sends nothing: only asks which interface would be used
        return probe.getsockname()[0]
