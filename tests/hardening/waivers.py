"""What scanners find and we keep. A test holds that nothing else is found, and that each of these still is."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from tests.docs.blocks import Block, table


@dataclass(frozen=True, slots=True)
class Finding:
    """One complaint of a scanner."""

    tool: str
    rule: str
    target: str
    """Kind/name, or Dockerfile."""


@dataclass(frozen=True, slots=True)
class Waiver:
    """Why complaints of some rules are accepted of some objects."""

    rules: tuple[tuple[str, str], ...]
    """Tool and rule."""
    targets: str
    """Pattern of Kind/name."""
    reason: str

    def covers(self, finding: Finding) -> bool:
        return (finding.tool, finding.rule) in self.rules and fnmatchcase(finding.target, self.targets)


_CPU: Final = (
    ("kube-score", "container-resources: CPU limit is not set"),
    ("checkov", "CKV_K8S_11"),
    ("trivy", "KSV011"),
)
_PULL: Final = (("kube-score", "container-image-pull-policy: ImagePullPolicy is not set to Always"),)

WAIVERS: Final = (
    Waiver(_CPU, "Deployment/meditron-*", "A kill switch must not be slowed down; memory is limited."),
    Waiver(_CPU, "StatefulSet/*", "A tokenizer that is slowed down starves the GPU; memory is limited."),
    Waiver(_PULL, "*", "Images are named by digest: what the node has is what was asked for."),
    Waiver(
        (("checkov", "CKV_K8S_38"),),
        "Deployment/meditron-*",
        "Operator and guard talk to the API server. Pods of models get no token.",
    ),
    Waiver(
        (("trivy", "KSV020"), ("trivy", "KSV021"), ("trivy", "KSV104")),
        "*",
        "User and group 10001, and the seccomp profile, are said once for the whole pod.",
    ),
    Waiver(
        (("trivy", "KSV048"), ("trivy", "KSV056")),
        "ClusterRole/meditron-*",
        "It is what they are for, verb by verb as it is sent: a test compares them with the API server's audit log.",
    ),
    Waiver(
        (("checkov", "CKV_K8S_38"), ("trivy", "KSV036")),
        "Pod/meditron-test",
        "It asks the API server, as `helm test` has it do.",
    ),
    Waiver(
        (("checkov", "CKV_K8S_8"), ("checkov", "CKV_K8S_9")),
        "Pod/meditron-test",
        "It runs once, for seconds: there is nothing to probe.",
    ),
    Waiver(
        (("kube-score", "pod-probes-identical: Container has the same readiness and liveness probe"),),
        "StatefulSet/*",
        "The engine has one health address. Liveness is more patient, and clients depend on a readiness gate besides.",
    ),
    Waiver(
        (
            (
                "kube-score",
                "statefulset-has-host-podantiaffinity: StatefulSet does not have a host podAntiAffinity set",
            ),
        ),
        "StatefulSet/*",
        "A topology spread constraint keeps replicas apart.",
    ),
    Waiver(
        (
            ("kube-score", "container-security-context-user-group-id: The container is running with a low user ID"),
            ("kube-score", "container-security-context-user-group-id: The container running with a low group ID"),
            ("checkov", "CKV_K8S_23"),
            ("checkov", "CKV_K8S_40"),
            ("trivy", "KSV012"),
            ("trivy", "KSV020"),
            ("trivy", "KSV021"),
        ),
        "StatefulSet/as-root",
        "Asked for: `engine.runAsNonRoot: false`, for the public image of the engine.",
    ),
    Waiver(
        (("checkov", "CKV_K8S_15"), ("checkov", "CKV_K8S_43")),
        "StatefulSet/on-line",
        "Asked for: `offline: false` takes an image by tag.",
    ),
    Waiver(
        (("checkov", "CKV_DOCKER_2"), ("trivy", "DS026")),
        "Dockerfile",
        "Kubelet's probes ask; nothing else runs these images.",
    ),
    Waiver(
        (("checkov", "CKV_DOCKER_7"),),
        "Dockerfile",
        "The bases are arguments: give your own by digest.",
    ),
)


def waivers() -> str:
    """The table of docs/install.md."""
    rows = [
        [", ".join(f"{tool} {rule.split(':')[0]}" for tool, rule in each.rules), f"`{each.targets}`", each.reason]
        for each in WAIVERS
    ]
    return table(("finding", "of", "why it stays"), rows)


BLOCKS: Final[dict[str, Block]] = {"waivers": waivers}
