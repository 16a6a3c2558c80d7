"""Everything that the conditions are judged from, gathered in one value."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from meditron_operator.core.assess import Accepted
from meditron_operator.core.decide import Case, replicas_of, workload_of
from meditron_operator.core.engines import ENGINES
from meditron_operator.core.engines.base import Launch, Sized
from meditron_operator.core.live import Live, Ref
from meditron_operator.core.measured import Reading, running
from meditron_operator.core.observed import Cluster, Pod
from meditron_operator.core.rollout import Rollout, Stage


@dataclass(frozen=True, kw_only=True)
class View:
    """One deployment after a pass: what it asks for, what is there, what went wrong."""

    case: Case
    cluster: Cluster
    foreign: Sequence[Live] = ()  # objects of somebody else that stand where a child should
    waiting: Sequence[Ref] = ()  # children that a hold leaves as they are, though the spec asks for something else
    fixed: str = ""  # what of the StatefulSet would have to change, and can't
    rollout: Rollout | None = None  # None where the spec asks for no template
    failures: Sequence[str] = ()  # one line for each step that the API server refused
    measurements: Sequence[Reading] = ()  # all that are known, also of pods that are gone

    @property
    def accepted(self) -> Accepted | None:
        return self.case.verdict if isinstance(self.case.verdict, Accepted) else None

    @property
    def sized(self) -> Sized | None:
        return self.accepted.sized if self.accepted else None

    @cached_property
    def launch(self) -> Launch | None:
        return ENGINES[self.sized.spec.engine.name](self.sized) if self.sized else None

    @cached_property
    def workload(self) -> Live | None:
        """The StatefulSet, if it is ours."""
        return workload_of(self.cluster, self.case.owner)

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """The replicas."""
        return replicas_of(self.workload, self.cluster)

    @cached_property
    def readings(self) -> tuple[Reading, ...]:
        """What is measured of that which runs."""
        return running(self.measurements, self.pods)

    @property
    def between_templates(self) -> bool:
        """Whether the StatefulSet was changed, and its controller has not said yet what that means for the pods."""
        workload = self.workload
        return workload is not None and workload.status.get("observedGeneration", 0) < workload.generation

    @property
    def rolled_back(self) -> bool:
        """Whether another template is there than the spec asks for, since that one failed."""
        return self.rollout is not None and self.rollout.stage is Stage.ROLLED_BACK

    @property
    def wanted_replicas(self) -> int:
        """Replicas that should run now: none while stopped, those that are kept warm in a hold, else what the spec or
        the StatefulSet asks for."""
        if self.case.cut:
            return 0
        if self.sized is not None and not self.case.held:
            return self.sized.spec.replicas
        return int(self.workload.body["spec"].get("replicas", 0)) if self.workload else 0

    @property
    def ready_replicas(self) -> int:
        return sum(pod.serves for pod in self.pods)
