"""One deployment through its changes: what was sent, what it was when it was well, and what was found."""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from kubernetes.dynamic.exceptions import DynamicApiError

from meditron_operator import names
from tests.campaign.changes import Change
from tests.campaign.sight import NAME, Seen
from tests.cluster.support import Admin, deployment

PATIENCE: Final = 2
"""Operations after which a person takes back what does not serve."""
_REFUSALS: Final = frozenset({400, 422})


class Answer(StrEnum):
    """What the API server made of an operation."""

    ACCEPTED = "accepted"
    SAME = "without a change"
    REFUSED = "refused"


@dataclass(slots=True)
class Lane:
    """A deployment in a namespace of its own. The spec is what a person has in a file: no defaults in it."""

    namespace: str
    changes: deque[Change]
    """What is still to come."""
    start: dict[str, Any]
    spec: dict[str, Any] = field(default_factory=dict)
    seen: Seen | None = None
    """As it was at rest the last time."""
    first: Seen | None = None
    good: tuple[dict[str, Any], Seen] | None = None
    """The last spec with which all served, and what it was like."""
    ailing: int = 0
    """Operations since then."""
    back: bool = False
    """Whether the last operation took the ones before back."""
    told: list[str] = field(default_factory=list)
    """Its operations in words."""

    @property
    def fresh(self) -> str:
        """The namespace of the deployment that begins with the last spec."""
        return f"{self.namespace}-fresh"

    def create(self, admin: Admin) -> None:
        """With the first spec."""
        self.spec = self.start
        self.told.append(f"begins with {self.start}")
        admin.create(deployment(NAME, self.namespace) | {"spec": self.spec})

    def create_fresh(self, admin: Admin) -> None:
        """Another one, with the last spec from the begin."""
        admin.create(deployment(NAME, self.fresh) | {"spec": self.spec})

    def act(self, admin: Admin) -> tuple[Change | None, Answer]:
        """Its next operation: the next change, or, where it has not served for too long, the way back, and None."""
        self.back = self.good is not None and self.ailing >= PATIENCE
        if self.back:
            return None, self._go_back(admin)
        change = self._next()
        return change, self._tell(str(change), self.send(admin, change.of(self.spec)))

    def _next(self) -> Change:
        """The next one that changes something in the file, while there are others."""
        while len(self.changes) > 1 and self.changes[0].of(self.spec) == self.spec:
            self.changes.popleft()
        return self.changes.popleft()

    def mend(self, admin: Admin) -> bool:
        """What the status asks a person for; whether it asks for anything."""
        assert self.seen is not None
        self.back = self.seen.phase == "Invalid" or self.seen.nowhere
        if self.back:
            self._go_back(admin)
        elif self.seen.status["reason"] == "OutageNeeded":
            allow = Change(((("rollout", "allowOutage"), True),))
            self._tell(str(allow), self.send(admin, allow.of(self.spec)))
        elif self.seen.on_another_card:
            admin.delete("StatefulSet", self.namespace, NAME)
            self.told.append("the StatefulSet is deleted, to have a card chosen anew")
        else:
            return False
        return True

    def _go_back(self, admin: Admin) -> Answer:
        assert self.good is not None
        return self._tell("back to the last spec that served", self.send(admin, self.good[0]))

    def _tell(self, words: str, answer: Answer) -> Answer:
        self.told.append(f"{words} ({answer})")
        return answer

    def send(self, admin: Admin, spec: dict[str, Any]) -> Answer:
        """Replace the spec by another one."""
        assert self.seen is not None
        generation = self.seen.deployment["metadata"]["generation"]
        try:
            stored = admin.resource(names.KIND).patch(
                name=NAME,
                namespace=self.namespace,
                body=[{"op": "replace", "path": "/spec", "value": spec}],
                content_type="application/json-patch+json",
            )
        except DynamicApiError as refused:
            if refused.status not in _REFUSALS:
                raise
            return Answer.REFUSED
        self.spec = spec
        return Answer.ACCEPTED if stored.metadata.generation > generation else Answer.SAME

    def settled(self, seen: Seen) -> None:
        """Take note of how it is at rest."""
        self.seen = seen
        if seen.serves and not seen.nowhere:
            self.good, self.ailing = (self.spec, seen), 0
        else:
            self.ailing += 1
