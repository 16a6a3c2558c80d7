"""Settings of operator and guard: parsed once by the command line, handed down, never read from elsewhere."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What an installation decides."""

    operator_namespace: str
    """Namespace of the operator's own pods: the models' network policies let it in. The lease lies there too."""
    identity: str
    """Who holds the lease: no two processes that can run at the same time share it."""
    watched_namespaces: tuple[str, ...] = ()
    """Whose deployments are served; empty: of all namespaces."""
    engine_image: str | None = None
    """Engine image for deployments that name none; pinned by digest."""
    health_host: str = "0.0.0.0"  # noqa: S104 - kubelet probes come from the node's address
    health_port: int = 8080
    workers: int = 8
    """Deployments worked on at the same time."""
    resync_seconds: float = 600.0
    """How often a deployment is looked at without any event; costs no request while nothing differs."""
    request_timeout_seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardConfig:
    """What an installation decides of the guard."""

    operator_namespace: str
    """Its annotations are the switch of the whole cluster. The guards' lease lies there too."""
    identity: str
    """Who holds the lease, and so goes first: no two guards that can run at the same time share it."""
    health_host: str = "0.0.0.0"  # noqa: S104 - kubelet probes come from the node's address
    health_port: int = 8080
    fail_closed_after_seconds: float = 0.0
    """How long the switch may be unreadable before everything counts as engaged; 0: for ever."""
    request_timeout_seconds: float = 10.0
