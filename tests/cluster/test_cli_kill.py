"""`meditron kill`: who may stop, what is sent first, and what is told while something is left."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from meditron_operator import names
from tests.cluster.people import DEPLOYMENT, annotate, engage
from tests.cluster.persons import RBAC, WHY, People, Person, annotations, binding, ended, stopped
from tests.cluster.support import Admin, Audit, Manifest
from tests.testbed import Testbed
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.cluster


@pytest.fixture
def orphaned(bed: Testbed, notes: str) -> Iterator[str]:
    """A deployment that serves, and whose operator died."""
    bed.stop("operator")
    yield notes
    bed.start_program("operator")


def test_a_stop_by_who_may_stop_and_no_more(admin: Admin, namespace: str, people: People, notes: str) -> None:
    done = stopped(people("anna").run("kill", notes, *WHY, "--ticket", "INC-7"))

    assert f"the API server stored it: halt of {namespace}/notes, by anna" in done.out
    assert "no pod is left" in done.out
    assert admin.get("Pod", namespace, "notes-0") is None
    stored = annotations(admin, namespace, notes)
    assert stored[names.KILL_REASON] == "wrong dose suggested"
    assert stored[names.KILL_TICKET] == "INC-7"

    time.sleep(4)  # a stop is told to be an old one once it is some seconds old
    again = stopped(people("anna").run("kill", notes))

    assert "nothing changed: it was engaged already, since" in again.out
    assert annotations(admin, namespace, notes) == stored


@pytest.mark.guarantee("G8")
def test_a_weaker_stop_changes_nothing(admin: Admin, namespace: str, people: People, notes: str) -> None:
    engage(admin, namespace, notes)
    done = stopped(people("anna").run("kill", notes, "--mode", "hold"))
    assert "a stronger stop stands already, and stays" in done.out
    assert annotations(admin, namespace, notes)[names.KILL_SWITCH] == "halt"


def test_who_may_not_look_at_pods_is_not_told_that_they_are_gone(people: People, notes: str) -> None:
    done = people("rita").run("kill", notes, *WHY)
    assert (done.code, "nothing is seen of what became of it" in done.out) in ((3, True), (0, False))
    assert "pods" in done.err
    assert people("rita").run("kill", notes, "--no-wait", "-o", "json").json["stopped"] is None


def test_a_reason_can_be_given_afterwards(admin: Admin, namespace: str, people: People, notes: str) -> None:
    annotate(admin, DEPLOYMENT, namespace, notes, kill_switch="halt")
    time.sleep(4)
    done = people("anna").run("kill", notes, *WHY, "--no-wait")
    assert "the reason or the ticket is new: it was engaged already, since" in done.out
    assert annotations(admin, namespace, notes)[names.KILL_REASON] == WHY[1]


def test_the_stop_is_the_first_request(
    bed: Testbed, admin: Admin, audit: Audit, namespace: str, notes: str, tmp_path: Path
) -> None:
    admin.create(binding("RoleBinding", "ines", "meditron-stopper", namespace))
    mark = audit.mark()
    stopped(Person(bed.user_kubeconfig("ines")).run("kill", notes, "-n", namespace, *WHY))
    first, *_ = audit.since(mark, "ines")
    assert (first.verb, first.resource, first.name, first.code) == ("patch", "meditrondeployments", "notes", 200)


@pytest.mark.guarantee("G3")
def test_without_an_operator_it_takes_the_pods_away_itself(
    admin: Admin, namespace: str, people: People, orphaned: str
) -> None:
    done = stopped(people("root").run("kill", orphaned, *WHY))

    assert "we told pod notes-0 to end within 1 s" in done.out
    assert "not proven: the clients' policy stands" in done.out
    assert "its StatefulSet wants 1, which the API server refuses" in done.out
    assert admin.get("Pod", namespace, "notes-0") is None
    (seen,) = people("root").run("status", orphaned, "-o", "json").json["deployments"]
    assert (seen["mode"], seen["reason"], seen["killedBy"], seen["pods"]) == ("halt", WHY[1], "root", [])


def test_who_may_not_delete_pods_is_told_what_is_left(
    admin: Admin, namespace: str, people: People, orphaned: str
) -> None:
    rules = [
        {"apiGroups": ["meditron.ai"], "resources": ["meditrondeployments"], "verbs": ["get", "patch", "switch"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    ]
    role = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": f"weak-{namespace}"},
        "rules": rules,
    }
    admin.create(role)
    admin.create(binding("RoleBinding", "otto", f"weak-{namespace}", namespace))

    done = people("otto").run("kill", orphaned, *WHY, "--timeout", "3")

    admin.delete("ClusterRole", None, f"weak-{namespace}")
    assert done.code == 1
    assert "NOT STOPPED after 3" in done.out
    assert "still there: pod notes-0 on node" in done.out
    assert f"kubectl delete pods -n {namespace} -l meditron.ai/deployment=notes --grace-period=1" in done.out
    assert "you may not delete pods" in done.err
    assert annotations(admin, namespace, orphaned)[names.KILL_SWITCH] == "halt"


def test_the_guards_word_is_the_proof(admin: Admin, namespace: str, people: People, notes: str) -> None:
    program = people("anna").start("kill", notes, *WHY)
    admin.wait(DEPLOYMENT, namespace, notes, lambda body: body is not None and is_engaged(body))
    told = {"state": "Engaged", "scope": "deployment", "mode": "halt", "message": "no answer from outside"}
    status = {"status": {"killSwitch": told}}
    admin.resource(DEPLOYMENT).status.patch(
        name=notes, namespace=namespace, body=status, content_type="application/merge-patch+json"
    )

    done = ended(program)

    assert done.code == 0
    assert "STOPPED and proven after" in done.out


def is_engaged(body: Manifest) -> bool:
    return names.KILL_SWITCH in (body["metadata"].get("annotations") or {})


@pytest.mark.usefixtures("restarting")
def test_a_stop_goes_through_an_api_server_that_restarts(
    bed: Testbed, admin: Admin, namespace: str, people: People, notes: str
) -> None:
    bed.kill("kube-apiserver")
    program = people("anna").start("kill", notes, *WHY)
    assert program.stderr is not None
    first = program.stderr.readline()
    bed.start_program("kube-apiserver")

    done = stopped(ended(program))

    assert "the API server does not take the stop yet, trying again" in first
    assert f"halt of {namespace}/notes, by anna" in done.out
    wait_for("the pod to be gone", lambda: admin.get("Pod", namespace, "notes-0") is None, 60)


@pytest.mark.usefixtures("restarting")
def test_an_api_server_that_restarts_in_the_middle_is_looked_at_again(
    bed: Testbed, admin: Admin, namespace: str, people: People, notes: str
) -> None:
    bed.stop("kwok")  # the node doesn't answer, so the pod stays
    try:
        program = people("anna").start("kill", notes, *WHY)
        admin.wait(DEPLOYMENT, namespace, notes, lambda body: body is not None and is_engaged(body))
        bed.kill("kube-apiserver")
        assert program.poll() is None
        bed.start_program("kube-apiserver")
    finally:
        bed.start_program("kwok")

    done = stopped(ended(program))

    assert "pod notes-0 is gone" in done.out
