"""From a sized spec to every object that the deployment needs."""

from dataclasses import dataclass

from meditron_operator.core.engines import ENGINES
from meditron_operator.core.engines.base import Sized
from meditron_operator.core.render.disruption import disruption_budgets
from meditron_operator.core.render.meta import Manifest, Owner
from meditron_operator.core.render.network import allow, deny, operate
from meditron_operator.core.render.serviceaccount import service_account
from meditron_operator.core.render.services import services
from meditron_operator.core.render.statefulset import statefulset


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the operator knows and the spec doesn't say."""

    operator_namespace: str
    image: str
    stopped: bool


def desired(owner: Owner, sized: Sized, site: Site) -> list[Manifest]:
    """All children of one deployment; equal input gives equal output.

    While stopped nothing may run and no client may connect: no replicas and no allow-policy.
    """
    launch = ENGINES[sized.spec.engine.name](sized)
    replicas = 0 if site.stopped else sized.spec.replicas
    return [
        deny(owner),
        operate(owner, site.operator_namespace, launch.port),
        *([] if site.stopped else allow(owner, sized.spec.network, launch.port)),
        service_account(owner),
        *services(owner, launch.port),
        *disruption_budgets(owner, sized.spec.replicas),
        statefulset(owner, sized, launch, site.image, replicas),
    ]
