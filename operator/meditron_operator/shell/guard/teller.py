"""Stores `status.killSwitch`, whose only writers are the guards: where it differs, and over nobody's newer word."""

import asyncio
from typing import Any, Final

import structlog

from meditron_operator.core.guard.carriers import Target
from meditron_operator.core.guard.course import changes
from meditron_operator.core.killswitch import SwitchStatus
from meditron_operator.core.live import Manifest
from meditron_operator.errors import ConflictError, NotFoundError, RefusedError
from meditron_operator.shell.cluster import Cluster
from meditron_operator.shell.guard.known import Known
from meditron_operator.shell.guard.metrics import GuardMetrics

TRIES: Final = 5  # while the operator writes its own part
AGAIN_SECONDS: Final = 0.1

log = structlog.get_logger(__name__)


class Teller:
    """Writes with the version that was read, so that two guards never undo each other's word."""

    def __init__(self, cluster: Cluster, known: Known, metrics: GuardMetrics) -> None:
        self._cluster, self._known, self._metrics = cluster, known, metrics

    async def tell(self, target: Target, status: SwitchStatus) -> bool:
        """Store the status; False when another guard told something else since the target was read."""
        patch = changes(target.told, status)
        if not patch:
            return True
        for _ in range(TRIES):
            try:
                answer = await self._store(target, patch)
            except NotFoundError:
                return False
            except ConflictError:
                await asyncio.sleep(AGAIN_SECONDS)
                fresh = self._known.targets.get(target.key)
                if fresh is None or (fresh.uid, fresh.told) != (target.uid, target.told):
                    return False
                target = fresh
            except RefusedError as error:  # the stop goes on without its status
                self._metrics.failed()
                log.warning("status refused", namespace=target.ref.namespace, name=target.ref.name, error=str(error))
                return True
            else:
                self._metrics.told(target.status, status)
                self._known.told(answer)
                log.info("switch", namespace=target.ref.namespace, name=target.ref.name, state=status.state)
                return True
        return False

    async def _store(self, target: Target, patch: dict[str, Any]) -> Manifest:
        body = {"killSwitch": patch}
        return await self._cluster.patch_status(target.ref, target.uid, body, target.resource_version)
