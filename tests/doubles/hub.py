"""A Hugging Face Hub on loopback with the three routes that `meditron plan --online` needs.

Faithful in: `GET /api/models/REPO[/revision/REV]?blobs=true` (sha, siblings with sizes, 404 with X-Error-Code),
`HEAD` and `GET /REPO/resolve/COMMIT/FILE` (ETag, X-Repo-Commit), 401 of gated repositories. Checked against
the real client, huggingface_hub, which the product uses. It holds no weights: sizes are only listed.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True, kw_only=True)
class Repository:
    """One repository at one commit."""

    texts: Mapping[str, str]
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Of files that are listed and not served."""
    gated: bool = False
    commit: str = COMMIT

    def listing(self, name: str) -> dict[str, Any]:
        files = {**{file: len(text.encode()) for file, text in self.texts.items()}, **self.sizes}
        siblings = [{"rfilename": file, "size": size, "blobId": "0" * 40} for file, size in files.items()]
        return {"_id": "1", "id": name, "modelId": name, "sha": self.commit, "siblings": siblings, "tags": []}


@dataclass(frozen=True, slots=True)
class Hub:
    """A running hub."""

    endpoint: str
    requests: list[str]
    """Method and path of each request so far."""


@contextmanager
def running_hub(repositories: Mapping[str, Repository]) -> Iterator[Hub]:
    """Serve `repositories` until the block ends."""
    requests: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, repositories, requests))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Hub(f"http://127.0.0.1:{server.server_port}", requests)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, repositories: Mapping[str, Repository], requests: list[str], *connection: Any) -> None:
        self._repositories = repositories
        self._requests = requests
        super().__init__(*connection)

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Requests are kept, not printed."""

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        self._requests.append(f"{self.command} {path}")
        steps = [unquote(step) for step in path.split("/")[1:]]
        if steps[:2] == ["api", "models"]:
            self._list("/".join(steps[2:4]), steps[5] if len(steps) > 5 else "main")
        else:
            self._file("/".join(steps[:2]), steps[-1])

    def _list(self, name: str, revision: str) -> None:
        repository = self._repositories.get(name)
        if repository is None:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif revision not in ("main", repository.commit):
            self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        else:
            self._send(200, json.dumps(repository.listing(name)).encode(), {})

    def _file(self, name: str, file: str) -> None:
        repository = self._repositories[name]
        if repository.gated:
            self._send(403, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "gated"})
            return
        body = repository.texts[file].encode()
        self._send(200, body, {"ETag": f'"{len(body)}-{file}"', "X-Repo-Commit": repository.commit})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for header, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(header, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
