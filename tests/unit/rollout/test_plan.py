"""What of a rollout is written, said and remembered, from a spec and what is there."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from meditron_operator.core.compare import digest, settle
from meditron_operator.core.decide import decide
from meditron_operator.core.live import Live
from meditron_operator.core.observed import Cluster
from meditron_operator.core.rollout import Good, History, Stage, history_of, kept_template
from meditron_operator.core.rollout.history import Failed
from meditron_operator.core.steps import Decision, Replace
from tests.unit.kit import DRAIN, HALT, HOLD, case, child, children, live, node, saying, stored
from tests.unit.rollout.scenes import NEW, OLD, replicas

THREE = {"replicas": 3}
EDITED = THREE | {"model.contextTokens": 2048}
BACK = EDITED | {"rollout.onFailure": "rollback"}
GOOD = Good(revision=OLD, template="of what served")


def template(changes: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = child(children(changes), "StatefulSet")["spec"]["template"]
    return found


def there(changes: Mapping[str, Any], *words: str, partition: int = 3, **status: Any) -> Cluster:
    """The children of a spec, and what the controller says of its StatefulSet."""
    found = []
    for manifest in children(changes):
        obj = stored(manifest)
        if obj["kind"] == "StatefulSet":
            obj["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = partition
            obj["status"] = {"observedGeneration": 1, "updateRevision": NEW, "currentRevision": OLD} | status
        found.append(Live.of(obj["kind"], obj))
    pods = tuple(replicas(*words).values())
    return Cluster(children=tuple(found), pods=pods, gpu_pods=pods, nodes=(node("node-1"),))


def workload(decision: Decision) -> dict[str, Any]:
    """The StatefulSet that is written."""
    (step,) = decision.workload
    assert isinstance(step, Replace)
    spec: dict[str, Any] = step.manifest["spec"]
    return spec


def partition(decision: Decision) -> int:
    found: int = workload(decision)["updateStrategy"]["rollingUpdate"]["partition"]
    return found


SERVE = ("old serves", "old serves", "old serves")


def test_a_new_template_is_written_above_all_replicas() -> None:
    decision = decide(case(EDITED), there(THREE, *SERVE, partition=0, updateRevision=OLD), {})
    assert workload(decision)["template"] == template(EDITED)
    assert partition(decision) == 3
    assert not decision.remove


def test_where_no_replica_is_there_it_is_not_held_back() -> None:
    assert partition(decide(case(EDITED), there(THREE, partition=3), {})) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"replicas": 5},
        {"replicas": 0},
        {"network": {}},
        {"network.monitoring": {"namespace": "monitoring", "podLabels": {"app": "prometheus"}}},
        {"rollout": {"onFailure": "rollback", "allowOutage": True}},
    ],
    ids=str,
)
def test_what_needs_no_new_pods_restarts_none(changes: dict[str, Any]) -> None:
    assert template(THREE | changes) == template(THREE)
    decision = decide(case(THREE | changes), there(THREE, *SERVE, updateRevision=OLD), {})
    assert not decision.remove
    assert all(partition(decision) >= len(SERVE) for _ in decision.workload if changes.get("replicas", 3) >= 3)


def test_a_step_is_a_partition_and_then_whom_the_controller_leaves() -> None:
    words = ("old serves", "old serves", "old crashes")
    first = decide(case(EDITED), there(EDITED, *words), {})
    assert (partition(first), first.remove) == (2, ())

    then = decide(case(EDITED), there(EDITED, *words, partition=2), {})
    assert not then.workload
    assert [step.pod.ref.name for step in then.remove] == ["ward-2"]


def test_until_the_controller_has_seen_the_template_nothing_moves() -> None:
    assert not decide(case(EDITED), there(EDITED, *SERVE, partition=1, observedGeneration=0), {})


@pytest.mark.parametrize("off", [HALT, HOLD, DRAIN])
def test_under_a_kill_switch_nothing_is_replaced(off: Any) -> None:
    seen = there(EDITED, "old serves", "old serves", "old crashes", partition=2)
    decision = decide(case(EDITED, off=off), seen, {})
    assert not decision.remove
    assert not decision.workload
    assert not decision.waiting


def test_a_template_that_the_server_adds_to_is_not_new_for_ever() -> None:
    manifest = child(children(EDITED), "StatefulSet")
    seen = there(EDITED, *SERVE)
    obj = copy.deepcopy(manifest)
    obj["spec"]["template"]["spec"]["addedByTheServer"] = True
    before = seen.child("StatefulSet", "ward")
    assert before is not None
    returned = saying(before, {**before.body, "spec": obj["spec"]})
    others = tuple(each for each in seen.children if each is not before)
    seen = replace(seen, children=(*others, returned))
    assert partition(decide(case(EDITED), seen, {})) == 3
    assert partition(decide(case(EDITED), seen, {returned.uid: settle(manifest, returned)})) == 2


def test_what_can_not_be_changed_is_told_and_not_tried() -> None:
    manifest = child(children(), "StatefulSet")
    manifest["spec"]["podManagementPolicy"] = "OrderedReady"
    others = tuple(live(each) for each in children() if each["kind"] != "StatefulSet")
    decision = decide(case({"model.contextTokens": 2048}), Cluster(children=(*others, live(manifest))), {})
    assert decision.fixed == 'podManagementPolicy is "OrderedReady" and should be "Parallel"'
    assert not decision.workload


# --- what failed, and what served


FAILED = ("old serves", "old serves", "new crashes")


def rollout(changes: Mapping[str, Any], seen: Cluster, history: History | None = None) -> Any:
    found = decide(case(changes, history=history), seen, {}).rollout
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("changes", "history", "words", "remembers"),
    [
        (EDITED, History(good=GOOD), "Correct the spec, or take the change back", False),
        (BACK, History(good=GOOD), f"going back to the template that served before ({OLD})", True),
        (BACK, History(), "No other template ever served on all replicas", False),
    ],
)
def test_a_template_that_fails(changes: dict[str, Any], history: History, words: str, remembers: bool) -> None:
    found = rollout(changes, there(changes, *FAILED, partition=2), history)
    assert found.stage is Stage.STALLED
    assert found.message.startswith("ward-2: Error with exit code 1 after 2 restarts: no CUDA; ")
    assert words in found.message
    assert bool(found.history.failed) is remembers
    assert not found.remove


def test_a_gpu_that_was_taken_by_others_is_no_fault_of_the_template() -> None:
    found = rollout(BACK, there(BACK, "old serves", "old serves", "new unplaced", partition=2), History(good=GOOD))
    assert found.stage is Stage.STALLED
    assert "lower spec.replicas" in found.message
    assert found.history.failed is None


def failed_with(changes: Mapping[str, Any]) -> History:
    return History(good=GOOD, failed=Failed(template=digest(template(changes)), message="ward-2: no CUDA"))


def test_the_way_back_is_a_rollout_of_what_served() -> None:
    history = replace(failed_with(BACK), kept=template(THREE))
    decision = decide(case(BACK, history=history), there(BACK, *FAILED, partition=2), {})
    assert workload(decision)["template"] == template(THREE)
    assert partition(decision) == 3
    assert decision.rollout is not None
    assert decision.rollout.stage is Stage.ROLLED_BACK
    assert decision.rollout.message.startswith("ward-2: no CUDA; going back to the template that served before")

    back = there(THREE, "new serves", "new serves", "new serves", currentRevision=NEW)
    after = decide(case(BACK, history=history), back, {})
    assert not after.workload
    assert after.rollout is not None
    assert "all replicas have the template that served before" in after.rollout.message


def test_without_the_template_that_served_all_stays_as_it_is() -> None:
    decision = decide(case(BACK, history=failed_with(BACK)), there(THREE, *SERVE, updateRevision=OLD), {})
    assert not decision.workload
    assert decision.rollout is not None
    assert "can not be read" in decision.rollout.message


@pytest.mark.parametrize(
    "changes", [EDITED, BACK | {"model.contextTokens": 1024}], ids=["onFailure is hold", "another template"]
)
def test_a_failure_is_forgotten(changes: dict[str, Any]) -> None:
    history = replace(failed_with(BACK), kept=template(THREE))
    decision = decide(case(changes, history=history), there(THREE, *SERVE, updateRevision=OLD), {})
    assert workload(decision)["template"] == template(changes)
    assert decision.rollout is not None
    assert decision.rollout.history.failed is None


@pytest.mark.parametrize(
    ("words", "known"),
    [
        (("new serves", "new serves", "new serves"), True),
        (("new serves", "new serves", "new warm"), False),
        (("new serves", "new serves", "missing"), False),
        (("new serves", "new serves", "old serves"), False),
    ],
)
def test_good_is_what_served_on_all_replicas(words: tuple[str, ...], known: bool) -> None:
    good = rollout(EDITED, there(EDITED, *words)).history.good
    assert good == (Good(revision=NEW, template=digest(template(EDITED))) if known else None)


def test_a_replica_that_fails_later_is_no_failed_rollout() -> None:
    good = Good(revision=NEW, template=digest(template(BACK)))
    seen = there(BACK, "new serves", "new crashes", "new serves", currentRevision=NEW)
    assert rollout(BACK, seen, History(good=good)).stage is Stage.COMPLETE


def test_what_is_remembered_is_read_back() -> None:
    history = failed_with(BACK)
    assert history_of({"rollout": history.wire()}) == history
    for strange in ({}, {"rollout": 3}, {"rollout": {"lastGood": "x", "failed": {"template": 1}}}):
        assert history_of(strange) == History()


def test_a_kept_template_must_be_the_one_that_served() -> None:
    served = template(THREE)
    metadata = {**served["metadata"], "creationTimestamp": None}
    revision = {"data": {"spec": {"template": {**served, "metadata": metadata, "$patch": "replace"}}}}
    assert kept_template(revision, Good(revision=OLD, template=digest(served))) == served
    assert kept_template(revision, GOOD) is None
    assert kept_template({}, GOOD) is None
