"""The address that clients use, and the one that reaches each pod."""

from kubernetes.client import V1Service, V1ServicePort, V1ServiceSpec

from meditron_operator.core.render.meta import Manifest, Owner, manifest, metadata, selector_labels
from meditron_operator.names import HEADLESS_SUFFIX

PORT_NAME = "http"


def services(owner: Owner, port: int) -> list[Manifest]:
    """The Service of the clients (ready pods only) and the headless one (all pods, also loading ones)."""
    return [
        _service(owner, "", _spec(owner, port)),
        _service(
            owner,
            HEADLESS_SUFFIX,
            _spec(owner, port).model_copy(update={"cluster_ip": "None", "publish_not_ready_addresses": True}),
        ),
    ]


def _service(owner: Owner, suffix: str, spec: V1ServiceSpec) -> Manifest:
    return manifest(V1Service(api_version="v1", kind="Service", metadata=metadata(owner, suffix), spec=spec))


def _spec(owner: Owner, port: int) -> V1ServiceSpec:
    return V1ServiceSpec(
        type="ClusterIP",
        selector=selector_labels(owner.name),
        ports=[V1ServicePort(name=PORT_NAME, port=port, target_port=PORT_NAME, protocol="TCP")],
        session_affinity="None",
        internal_traffic_policy="Cluster",
    )
