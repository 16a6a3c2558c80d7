"""Who is measured: the product, and the same children made in other ways."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.baselines import children
from tests.testbed import Testbed
from tests.testbed.build import Recipe, ensure_built
from tests.testbed.commands import Program
from tests.testbed.install import NAMESPACE, SERVICE_ACCOUNT

PRODUCT: Final = "operator"
_ACCOUNT: Final = "bench"

_CONTROLLER: Final = Recipe(
    name="controller",
    version="0.25.2",  # of controller-runtime
    usual="2 minutes",
    package=Path(children.__file__).with_name("controller"),
)


@dataclass(frozen=True, slots=True)
class Contender:
    """One operator in a testbed."""

    name: str
    what: str
    program: str
    """Its name in the testbed."""
    account: str = _ACCOUNT
    repairs: bool = False
    """Whether it watches its children."""

    @property
    def user(self) -> str:
        return f"system:serviceaccount:{NAMESPACE}:{self.account}"


OURS: Final = Contender("ours", "Meditron operator", PRODUCT, SERVICE_ACCOUNT, repairs=True)
PLAIN: Final = Contender("B0", "Kopf, synchronous client, look first and then create", "plain")
ASYNCHRONOUS: Final = Contender("B1", "Kopf, asynchronous, POST when created", "asynchronous")
CONTROLLER: Final = Contender("GO", "controller-runtime in Go, 10 workers, CreateOrPatch", "controller", repairs=True)
ALL: Final = (CONTROLLER, OURS, ASYNCHRONOUS, PLAIN)

_MODULES: Final[Mapping[str, str]] = {
    PLAIN.program: "tests.bench.baselines.plain",
    ASYNCHRONOUS.program: "tests.bench.baselines.asynchronous",
}


def enter(bed: Testbed, contender: Contender, template: Path, tell: Callable[[str], None]) -> None:
    """Start it in a testbed whose operator runs: it takes that one's place, unless it is that one.

    `template` is the file that `children.write` made.
    """
    if contender is OURS:
        return
    bed.stop(PRODUCT)
    bed.apply(_rights())
    kubeconfig = bed.service_account_kubeconfig(NAMESPACE, _ACCOUNT)
    env = {**os.environ, "KUBECONFIG": str(kubeconfig), children.VARIABLE: str(template), "TMPDIR": str(bed.directory)}
    bed.run(Program(name=contender.program, argv=_argv(contender, tell), env=env))


def _argv(contender: Contender, tell: Callable[[str], None]) -> tuple[str, ...]:
    if contender is CONTROLLER:
        return (str(ensure_built(_CONTROLLER, tell) / _CONTROLLER.name),)
    return (sys.executable, "-m", _MODULES[contender.program])


def _rights() -> list[children.Manifest]:
    """An administrator's: baselines are measured, not trusted."""
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": _ACCOUNT, "namespace": NAMESPACE}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": _ACCOUNT},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": _ACCOUNT, "namespace": NAMESPACE}],
        },
    ]
