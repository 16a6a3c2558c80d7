"""`meditron kill`, `release`, `approve`, `resume` and `status`, each by a person with the rights of one role."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from meditron_operator import names
from tests.cluster.people import DEPLOYMENT, annotate, as_person, engage
from tests.cluster.support import Admin, Audit, Manifest, deployment
from tests.testbed import Testbed
from tests.testbed.install import NAMESPACE
from tests.testbed.waiting import wait_for
from tests.unit.cli.running import process

pytestmark = pytest.mark.cluster

RBAC = "rbac.authorization.k8s.io"
ROLES = {
    "anna": "meditron-stopper",
    "rita": "meditron-releaser",
    "paul": "meditron-release-approver",
    "vera": "meditron-viewer",
}
WHY = ("--reason", "wrong dose suggested")


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def stopped(self) -> "Done":
        """Nothing of it is there any more; that may be proven, where a guard runs."""
        assert self.code in (0, 3), self
        assert "STOPPED" in self.out
        assert "NOT STOPPED" not in self.out
        return self

    def refused(self, code: int) -> str:
        """The one line of a command that did nothing."""
        assert (self.code, self.out) == (code, ""), self
        (line,) = self.err.splitlines()
        return line


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a kubeconfig whose namespace is the test's."""

    kubeconfig: Path

    def start(self, *words: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "meditron_operator", *words]
        environment = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "KUBECONFIG": str(self.kubeconfig)}
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, env=environment)

    def run(self, *words: str) -> Done:
        return ended(self.start(*words))


def ended(program: "subprocess.Popen[str]") -> Done:
    out, err = program.communicate(timeout=90)
    assert "Traceback" not in err, err
    return Done(program.returncode, out, err)


@pytest.fixture
def people(bed: Testbed, admin: Admin, namespace: str, tmp_path: Path) -> Callable[[str], Person]:
    """Who holds a role holds it in the test's namespace only; `root` may do all, `nobody` nothing."""
    for user, role in ROLES.items():
        admin.create(binding("RoleBinding", user, role, namespace))

    def person(user: str) -> Person:
        config = yaml.safe_load(bed.kubeconfig.read_text(encoding="utf-8"))
        groups = {"as-groups": ["system:masters"]} if user.startswith("root") else {}
        config["users"][0]["user"] |= {"as": user, **groups}
        config["contexts"][0]["context"]["namespace"] = namespace
        path = tmp_path / user
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        return Person(path)

    return person


def binding(kind: str, user: str, role: str, namespace: str | None = None) -> Manifest:
    meta = {"name": f"{user}-{role}"} | ({} if namespace is None else {"namespace": namespace})
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": meta,
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "User", "apiGroup": RBAC, "name": user}],
    }


People = Callable[[str], Person]


@pytest.fixture
def notes(admin: Admin, namespace: str) -> str:
    """A deployment that serves."""
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    return "notes"


@pytest.fixture
def orphaned(bed: Testbed, notes: str) -> Iterator[str]:
    """A deployment that serves, and whose operator died."""
    bed.stop("operator")
    yield notes
    bed.start_program("operator")


def annotations(admin: Admin, namespace: str | None, name: str, kind: str = DEPLOYMENT) -> dict[str, str]:
    body = admin.get(kind, namespace, name)
    assert body is not None
    return dict(body["metadata"].get("annotations") or {})


def test_a_stop_by_who_may_stop_and_no_more(admin: Admin, namespace: str, people: People, notes: str) -> None:
    done = people("anna").run("kill", notes, *WHY, "--ticket", "INC-7").stopped()

    assert f"the API server stored it: halt of {namespace}/notes, by anna" in done.out
    assert "no pod is left" in done.out
    assert admin.get("Pod", namespace, "notes-0") is None
    stored = annotations(admin, namespace, notes)
    assert stored[names.KILL_REASON] == "wrong dose suggested"
    assert stored[names.KILL_TICKET] == "INC-7"

    time.sleep(4)  # a stop is told to be an old one once it is some seconds old
    again = people("anna").run("kill", notes).stopped()

    assert "nothing changed: it was engaged already, since" in again.out
    assert annotations(admin, namespace, notes) == stored


@pytest.mark.guarantee("G8")
def test_a_weaker_stop_changes_nothing(admin: Admin, namespace: str, people: People, notes: str) -> None:
    engage(admin, namespace, notes)
    done = people("anna").run("kill", notes, "--mode", "hold").stopped()
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
    Person(bed.user_kubeconfig("ines")).run("kill", notes, "-n", namespace, *WHY).stopped()
    first, *_ = audit.since(mark, "ines")
    assert (first.verb, first.resource, first.name, first.code) == ("patch", "meditrondeployments", "notes", 200)


