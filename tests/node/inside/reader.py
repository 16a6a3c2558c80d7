"""Runs in client pods: `reader.py ADDRESS PORT TOKENS SECONDS` asks the model for a stream of tokens, once.

It tries to connect until that works or the seconds are over. One JSON line for each thing that happens, with its time.
"""

import http.client
import json
import sys
import time

CONNECT_SECONDS = 1.0
SILENCE_SECONDS = 3.0


def tell(**facts: object) -> None:
    print(json.dumps({"at": time.time(), **facts}), flush=True)


def connect(address: str, port: int, seconds: float) -> http.client.HTTPConnection | None:
    """A connection, or None when the time is over."""
    end = time.time() + seconds
    while time.time() < end:
        connection = http.client.HTTPConnection(address, port, timeout=CONNECT_SECONDS)
        try:
            connection.connect()
        except OSError as refused:
            tell(refused=type(refused).__name__)
            time.sleep(0.1)
            continue
        connection.sock.settimeout(SILENCE_SECONDS)
        return connection
    return None


def read(connection: http.client.HTTPConnection, tokens: int) -> str:
    """Tell every token; returns how it ended."""
    body = {"inputs": "What does a blood pressure of 85/50 mean?", "parameters": {"max_new_tokens": tokens}}
    headers = {"content-type": "application/json"}
    try:
        connection.request("POST", "/generate_stream", json.dumps(body), headers)
        answer = connection.getresponse()
        tell(status=answer.status, compute_type=answer.headers.get("x-compute-type"))
        whole = False
        for line in answer:
            if line.startswith(b"data:"):
                event = json.loads(line.removeprefix(b"data:"))
                if "error" in event:
                    return f"error: {event['error']}"
                whole = event["generated_text"] is not None
                tell(index=event["index"], token=event["token"]["text"])
    except TimeoutError:
        return "silence"
    except (OSError, http.client.HTTPException) as cut:
        return type(cut).__name__
    return "complete" if whole else "closed"


def main(address: str, port: str, tokens: str, seconds: str) -> None:
    connection = connect(address, int(port), float(seconds))
    tell(ended="never connected" if connection is None else read(connection, int(tokens)))


if __name__ == "__main__":
    main(*sys.argv[1:])
