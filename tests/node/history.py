"""Every step that the conditions of a namespace's deployments took, by a watch."""

from collections import defaultdict

from meditron_operator import names
from tests.demo.rows import State


class History:
    """Fed with the state after each event."""

    def __init__(self) -> None:
        self._steps: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._words: dict[tuple[str, str, str], set[str]] = defaultdict(set)

    def __call__(self, state: State) -> None:
        for (kind, name), body in state.items():
            if kind != names.KIND:
                continue
            for condition in body.get("status", {}).get("conditions", ()):
                steps = self._steps[name, condition["type"]]
                step = f"{condition['status']} {condition['reason']}"
                if steps[-1:] != [step]:
                    steps.append(step)
                self._words[name, condition["type"], condition["reason"]].add(condition["message"])

    def steps(self, name: str, type_: str) -> list[str]:
        """`status reason`, each different from the one before."""
        return list(self._steps[name, type_])

    def words(self, name: str, type_: str, reason: str) -> str:
        """All messages that came with the reason."""
        return "\n".join(sorted(self._words[name, type_, reason]))

    def came_back(self, name: str) -> dict[str, list[str]]:
        """The conditions that returned to what they had left, with their steps."""
        return {
            type_: steps
            for (deployment, type_), steps in self._steps.items()
            if deployment == name and len(set(steps)) < len(steps)
        }
