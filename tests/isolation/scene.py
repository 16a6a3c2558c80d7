"""The two deployments as the operator renders them, at each state of the first. Pure."""

from collections.abc import Iterable
from typing import Any, Final

from meditron_operator.core.assess import Accepted, assess
from meditron_operator.core.render import Site, desired
from meditron_operator.core.render.meta import Manifest, Owner
from tests.isolation.people import CLIENT, CLINIC, FIRST, MONITORING, OPERATORS, SECOND, SECONDS_CLIENT, WARDS, WATCHERS
from tests.isolation.table import CONTROL, State

CLAIM: Final = "weights"
ANY_IMAGE: Final = "testbed.invalid/engine@sha256:" + "0" * 64
_CLIENTS: Final = {FIRST: CLIENT, SECOND: SECONDS_CLIENT}
_STOPPED: Final = (State.STOPPING, State.STOPPED)


def children(deployment: str, *, stopped: bool = False, image: str = ANY_IMAGE) -> list[Manifest]:
    """What the operator makes of one, without owner references: where nobody owns them, they would be collected."""
    verdict = assess(deployment, _spec(deployment, image), None)
    assert isinstance(verdict, Accepted), verdict
    site = Site(operator_namespace=OPERATORS, image=verdict.image, stopped=stopped)
    rendered = desired(Owner(name=deployment, namespace=CLINIC, uid=""), verdict.sized, site)
    return [each | {"metadata": _without_owner(each["metadata"])} for each in rendered]


def policies(state: State) -> list[Manifest]:
    """All network policies there are."""
    first = children(FIRST, stopped=state in _STOPPED)
    return of_kind("NetworkPolicy", [*first, *children(SECOND)])


def of_kind(kind: str, manifests: Iterable[Manifest]) -> list[Manifest]:
    return [each for each in manifests if each["kind"] == kind]


def _spec(deployment: str, image: str) -> dict[str, Any]:
    double = {"DOUBLE_CONTROL_HOST": "0.0.0.0", "DOUBLE_CONTROL_PORT": str(CONTROL), "DOUBLE_WEIGHTS": "true"}  # noqa: S104
    if deployment == FIRST:
        double["DOUBLE_LOAD"] = "hang"  # until it is told otherwise
    return {
        "model": {
            "id": "meditron-7b",
            "quantization": "gptq",
            "source": {"persistentVolumeClaim": {"claimName": CLAIM}},
        },
        "gpu": {"type": "A100-80GB"},
        "network": {
            "clients": [{"namespace": WARDS, "podLabels": _CLIENTS[deployment]}],
            "monitoring": {"namespace": WATCHERS, "podLabels": MONITORING},
        },
        "engine": {"image": image, "extraEnv": double},
    }


def _without_owner(metadata: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metadata.items() if key != "ownerReferences"}
