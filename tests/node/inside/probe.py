"""Runs in test pods: `probe.py serve PORT` answers, `probe.py ask ADDRESS PORT SECONDS` tries it over and over."""

import http.client
import http.server
import json
import sys
import time

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


def attempt(address: str, port: int) -> bool:
    """Whether a new connection is answered."""
    connection = http.client.HTTPConnection(address, port, timeout=_ATTEMPT_SECONDS)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read() == ANSWER
    except OSError:
        return False
    finally:
        connection.close()


def ask(address: str, port: int, seconds: float) -> None:
    """One JSON line for each attempt: when it began, and whether it was answered."""
    end = time.time() + seconds
    while (began := time.time()) < end:
        print(json.dumps({"began": began, "answered": attempt(address, port)}), flush=True)
        time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        http.server.ThreadingHTTPServer(("", int(sys.argv[2])), Handler).serve_forever()
    else:
        ask(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
