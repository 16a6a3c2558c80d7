"""A real Kubernetes control plane on this machine, without Docker and without root, with simulated GPU nodes.

`python -m tests.testbed --help` for people, `Testbed.start` for tests and the demo.
"""

from typing import TYPE_CHECKING, Any

from tests.testbed.errors import TestbedError

if TYPE_CHECKING:
    from tests.testbed.bed import Testbed

__all__ = ["Testbed", "TestbedError"]


def __getattr__(name: str) -> Any:
    """Import the Kubernetes client only for its users: the supervisor, in this package too, does without."""
    if name == "Testbed":
        from tests.testbed.bed import Testbed  # noqa: PLC0415

        return Testbed
    raise AttributeError(name)
