"""The whole matrix: run it, and show it."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from tests.cluster.attacks import children, latch
from tests.cluster.attacks.actors import ACTORS
from tests.cluster.attacks.attack import Attack
from tests.cluster.attacks.run import Attackers, Attempt, Outcome, Result, attempts, engage_cluster, furnish
from tests.cluster.attacks.world import SCOPES
from tests.docs.blocks import table
from tests.testbed import Testbed
from tests.testbed.waiting import wait_for

IN_FORCE_SECONDS = 20.0
ANSWER_SECONDS = 60.0  # a server that has just started learns of new kinds twice a minute

_MEANING = {
    Outcome.RIGHTS: "the attacker's rights don't reach that far",
    Outcome.POLICY: "an admission policy refuses",
    Outcome.UNKNOWN_WAY: "this kind of object can't be written like that",
    Outcome.NO_EFFECT: "let through, and the switch is as it was",
    Outcome.BREACH: "the switch was undone",
}

_HEAD = """\
# What was tried against an engaged kill switch

Written by `make attacks`, with a real API server; a cluster test holds this page up to date.

{attempts} attempts: {ways} ways to write, by {accounts} accounts, at three scopes. **{breaches} got through.**
Whoever may do a thing rightfully (an approver who approves in time) is left out of its row.

{meanings}

The accounts, each with its ClusterRole for the whole cluster:
{actors}.
`both release roles` is one person with
meditron-releaser and meditron-release-approver; the GitOps account is a service account with cluster-admin; the
controllers are the cluster's own.
"""


def all_attacks() -> list[Attack]:
    """Everything that is tried."""
    return [*latch.attacks(), *children.attacks()]


def run(bed: Testbed) -> list[Result]:
    """On a bed of its own: furnish it, and try everything, the widest scope at the end."""
    furnish(bed)
    attackers, everything = Attackers(bed), list(attempts(all_attacks()))
    results: list[Result] = []
    for wide in (False, True):
        due = [attempt for attempt in everything if (attempt.attack.place.scope == "cluster") is wide]
        if wide:
            engage_cluster(bed)
        in_force(attackers, due, everywhere(due))
        results += answered(attackers, due)
    return results


def everywhere(due: Iterable[Attempt]) -> list[Attempt]:
    """One attempt of the mightiest for each attack: when these are refused the policies are in force."""
    return [attempt for attempt in due if attempt.actor.name == "cluster-admin"]


def in_force(attackers: Attackers, due: Sequence[Attempt], probes: Sequence[Attempt]) -> None:
    """A policy that was just written takes the API server about a second."""
    assert due

    def none_gets_through() -> bool:
        wanting = {Outcome.BREACH, Outcome.FAILED}
        return all(result.outcome not in wanting for result in attackers.run(probes, dry=True))

    wait_for("the policies to be in force", none_gets_through, IN_FORCE_SECONDS)


def answered(attackers: Attackers, due: Sequence[Attempt]) -> list[Result]:
    """Every attempt's result; one that the server could not answer says nothing, and is made again."""
    results = attackers.run(due)

    def none_failed() -> bool:
        failed = [number for number, result in enumerate(results) if result.outcome is Outcome.FAILED]
        for number, result in zip(failed, attackers.run([due[number] for number in failed]), strict=True):
            results[number] = result
        return all(result.outcome is not Outcome.FAILED for result in results)

    wait_for("an answer to every attempt", none_failed, ANSWER_SECONDS)
    return results


def timed(what: Callable[[], list[Result]]) -> tuple[list[Result], float]:
    """The results and the seconds that they took."""
    start = time.monotonic()
    return what(), time.monotonic() - start


def report(results: Sequence[Result]) -> str:
    """The page docs/kill-switch-attacks.md."""
    counted = Counter(result.outcome for result in results)
    ways = len({result.attempt.attack.name for result in results})
    head = _HEAD.format(
        attempts=f"{len(results):,}",
        ways=ways,
        accounts=len(ACTORS),
        breaches=counted.get(Outcome.BREACH, 0),
        meanings="\n".join(f"- **{outcome}** ({counted[outcome]:,}): {words}" for outcome, words in _MEANING.items()),
        actors=", ".join(ACTORS),
    )
    return f"{head}\n{_table(results)}\n"


def _table(results: Sequence[Result]) -> str:
    cells: dict[str, dict[str, Counter[Outcome]]] = defaultdict(lambda: defaultdict(Counter))
    for result in results:
        attack = result.attempt.attack
        cells[attack.name][attack.place.scope][result.outcome] += 1
    rows = [[name, *(_cell(scopes[scope]) for scope in SCOPES)] for name, scopes in cells.items()]
    return table(["what was tried", *SCOPES], rows)


def _cell(counted: Counter[Outcome]) -> str:
    return ", ".join(f"{counted[outcome]} {outcome}" for outcome in Outcome if counted[outcome]) or "–"
