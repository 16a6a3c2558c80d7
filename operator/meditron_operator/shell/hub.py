"""Facts of a checkpoint on a Hugging Face Hub: its config.json and the sizes of its files, nothing else.

What was fetched is kept by commit, which never changes: the same question needs no network a second time.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from meditron_operator.core.checkpoint.text import MAX_BYTES
from meditron_operator.errors import HubError

REPOSITORY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
COMMIT: Final = re.compile(r"[0-9a-f]{40}")
CONFIG: Final = "config.json"
QUANTIZE_CONFIG: Final = "quantize_config.json"
_TIMEOUT_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One commit of a repository."""

    repository: str
    commit: str
    config: str
    """Text of its config.json."""
    quantize_config: str | None
    """Text of AutoGPTQ's own file, where the repository has one."""
    sizes: Mapping[str, int]
    """Bytes of every file by its name."""


def fetch(repository: str, revision: str | None, endpoint: str | None, cache: Path) -> Listing:
    """Ask the Hub (HF_TOKEN of the environment is used for gated repositories) and remember the answer.

    `revision` is a commit, branch or tag; None: main. Raises HubError, in one line.
    """
    from huggingface_hub import HfApi  # noqa: PLC0415 - only who asks the Hub pays for its client

    _require_repository(repository)
    hub = HfApi(endpoint=endpoint, library_name="meditron-operator")
    try:
        info = hub.model_info(repository, revision=revision, files_metadata=True, timeout=_TIMEOUT_SECONDS)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
        texts = {name: _text(hub, repository, info.sha, name, sizes) for name in (CONFIG, QUANTIZE_CONFIG)}
    except Exception as error:  # of the library, of its HTTP client, of the parsers below: all mean no answer
        raise HubError(f"{repository}: {_words(error)}") from None
    config = texts[CONFIG]
    if config is None or info.sha is None:
        raise HubError(f"{repository}: has no {CONFIG}")
    listing = Listing(
        repository=repository,
        commit=info.sha,
        config=config,
        quantize_config=texts[QUANTIZE_CONFIG],
        sizes=sizes,
    )
    _remember(listing, cache)
    return listing


def recall(repository: str, revision: str, cache: Path) -> Listing:
    """What was fetched of this commit before; no network. Raises HubError when it was not."""
    _require_repository(repository)
    if not COMMIT.fullmatch(revision):
        raise HubError(f"{repository}@{revision}: not a commit of 40 hex digits, so it may have changed: add --online")
    try:
        raw = json.loads(_place(repository, revision, cache).read_text(encoding="utf-8"))
        return Listing(**raw)
    except (OSError, ValueError, TypeError):
        raise HubError(f"{repository}@{revision}: not fetched yet on this machine: add --online once") from None


def _text(hub: Any, repository: str, commit: str | None, name: str, sizes: Mapping[str, int]) -> str | None:
    if name not in sizes:
        return None
    if sizes[name] > MAX_BYTES:
        raise ValueError(f"{name} is larger than {MAX_BYTES // 2**20} MiB")
    path = hub.hf_hub_download(repository, name, revision=commit)
    return Path(path).read_text(encoding="utf-8")


def _require_repository(repository: str) -> None:
    if not REPOSITORY.fullmatch(repository):
        raise HubError(f"{repository!r}: not the name of a repository (organisation/name)")


def _words(error: Exception) -> str:
    """The library's errors end in advice of several lines; a reader needs what happened, and what to do here."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[0] if lines else type(error).__name__
    if type(error).__name__ == "GatedRepoError":
        return "gated: accept its licence on the Hub, then set HF_TOKEN to a token of that account"
    if type(error).__name__ in ("RepositoryNotFoundError", "RevisionNotFoundError"):
        return "not found on the Hub, or private: check the name, or set HF_TOKEN"
    return f"the Hub can't be asked: {said}"


def _place(repository: str, commit: str, cache: Path) -> Path:
    return cache / repository.replace("/", "--") / f"{commit}.json"


def _remember(listing: Listing, cache: Path) -> None:
    """A full disk or a read-only home costs the memory, not the answer."""
    place = _place(listing.repository, listing.commit, cache)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = place.with_suffix(".part")
        unfinished.write_text(json.dumps(asdict(listing)), encoding="utf-8")
        unfinished.replace(place)
    except OSError:
        return
