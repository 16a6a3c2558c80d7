"""Runs in test pods, on the node and beside it. It imports little: probers are started often, many at once.

`serve PORT` takes TCP connections and echoes datagrams; `ask JSON` tries a list of [protocol, address, port] at
once and prints one outcome for each.
"""

import errno
import json
import select
import socket
import sys
import time

_LIMIT_SECONDS = 2.5
"""With room for one SYN that is sent again after a second."""

CONNECTS, REFUSED, SILENT = "connects", "refused", "silent"


def _serve(port: int) -> None:
    connections = socket.create_server(("0.0.0.0", port), backlog=128)  # noqa: S104
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("0.0.0.0", port))  # noqa: S104
    while True:
        ready, _, _ = select.select([connections, datagrams], [], [])
        if connections in ready:
            connections.accept()[0].close()
        if datagrams in ready:
            data, sender = datagrams.recvfrom(16)
            datagrams.sendto(data, sender)


def _begun(protocol: str, address: str, port: int) -> socket.socket | None:
    """An attempt under way, None where the kernel knows at once that it can't be."""
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    attempt = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)
    if attempt.connect_ex((address, port)) not in {0, errno.EINPROGRESS}:
        attempt.close()
        return None
    if protocol == "udp":
        attempt.send(b"?")
    return attempt


def _ask(targets: list[tuple[str, str, int]]) -> list[str]:
    outcomes = [SILENT] * len(targets)
    poll = select.poll()
    open_: dict[int, tuple[int, socket.socket]] = {}
    for number, target in enumerate(targets):
        attempt = _begun(*target)
        if attempt is None:
            outcomes[number] = REFUSED
        else:
            open_[attempt.fileno()] = number, attempt
            poll.register(attempt, select.POLLIN if target[0] == "udp" else select.POLLOUT)
    end = time.monotonic() + _LIMIT_SECONDS
    while open_ and (left := end - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(left * 1000):
            number, attempt = open_.pop(descriptor)
            poll.unregister(descriptor)
            failed = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            outcomes[number] = REFUSED if failed else CONNECTS
            attempt.close()
    return outcomes


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        _serve(int(sys.argv[2]))
    print(json.dumps(_ask(json.loads(sys.argv[2]))))
