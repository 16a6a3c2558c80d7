"""Builds the Go baseline like the programs of the testbed: once, into the cache."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.testbed.build import Command, require_go
from tests.testbed.instances import cache_folder

_SOURCE: Final = Path(__file__).with_name("controller")


@dataclass(frozen=True, slots=True)
class Controller:
    """The operator on controller-runtime."""

    name: str = "controller"
    version: str = "0.25.2"  # of controller-runtime
    usual: str = "2 minutes"

    @property
    def folder(self) -> Path:
        content = b"".join((_SOURCE / name).read_bytes() for name in ("go.mod", "go.sum", "main.go"))
        return cache_folder() / f"{self.name}-{self.version}-{hashlib.sha256(content).hexdigest()[:8]}"

    def steps(self, _scratch: Path, result: Path, /) -> Iterator[Command]:
        flags = ("-trimpath", "-ldflags", "-s -w", "-o", str(result / self.name))
        yield Command((require_go(self), "build", *flags, "."), cwd=_SOURCE, env={"CGO_ENABLED": "0"})
