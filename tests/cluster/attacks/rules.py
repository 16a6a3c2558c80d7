"""`make rules`: is every rule of the policies needed? Each is taken out, and something must get through."""

import copy
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.cluster.attacks.matrix import all_attacks, everywhere, in_force
from tests.cluster.attacks.run import Attackers, Attempt, Outcome, attempts, engage_cluster, furnish
from tests.cluster.support import Manifest
from tests.testbed import Testbed
from tests.testbed.errors import TestbedError
from tests.testbed.install import BUNDLE
from tests.testbed.waiting import wait_for

LIMIT_SECONDS = 15.0
POLICY = "ValidatingAdmissionPolicy"
RECORDS = "meditron-records"


@dataclass(frozen=True, slots=True)
class Rule:
    """One validation of one policy."""

    policy: Manifest
    index: int

    @property
    def name(self) -> str:
        return str(self.policy["metadata"]["name"])

    @property
    def message(self) -> str:
        return str(self.policy["spec"]["validations"][self.index]["message"])

    @property
    def wide(self) -> bool:
        """Seen only while the whole cluster is engaged."""
        return self.name.endswith("-cluster")

    def removed(self) -> Manifest:
        """The policy without it; one rule that is always true where it was the only one."""
        policy = copy.deepcopy(self.policy)
        del policy["spec"]["validations"][self.index]
        policy["spec"]["validations"] = policy["spec"]["validations"] or [{"expression": "true"}]
        return policy


def rules() -> list[Rule]:
    """Every rule that is shipped, but those for records: test_records_admission.py does the same with these."""
    policies = [body for body in yaml.safe_load_all(BUNDLE.read_text()) if body["kind"] == POLICY]
    found = [Rule(policy, index) for policy in policies for index in range(len(policy["spec"]["validations"]))]
    return [rule for rule in found if rule.name != RECORDS]


def survivors(bed: Testbed) -> Iterator[tuple[Rule, str]]:
    """Each rule and what got through without it; empty where nothing did."""
    furnish(bed)
    attackers, everything = Attackers(bed), list(attempts(all_attacks()))
    for wide in (False, True):
        due = [attempt for attempt in everything if (attempt.attack.place.scope == "cluster") is wide]
        if wide:
            engage_cluster(bed)
        in_force(attackers, due, everywhere(due))
        refused = [result for result in attackers.run(due, dry=True) if result.outcome is Outcome.POLICY]
        for rule in rules():
            by_it = [result.attempt for result in refused if f"Policy '{rule.name}'" in result.message]
            if rule.wide is wide and not (wide and rule.name.startswith("meditron-latch")):
                yield rule, _got_through(bed, attackers, rule, by_it)


def _got_through(bed: Testbed, attackers: Attackers, rule: Rule, candidates: Sequence[Attempt]) -> str:
    found: list[str] = []

    def something() -> bool:
        results = attackers.run(candidates, dry=True)
        found.extend(
            f"{result.attempt.attack.name}, by {result.attempt.actor.name}"
            for result in results
            if result.outcome is Outcome.BREACH
        )
        return bool(found)

    bed.apply([rule.removed()])
    try:
        wait_for(f"something to get through without: {rule.message}", something, LIMIT_SECONDS)
    except TestbedError:
        return ""
    finally:
        bed.apply([rule.policy])
        if candidates:
            in_force(attackers, candidates, candidates)
    return found[0]


def main() -> int:
    """Print a line for each rule; 1 when one is not needed or not tested."""
    idle = 0
    with tempfile.TemporaryDirectory() as directory, Testbed.start(Path(directory) / "bed", nodes="L4:1:1") as bed:
        for rule, through in survivors(bed):
            idle += not through
            print(f"{'ok  ' if through else 'IDLE'} {rule.name}: {rule.message}\n       {through}", flush=True)
    return 1 if idle else 0


if __name__ == "__main__":
    sys.exit(main())
