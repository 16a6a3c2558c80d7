"""Drills with a guard: the very command of the chart's CronJob with its very rights, and real stops over a drill."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from meditron_operator import names
from meditron_operator.core.killswitch import drill
from tests.chart.render import template
from tests.cluster.guard.told import KIND, is_down
from tests.cluster.people import annotate, as_person, refusal, release, resume
from tests.cluster.registers import said, stored
from tests.cluster.support import Admin, Audit, Manifest, deployment
from tests.testbed import Testbed
from tests.testbed.install import NAMESPACE
from tests.testbed.waiting import wait_for
from tests.unit.cli.running import process

pytestmark = pytest.mark.cluster

ACCOUNT = "meditron-drill"
USER = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"


def shipped(namespace: str) -> dict[str, Manifest]:
    """What the chart makes for drills of `canary`, by kind."""
    settings = "drill.enabled=true", "drill.deployment=canary", f"drill.namespace={namespace}"
    bodies = yaml.safe_load_all(template(*(word for setting in settings for word in ("--set", setting))))
    return {body["kind"]: body for body in bodies if body and body["metadata"]["name"] == ACCOUNT}


@pytest.fixture
def cronjob(bed: Testbed, admin: Admin, namespace: str) -> Manifest:
    """The CronJob for a canary that serves, stored with all that it needs."""
    bodies = shipped(namespace)
    bed.apply([bodies[kind] for kind in ("ServiceAccount", "Role", "RoleBinding")])
    admin.create(deployment("canary", namespace))
    admin.create(deployment("other", namespace, replicas=0))
    admin.wait_settled(namespace, "canary", "Ready")
    return admin.create(bodies["CronJob"], dry_run="All")


@pytest.mark.guarantee("G9", "G13")
def test_the_drill_of_the_cronjob(bed: Testbed, admin: Admin, audit: Audit, namespace: str, cronjob: Manifest) -> None:
    pod = cronjob["spec"]["jobTemplate"]["spec"]["template"]
    admin.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "drill", "namespace": namespace},
                  "spec": {**pod["spec"], "serviceAccountName": "default"}}, dry_run="All")  # fmt: skip
    (container,) = pod["spec"]["containers"]
    config = str(bed.service_account_kubeconfig(NAMESPACE, ACCOUNT))
    mark = audit.mark()

    done = process(*container["args"], KUBECONFIG=config)

    assert done.code == 0, done
    assert (done.json["passed"], done.json["stop"]["proven"], done.json["record"]) == (True, True, "kill-000001")
    assert f"stays off until two people release it: meditron release canary -n {namespace}" in done.err
    assert is_down(admin, namespace, "canary")
    requests = [request for request in audit.since(mark, USER) if request.resource and request.code < 300]
    own = {(each.resource, each.verb) for each in requests if "reviews" not in each.resource}
    assert own == granted(namespace) - {("meditrondeployments", "switch")}  # asked about by the policies

    assert "is off already: halt: drill" in process(*container["args"], KUBECONFIG=config).refused()
    account = Admin(Path(config))
    stop = {"metadata": {"annotations": {names.KILL_SWITCH: "halt"}}}
    assert "cannot patch resource" in refusal(account, KIND, namespace, "other", stop)
    free = {"metadata": {"annotations": {names.KILL_SWITCH: None, names.KILL_REASON: None}}}
    assert "must first be requested" in refusal(account, KIND, namespace, "canary", free)
    scaled: dict[str, Any] = {"spec": {"replicas": 0}}
    assert "annotations of meditron.ai and nothing else" in refusal(account, KIND, namespace, "canary", scaled)

    wait_for("the outcome of the drill", lambda: bool(stored(admin, namespace)[0].outcome), 30)
    release(admin, namespace, "canary")
    resume(admin, namespace, "canary")
    written(admin, namespace, "Drill", "Release", "Resume")
    record = stored(admin, namespace)[0]
    assert (record.text("actor"), record.text("reason"), str(record.mode)) == (USER, "drill", "halt")
    assert (record.status["state"], 0 < record.status["secondsToStop"] < 5) == ("Engaged", True)
    admin.wait_settled(namespace, "canary", "Ready")


def granted(namespace: str) -> set[tuple[str, str]]:
    """(resource, verb) of the Role that is shipped."""
    rules = shipped(namespace)["Role"]["rules"]
    return {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}


def written(admin: Admin, namespace: str, *actions: str) -> None:
    """Until these are the records."""

    def done() -> bool:
        return said(stored(admin, namespace)) == [(action, "canary") for action in actions]

    wait_for(f"the records {', '.join(actions)}", done, 30)


@pytest.mark.guarantee("G9", "G13")
def test_a_real_stop_over_a_drill_is_nobodys_drill(admin: Admin, namespace: str) -> None:
    """Nor can a drill be made of a real stop, or be put where a real stop will be."""
    admin.create(deployment("canary", namespace, replicas=0))
    ahead = {"metadata": {"annotations": {names.KILL_REASON: drill.REASON}}}
    assert "together with the kill switch" in refusal(admin, KIND, namespace, "canary", ahead)
    annotate(as_person(admin, "anna"), KIND, namespace, "canary", kill_switch="halt", kill_reason=drill.REASON)
    written(admin, namespace, "Drill")

    annotate(as_person(admin, "bob"), KIND, namespace, "canary", kill_switch="halt", kill_reason="wrong dose")

    written(admin, namespace, "Drill", "Escalate")
    _, real = stored(admin, namespace)
    assert (real.text("actor"), real.text("reason"), real.text("admittedAt")) == ("bob", "wrong dose", "")
    assert "over no other stop" in refusal(admin, KIND, namespace, "canary", ahead)
