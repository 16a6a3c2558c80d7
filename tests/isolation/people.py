"""Everybody in the story: pods with their namespaces and labels, the node, and addresses that are no pods."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from meditron_operator import names
from meditron_operator.core.render.meta import labels

CLINIC: Final = "clinic"
WARDS: Final = "wards"
ELSEWHERE: Final = "elsewhere"
WATCHERS: Final = "watchers"
OPERATORS: Final = "operators"
HOSTS: Final = "hosts"
RESTRICTED: Final = (CLINIC, WARDS, ELSEWHERE, WATCHERS, OPERATORS)
"""Namespaces with Pod Security `restricted`; HOSTS can't be one."""

FIRST: Final = "assistant"
SECOND: Final = "triage"
"""The two deployments, both in CLINIC."""


class Who(StrEnum):
    """Who tries to connect."""

    NAMED = "named client"
    NAMED_ELSEWHERE = "a client's labels, other namespace"
    UNNAMED = "a client's namespace, other labels"
    NAMED_BESIDE = "a client's labels, deployment's namespace"
    BESIDE = "other pod in the deployment's namespace"
    SECONDS_CLIENT = "named client of the second deployment"
    MONITORING = "monitoring"
    BESIDE_MONITORING = "monitoring's namespace, other labels"
    OPERATOR = "operator"
    BESIDE_OPERATOR = "operator's namespace, other labels"
    FALSE_OPERATOR = "operator's labels, other namespace"
    FIRST_ENGINE = "the engine itself"
    SECOND_ENGINE = "the second deployment's engine"
    NODE = "the engine's node (kubelet)"
    HOST_POD = "host-network pod on the engine's node"


@dataclass(frozen=True, slots=True)
class Identity:
    """All that a policy can know of a pod."""

    namespace: str
    labels: Mapping[str, str]


CLIENT: Final = {"app": "notes"}
SECONDS_CLIENT: Final = {"app": "triage-desk"}
MONITORING: Final = {names.NAME_LABEL: "prometheus"}
_OPERATOR: Final = {names.NAME_LABEL: names.OPERATOR_NAME}
_OTHER: Final = {"app": "other"}

PODS: Final[Mapping[Who, Identity]] = {
    Who.NAMED: Identity(WARDS, CLIENT),
    Who.NAMED_ELSEWHERE: Identity(ELSEWHERE, CLIENT),
    Who.UNNAMED: Identity(WARDS, _OTHER),
    Who.NAMED_BESIDE: Identity(CLINIC, CLIENT),
    Who.BESIDE: Identity(CLINIC, _OTHER),
    Who.SECONDS_CLIENT: Identity(WARDS, SECONDS_CLIENT),
    Who.MONITORING: Identity(WATCHERS, MONITORING),
    Who.BESIDE_MONITORING: Identity(WATCHERS, _OTHER),
    Who.OPERATOR: Identity(OPERATORS, _OPERATOR),
    Who.BESIDE_OPERATOR: Identity(OPERATORS, _OTHER),
    Who.FALSE_OPERATOR: Identity(ELSEWHERE, _OPERATOR),
    Who.FIRST_ENGINE: Identity(CLINIC, labels(FIRST)),
    Who.SECOND_ENGINE: Identity(CLINIC, labels(SECOND)),
}
"""Those whom policies can tell apart. The node and what shares its network are none of them."""

ENGINES: Final = (Who.FIRST_ENGINE, Who.SECOND_ENGINE)
OUTSIDE_POLICIES: Final = (Who.NODE, Who.HOST_POD)
