"""The API server's answers, in the kinds of `meditron_operator.errors`."""

import json
from typing import Final, NoReturn

import aiohttp

from meditron_operator.errors import (
    ApiError,
    ConflictError,
    NotFoundError,
    RefusedError,
    UnauthorizedError,
    UnavailableError,
)

# Refusals of an API server that has not learnt of our kind yet, after its start or ours: it will, within seconds.
_YET_TO_LEARN: Final = (
    "failed to find resource referenced by paramKind",
    "There can be a delay between when CustomResourceDefinitions are created and when they are available",
)
# A patch names by its uid the object that it means: of another one by that name the server takes it for a changed uid.
_ANOTHER: Final = "metadata.uid: Invalid value"
_LONGEST_RETRY_SECONDS: Final = 60.0  # whatever a proxy asks for: a stop can't wait for an hour


async def raise_for_status(response: aiohttp.ClientResponse) -> None:
    """Nothing when it is a success; else the error that it stands for."""
    if response.status < 400:
        return
    text = await response.text(errors="replace")
    _raise(response.status, _message(text) or response.reason or "no words", response.headers.get("Retry-After"))


def _message(text: str) -> str:
    """The words of a Status, or the whole answer of whoever stands between us and the API server; one line."""
    try:
        status = json.loads(text)
    except ValueError:
        status = None
    words = status.get("message") if isinstance(status, dict) else None
    return " ".join(str(words or text).split())[:1000]


def _raise(status: int, message: str, retry_after: str | None) -> NoReturn:
    if any(words in message for words in _YET_TO_LEARN):
        raise UnavailableError(message)
    if status in (404, 410):
        raise NotFoundError(message)
    if status == 409 or (status == 422 and _ANOTHER in message):
        raise ConflictError(message)
    if status in (400, 403, 405, 413, 422):
        raise RefusedError(message)
    if status == 401:
        raise UnauthorizedError(f"the API server doesn't know us: {message}")
    seconds = min(float(retry_after), _LONGEST_RETRY_SECONDS) if retry_after and retry_after.isdecimal() else None
    if status == 429 or status >= 500:
        raise UnavailableError(message, retry_after=seconds)
    raise ApiError(f"unexpected status {status}: {message}")
