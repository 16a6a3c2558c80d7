"""Runs in test pods.

`serve PORT` answers, `ask ADDRESS PORT SECONDS` tries that over and over, `knock ADDRESS PORT SECONDS` only connects,
`describe` says what the process may, `version` asks the API server for its own.
"""

import http.client
import http.server
import json
import os
import socket
import ssl
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

ANSWER = b"served\n"
_ATTEMPT_SECONDS = 0.5
_PAUSE_SECONDS = 0.02


class Handler(http.server.BaseHTTPRequestHandler):
    """One answer to everything."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)


def answered(address: str, port: int) -> bool:
    """Whether a new connection is answered."""
    connection = http.client.HTTPConnection(address, port, timeout=_ATTEMPT_SECONDS)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read() == ANSWER
    except OSError:
        return False
    finally:
        connection.close()


def connect(address: str, port: int) -> bool:
    """Whether somebody takes a new connection."""
    try:
        socket.create_connection((address, port), timeout=_ATTEMPT_SECONDS).close()
    except OSError:
        return False
    return True


def ask(attempt: Callable[[str, int], bool], address: str, port: int, seconds: float) -> None:
    """One JSON line for each attempt: when it began, and whether it was answered."""
    end = time.time() + seconds
    while (began := time.time()) < end:
        print(json.dumps({"began": began, "answered": attempt(address, port)}), flush=True)
        time.sleep(_PAUSE_SECONDS)


def describe() -> dict[str, object]:
    """What the kernel says about this process, and where it can write."""
    lines = Path("/proc/self/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return {
        "user": os.getuid(),
        "capabilities": status["CapEff"],
        "seccomp": status["Seccomp"],
        "no_new_privileges": status["NoNewPrivs"],
        "writes": {folder: _writes(Path(folder) / "x") for folder in ("/", "/tmp", "/dev/shm")},
    }


def _writes(file: Path) -> str:
    try:
        file.write_text("x")
    except OSError as refused:
        return str(refused.strerror)
    return "written"


def version() -> str:
    """As every client inside a cluster finds the API server and proves who it is."""
    account = Path("/var/run/secrets/kubernetes.io/serviceaccount")
    server = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    headers = {"Authorization": f"Bearer {(account / 'token').read_text()}"}
    request = urllib.request.Request(f"{server}/version", headers=headers)
    trust = ssl.create_default_context(cafile=account / "ca.crt")
    with urllib.request.urlopen(request, context=trust, timeout=10) as answer:
        return str(json.load(answer)["gitVersion"])


def main(what: str, *arguments: str) -> None:
    match what:
        case "serve":
            http.server.ThreadingHTTPServer(("", int(arguments[0])), Handler).serve_forever()
        case "ask" | "knock":
            attempt = connect if what == "knock" else answered
            ask(attempt, arguments[0], int(arguments[1]), float(arguments[2]))
        case "describe":
            print(json.dumps(describe()))
        case "version":
            print(version())


if __name__ == "__main__":
    main(*sys.argv[1:])