@pytest.mark.guarantee("G3")
def test_without_an_operator_it_takes_the_pods_away_itself(
    admin: Admin, namespace: str, people: People, orphaned: str
) -> None:
    done = people("root").run("kill", orphaned, *WHY).stopped()

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


def test_names_that_are_not_there(admin: Admin, namespace: str, people: People) -> None:
    admin.create(deployment("ward-assistant", namespace, replicas=0))
    root, anna = people("root"), people("anna")
    for command in (("kill", *WHY), ("release",), ("approve", "--yes"), ("resume",), ("status",)):
        verb, *more = command
        line = anna.run(verb, "ward-assitant", *more).refused(2)
        assert "did you mean ward-assistant?" in line
    line = root.run("kill", "ward-assistant", "-n", "default", *WHY).refused(2)
    assert f"it is in namespace {namespace}: -n {namespace}" in line
    line = root.run("kill", "--all", "--operator-namespace", "nowhere", *WHY).refused(2)
    assert "there is no namespace nowhere" in line


def test_names_are_completed(admin: Admin, namespace: str, people: People) -> None:
    for name in ("notes", "notes-2", "letters"):
        admin.create(deployment(name, namespace, replicas=0))
    line = "meditron kill --mode hold no"
    wanted = {"_MEDITRON_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    for user, proposals in (("anna", ["notes", "notes-2"]), ("nobody", [])):
        done = process(KUBECONFIG=str(people(user).kubeconfig), **wanted)
        assert (done.out.split(), done.err) == (proposals, "")


def test_who_may_not_is_told_so(admin: Admin, namespace: str, people: People, notes: str) -> None:
    nobody = people("nobody")
    assert "the API server refused:" in nobody.run("kill", notes, *WHY).refused(4)
    assert "the API server refused:" in nobody.run("status", notes).refused(4)
    assert names.KILL_SWITCH not in annotations(admin, namespace, notes)
    engage(admin, namespace, notes)
    assert "only a person with the verb release may request" in people("anna").run("release", notes).refused(4)


@pytest.mark.parametrize("scope", ["deployment", "namespace", "cluster"])
def test_a_release_by_two_people_each_step_twice(
    admin: Admin, namespace: str, people: People, notes: str, scope: str
) -> None:
    words = {"deployment": (notes,), "namespace": ("--namespace-scope",), "cluster": ("--all",)}[scope]
    kind, place, name = {
        "deployment": (DEPLOYMENT, namespace, notes),
        "namespace": ("Namespace", None, namespace),
        "cluster": ("Namespace", None, NAMESPACE),
    }[scope]
    anna, rita, paul = (people(f"root-{each}") for each in ("anna", "rita", "paul"))
    anna.run("kill", *words, *WHY).stopped()

    assert "nobody asked for its release" in paul.run("approve", *words, "--yes").refused(2)
    assert "first it must be released" in rita.run("resume", *words).refused(2)
    assert "requested by root-rita: it stays off" in rita.run("release", *words).out
    assert "nothing changed: you asked for it already" in rita.run("release", *words).out
    assert "you can be the second" in paul.run("release", *words).refused(2)
    assert "it takes two people" in rita.run("approve", *words, "--yes").refused(2)
    assert "add --yes" in paul.run("approve", *words).refused(2)
    told = paul.run("status", notes)
    assert "root-rita asked for it; somebody else may approve until" in told.out

    assert "requested by root-rita, approved by root-paul" in paul.run("approve", *words, "--yes").out
    assert "nothing changed" in paul.run("approve", *words, "--yes").out
    assert names.KILL_SWITCH not in annotations(admin, place, name, kind)
    (seen,) = paul.run("status", notes, "-o", "json").json["deployments"]
    assert (seen["state"], seen["scope"], seen["pods"]) == ("Released", scope, [])

    assert "resumed by root-rita" in rita.run("resume", *words).out
    assert "nothing changed" in rita.run("resume", *words).out
    admin.wait_settled(namespace, notes, "Ready")
    (seen,) = paul.run("status", notes, "-o", "json").json["deployments"]
    assert seen["state"] == "NotEngaged"


def test_the_roles_suffice_for_a_release(admin: Admin, namespace: str, people: People, notes: str) -> None:
    people("anna").run("kill", notes, *WHY).stopped()
    assert people("rita").run("release", notes).code == 0
    assert people("paul").run("approve", notes, "--yes").code == 0
    assert people("rita").run("resume", notes).code == 0
    admin.wait_settled(namespace, notes, "Ready")


@pytest.mark.guarantee("G13")
def test_a_drill_by_two_people(admin: Admin, namespace: str, people: People, notes: str) -> None:
    first, second = people("root-rita"), people("root-paul")
    assert "add --yes" in first.run("drill", notes).refused(2)
    program = first.start("drill", notes, "--yes", "--ticket", "DRILL-1", "-o", "json")
    requested = admin.wait(DEPLOYMENT, namespace, notes, is_requested, 60)
    assert requested is not None
    assert requested["metadata"]["annotations"][names.KILL_REASON] == "drill"
    assert second.run("approve", notes, "--yes").code == 0

    done = ended(program)

    assert f"meditron approve notes -n {namespace}" in done.err
    evidence = done.json
    assert done.code in (0, 3)  # proven only where a guard runs
    assert (evidence["drill"], evidence["approvedBy"]) == (f"{namespace}/notes", "root-paul")
    assert evidence["stop"]["stopped"]
    assert 0 <= evidence["secondsToReturn"] < 60
    admin.wait_settled(namespace, notes, "Ready")


@pytest.mark.guarantee("G13")
def test_a_real_stop_ends_a_drill(admin: Admin, namespace: str, people: People, notes: str) -> None:
    """It was meant to come back by itself: what somebody stopped for real meanwhile does not."""
    program = people("root-rita").start("drill", notes, "--yes")
    admin.wait(DEPLOYMENT, namespace, notes, is_requested, 60)

    told = people("anna").run("kill", notes, "--mode", "hold", "--no-wait").out

    assert "a drill stood, and counts as a real stop from now on" in told
    done = ended(program)
    assert done.code == 1
    assert "notes stays off after the drill: somebody stopped it for real meanwhile: halt: a real stop" in done.err
    stored = annotations(admin, namespace, notes)
    assert (stored[names.KILL_SWITCH], stored[names.KILLED_BY]) == ("halt", "anna")


def is_requested(body: Manifest | None) -> bool:
    return body is not None and names.RELEASE_REQUESTED_BY in (body["metadata"].get("annotations") or {})


def test_no_drill_that_could_not_be_ended(admin: Admin, namespace: str, people: People, notes: str) -> None:
    assert "you lack the verbs release, resume" in people("anna").run("drill", notes, "--yes").refused(2)
    assert "does not serve, or you may not look" in people("rita").run("drill", notes, "--yes").refused(2)
    assert names.KILL_SWITCH not in annotations(admin, namespace, notes)
    engage(admin, namespace, notes)
    assert "is off already: halt: wrong dose" in people("root").run("drill", notes, "--yes").refused(2)


def test_all_of_a_namespace_in_one_go(admin: Admin, namespace: str, people: People, notes: str) -> None:
    admin.create(deployment("letters", namespace))
    admin.wait_settled(namespace, "letters", "Ready")
    engage(admin, namespace, "letters")

    done = people("anna").run("kill", "--namespace-scope", *WHY, "-o", "json")

    body = done.json
    assert done.code in (0, 3)
    assert (body["scope"], body["stopped"], [each["name"] for each in body["deployments"]]) == (
        "namespace",
        True,
        ["letters", notes],
    )
    assert {each["pods"] == [] for each in body["deployments"]} == {True}
    assert body["events"][0]["text"].startswith("the API server stored it: halt of everything in namespace")
    resumed = "still off: whole namespace, halt: wrong dose suggested"
    annotate(admin, DEPLOYMENT, namespace, notes, kill_switch="halt")
    for who, step in (("rita", ("release",)), ("paul", ("approve", "--yes"))):
        assert people(who).run(*step, notes).code == 0
    assert resumed in people("rita").run("resume", notes).out
    root = as_person(admin, "root")
    for who, step in (("rita", ("release",)), ("paul", ("approve", "--yes")), ("rita", ("resume",))):
        assert people(who).run(*step, "--namespace-scope").code == 0
    assert names.KILL_SWITCH not in annotations(root, None, namespace, "Namespace")


def test_who_may_look_at_deployments_only_is_told_what_is_not_known(namespace: str, people: People, notes: str) -> None:
    done = people("vera").run("status")
    assert done.code == 0
    assert f"namespace {namespace}" in done.err
    assert "Unknown" in done.out


@pytest.mark.usefixtures("restarting")
def test_a_stop_goes_through_an_api_server_that_restarts(
    bed: Testbed, admin: Admin, namespace: str, people: People, notes: str
) -> None:
    bed.kill("kube-apiserver")
    program = people("anna").start("kill", notes, *WHY)
    assert program.stderr is not None
    first = program.stderr.readline()
    bed.start_program("kube-apiserver")

    done = ended(program).stopped()

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

    done = ended(program).stopped()

    assert "pod notes-0 is gone" in done.out
