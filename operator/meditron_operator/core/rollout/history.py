"""What the status remembers of templates, so that a bad one can be taken back.

The template itself stays where the API server keeps it anyway, in the ControllerRevision that the StatefulSet's
controller made of it. The status has its name, and a digest: whoever may write ControllerRevisions must not thereby
choose what a rollback runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meditron_operator.core.compare import digest
from meditron_operator.core.live import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """The last template with which all replicas served."""

    revision: str
    """Name of the ControllerRevision that keeps it."""
    template: str
    """Its digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A template that failed, and is not tried again while the spec asks to roll back."""

    template: str
    """Digest of the template as it is rendered."""
    message: str
    """Which replica failed, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    good: Good | None = None
    failed: Failed | None = None
    kept: Manifest | None = None
    """The template of `good`; None where it was not looked up, or is not there any more."""

    def wire(self) -> dict[str, Any]:
        """As `status.rollout`."""
        good, failed = self.good, self.failed
        return {
            **({"lastGood": {"revision": good.revision, "template": good.template}} if good else {}),
            **({"failed": {"template": failed.template, "message": failed.message}} if failed else {}),
        }


def history_of(status: Mapping[str, Any]) -> History:
    """Of a stored status; what is not understood counts as forgotten."""
    match status.get("rollout"):
        case Mapping() as told:
            return History(good=_good(told.get("lastGood")), failed=_failed(told.get("failed")))
        case _:
            return History()


def _good(told: Any) -> Good | None:
    match told:
        case {"revision": str(revision), "template": str(template)}:
            return Good(revision=revision, template=template)
        case _:
            return None


def _failed(told: Any) -> Failed | None:
    match told:
        case {"template": str(template), "message": str(message)}:
            return Failed(template=template, message=message)
        case _:
            return None


def kept_template(revision: Mapping[str, Any], good: Good) -> Manifest | None:
    """The template in a ControllerRevision; None when it is not the one that served."""
    match revision.get("data"):
        case {"spec": {"template": Mapping() as kept}}:
            template: Manifest = {key: value for key, value in kept.items() if key != "$patch"}
            metadata: Mapping[str, Any] = template.get("metadata") or {}
            # Releases before 1.34 keep `creationTimestamp: null` in there.
            template["metadata"] = {key: value for key, value in metadata.items() if value is not None}
            return template if digest(template) == good.template else None
        case _:
            return None
