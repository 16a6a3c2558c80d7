"""`meditron release`, `approve`, `resume`, `drill` and `status`, each by a person with the rights of one role."""

import pytest

from meditron_operator import names
from tests.cluster.people import DEPLOYMENT, annotate, as_person, engage
from tests.cluster.persons import WHY, People, annotations, ended, stopped
from tests.cluster.support import Admin, Manifest, deployment
from tests.testbed.install import NAMESPACE
from tests.unit.cli.running import process

pytestmark = pytest.mark.cluster


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
    stopped(anna.run("kill", *words, *WHY))

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
    stopped(people("anna").run("kill", notes, *WHY))
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
