"""What a command is about: one deployment, everything in a namespace, the whole cluster."""

import re
from dataclasses import dataclass
from typing import Final

from meditron_operator import names
from meditron_operator.cli.errors import BadInput
from meditron_operator.core.killswitch.effective import Scope
from meditron_operator.core.live import Ref

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """As typed; read before anything is sent."""

    name: str | None
    namespace: str | None
    whole_namespace: bool
    whole_cluster: bool
    operator_namespace: str
    context: str | None

    def target(self, default_namespace: str) -> "Target":
        """What is meant. `default_namespace` is the kubeconfig's."""
        namespace = self.operator_namespace if self.whole_cluster else self.namespace or default_namespace
        return Target(scope=self.scope, name=self.name or "", namespace=namespace)

    @property
    def scope(self) -> Scope:
        if self.whole_cluster:
            return Scope.CLUSTER
        return Scope.NAMESPACE if self.whole_namespace else Scope.DEPLOYMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What carries the annotation."""

    scope: Scope
    namespace: str
    name: str

    @property
    def carrier(self) -> Ref:
        if self.scope is Scope.DEPLOYMENT:
            return Ref(kind=names.KIND, namespace=self.namespace, name=self.name)
        return Ref(kind="Namespace", namespace="", name=self.namespace)

    @property
    def command(self) -> str:
        """As a command names it."""
        if self.scope is Scope.DEPLOYMENT:
            return f"{self.name} -n {self.namespace}"
        return "--all" if self.scope is Scope.CLUSTER else f"--namespace-scope -n {self.namespace}"

    def __str__(self) -> str:
        if self.scope is Scope.DEPLOYMENT:
            return f"{self.namespace}/{self.name}"
        told = f"namespace {self.namespace}"
        return f"the whole cluster (by {told})" if self.scope is Scope.CLUSTER else f"everything in {told}"


def read(asked: Asked, *, needs_target: bool) -> Asked:
    """The same with its words checked. Raises BadInput."""
    name = _bare(asked.name)
    given = [name is not None, asked.whole_namespace, asked.whole_cluster]
    if sum(given) > 1:
        raise BadInput("give one of NAME, --namespace-scope and --all")
    if needs_target and not any(given):
        raise BadInput("say what: the NAME of a deployment, --namespace-scope, or --all")
    for what, word in (
        ("NAME", name), ("--namespace", asked.namespace), ("--operator-namespace", asked.operator_namespace),
    ):  # fmt: skip
        if word is not None and not _NAME.match(word):
            raise BadInput(f"{what}: {word!r} can't be the name of anything in Kubernetes")
    return Asked(
        name=name,
        namespace=asked.namespace,
        whole_namespace=asked.whole_namespace,
        whole_cluster=asked.whole_cluster,
        operator_namespace=asked.operator_namespace,
        context=asked.context,
    )


def _bare(name: str | None) -> str | None:
    """md/NAME is what kubectl prints."""
    if name is None:
        return None
    for prefix in ("md/", f"{names.PLURAL}/", f"{names.KIND.lower()}/", f"{names.KIND.lower()}.{names.GROUP}/"):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name
