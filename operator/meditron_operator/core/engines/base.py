"""What an engine tells the renderers: nothing in here knows Kubernetes objects."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meditron_operator.core.sizing import Demand, Plan

if TYPE_CHECKING:
    from meditron_operator.core.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """A folder that the engine writes to, under a read-only root file system."""

    name: str
    path: str
    limit_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProbe:
    path: str
    period_seconds: int
    timeout_seconds: int
    failure_threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogHead:
    """What the first lines of an engine's log have told so far."""

    kv_capacity_tokens: int | None = None
    complete: bool = False
    """The start is over: the following lines are about requests, and not to be read."""


ReadLine = Callable[[LogHead, str], LogHead]


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to run one replica of an engine."""

    container: str
    port: int
    environment: tuple[tuple[str, str], ...]
    model_mount: str
    scratch: tuple[Scratch, ...]
    shared_memory_path: str
    startup: HttpProbe
    readiness: HttpProbe
    liveness: HttpProbe
    startup_budget_seconds: int
    termination_grace_seconds: int
    read_line: ReadLine
    """Reads the log that the engine writes while it starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """A parsed spec with what it asks of sizing, facts included, and the answer."""

    spec: "Spec"
    demand: Demand
    plan: Plan


Engine = Callable[[Sized], Launch]
