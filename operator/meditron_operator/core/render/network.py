"""Who may reach the model: nobody, except the named clients, monitoring and the operator.

NetworkPolicies only ever add permissions (the union of all that select a pod), so the deny is a policy that
selects the pods and allows nothing, and the allows stand apart: taking `-allow` away cuts every client off.
"""

from kubernetes.client import (
    V1LabelSelector,
    V1NetworkPolicy,
    V1NetworkPolicyIngressRule,
    V1NetworkPolicyPeer,
    V1NetworkPolicyPort,
    V1NetworkPolicySpec,
)

from meditron_operator import names
from meditron_operator.core.render.meta import Manifest, Owner, manifest, metadata, pod_selector
from meditron_operator.core.spec import Network, Peer

NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"  # set by the API server on every namespace, can't be forged


def deny(owner: Owner) -> Manifest:
    """No ingress and no egress for any pod of the deployment; stands as long as the deployment does."""
    spec = V1NetworkPolicySpec(pod_selector=pod_selector(owner.name), policy_types=["Ingress", "Egress"])
    return _policy(owner, names.DENY_SUFFIX, spec)


def allow(owner: Owner, network: Network, port: int) -> list[Manifest]:
    """The named clients and monitoring to the serving port. Nobody named: no policy, because a rule without
    peers would admit everybody."""
    peers = list(network.clients) + ([network.monitoring] if network.monitoring else [])
    if not peers:
        return []
    return [_ingress(owner, names.ALLOW_SUFFIX, peers, port)]


def operate(owner: Owner, operator_namespace: str, port: int) -> Manifest:
    """The operator's own pods to the serving port."""
    operator = Peer(namespace=operator_namespace, pod_labels={names.NAME_LABEL: names.OPERATOR_NAME})
    return _ingress(owner, names.OPERATE_SUFFIX, [operator], port)


def _ingress(owner: Owner, suffix: str, peers: list[Peer], port: int) -> Manifest:
    rule = V1NetworkPolicyIngressRule(
        ports=[V1NetworkPolicyPort(port=port, protocol="TCP")],
        **{"from": [_peer(peer) for peer in peers]},
    )
    spec = V1NetworkPolicySpec(pod_selector=pod_selector(owner.name), policy_types=["Ingress"], ingress=[rule])
    return _policy(owner, suffix, spec)


def _peer(peer: Peer) -> V1NetworkPolicyPeer:
    return V1NetworkPolicyPeer(
        namespace_selector=V1LabelSelector(match_labels={NAMESPACE_NAME_LABEL: peer.namespace}),
        pod_selector=V1LabelSelector(match_labels=peer.pod_labels),
    )


def _policy(owner: Owner, suffix: str, spec: V1NetworkPolicySpec) -> Manifest:
    return manifest(
        V1NetworkPolicy(
            api_version="networking.k8s.io/v1",
            kind="NetworkPolicy",
            metadata=metadata(owner, suffix),
            spec=spec,
        )
    )
