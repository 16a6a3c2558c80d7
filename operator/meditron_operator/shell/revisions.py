"""Pod templates of the past, as the API server keeps them in ControllerRevisions."""

from meditron_operator.core.live import Manifest
from meditron_operator.core.rollout import Good, kept_template
from meditron_operator.errors import NotFoundError
from meditron_operator.shell.cluster import REVISIONS, Cluster
from meditron_operator.shell.store import ObjectKey


class Revisions:
    """Reads the template that a deployment goes back to. A ControllerRevision never changes: each is read once."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._read: dict[ObjectKey, tuple[Good, Manifest]] = {}

    async def template(self, key: ObjectKey, good: Good) -> Manifest | None:
        """The one that `good` names; None when it is not there any more. Raises ApiError when that can't be known."""
        if key in self._read and self._read[key][0] == good:
            return self._read[key][1]
        try:
            revision = await self._cluster.read(REVISIONS, key[0], good.revision)
        except NotFoundError:
            return None
        template = kept_template(revision, good)
        if template is not None:
            self._read[key] = good, template
        return template

    def forget(self, key: ObjectKey) -> None:
        """The deployment is gone."""
        self._read.pop(key, None)
