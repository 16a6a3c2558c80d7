"""Whether an installation works: what was found of it, judged."""

from dataclasses import dataclass
from typing import Any, Final

from meditron_operator import names
from meditron_operator.core.live import Manifest

_DENIED: Final = " denied request: "


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    fine: bool
    words: str


def readiness(name: str, deployment: Manifest | None) -> Finding:
    """Of one of our Deployments; None when it is not there."""
    if deployment is None:
        return Finding(name, fine=False, words="is not installed")
    status: dict[str, Any] = deployment.get("status") or {}
    wanted = deployment["spec"].get("replicas", 1)
    ready, updated = status.get("readyReplicas", 0), status.get("updatedReplicas", 0)
    current = status.get("observedGeneration") == deployment["metadata"]["generation"]
    words = f"{ready} of {wanted} ready" + ("" if updated >= wanted else f", {updated} of this version")
    return Finding(name, fine=current and 0 < wanted <= min(ready, updated), words=words)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that a policy must refuse, whoever sends it."""

    what: str
    policy: str
    manifest: Manifest

    def judged(self, refusal: str | None) -> Finding:
        """What the API server said; None when it would have done it."""
        if refusal is None:
            return Finding(self.what, fine=False, words=f"would have been accepted: {self.policy} is not in force")
        if f"'{self.policy}'" not in refusal or _DENIED not in refusal:
            return Finding(self.what, fine=False, words=f"was not put to {self.policy}: {refusal}")
        return Finding(self.what, fine=True, words=f"refused: {refusal.rpartition(_DENIED)[2]}")


def attempts(namespace: str) -> tuple[Attempt, ...]:
    """What is tried in a namespace: what nobody may do, so that it takes no engaged kill switch to see it refused."""
    return (
        Attempt("a forged record", "meditron-records", _record(namespace)),
        Attempt("a forged release", "meditron-latch-deployments", _released(namespace)),
    )


def _record(namespace: str) -> Manifest:
    digest = "0" * 64
    said = {"sequence": 1, "namespace": namespace, "action": "Release", "scope": "deployment", "target": "check"}
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.RECORD_KIND,
        "metadata": {"name": "kill-000001", "namespace": namespace},
        "spec": {**said, "previousHash": digest, "hash": digest},
    }


def _released(namespace: str) -> Manifest:
    annotations = {names.RELEASE_APPROVED_BY: "nobody"}
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": "check", "namespace": namespace, "annotations": annotations},
        "spec": {
            "model": {"id": "meditron-7b", "source": {"persistentVolumeClaim": {"claimName": "check"}}},
            "gpu": {"type": "L4"},
            "replicas": 0,
        },
    }
