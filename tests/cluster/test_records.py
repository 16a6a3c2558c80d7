"""The register on a real API server, as the guard's own service account."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.dynamic.exceptions import DynamicApiError

from meditron_operator import names
from meditron_operator.core.killswitch import Scope, SwitchState
from meditron_operator.core.killswitch.carrier import Carrier
from meditron_operator.core.killswitch.records import Record, verify
from meditron_operator.shell.cluster import Cluster
from meditron_operator.shell.register import Register
from tests.chart.render import BUNDLE
from tests.cluster.people import annotate, as_person, engage, refusal, release, resume
from tests.cluster.registers import GUARD_USER, guarding, guards_account, now, said, seen, stored
from tests.cluster.support import Admin, Audit, Manifest, deployment
from tests.testbed import Testbed
from tests.testbed.install import NAMESPACE
from tests.testbed.waiting import wait_for
from tests.unit.cli.running import process
from tests.unit.records.kit import outcome

pytestmark = pytest.mark.cluster

DEPLOYMENT = names.KIND
LATCHES = {DEPLOYMENT: "meditron-latch-deployments", "Namespace": "meditron-latch-namespaces"}


@pytest.fixture(scope="module")
def account(bed: Testbed) -> Path:
    return guards_account(bed)


@pytest.fixture
def ward(admin: Admin, namespace: str) -> Iterator[str]:
    """A deployment `ward` that runs nothing."""
    admin.create(deployment("ward", namespace, replicas=0))
    stop = {"metadata": {"annotations": {names.KILL_SWITCH: "halt"}}}

    def stoppable() -> bool:
        return passes(lambda: admin.patch(DEPLOYMENT, namespace, "ward", stop, dry_run="All"))

    # For some seconds after the installation the server knows no stamp for the new kind.
    wait_for("a stop to be let in", stoppable, 60)
    yield namespace
    body = admin.get(DEPLOYMENT, namespace, "ward")
    if body is not None and names.KILL_SWITCH in body["metadata"].get("annotations", {}):
        release(admin, namespace, "ward")


def look(admin: Admin, namespace: str) -> Carrier:
    body = admin.get(DEPLOYMENT, namespace, "ward")
    assert body is not None
    return seen(body)


def intact(records: list[Record]) -> bool:
    return [str(finding) for finding in verify(records) if finding.broken] == []


@pytest.mark.guarantee("G9")
async def test_a_whole_life(admin: Admin, account: Path, ward: str) -> None:
    async with guarding(account) as register:
        assert await register.keep(look(admin, ward), now()) is None
        engage(as_person(admin, "anna"), ward, "ward", "hold")
        assert await register.keep(look(admin, ward), now()) == "kill-000001"
        engage(as_person(admin, "bob"), ward, "ward", "halt")
        assert await register.keep(look(admin, ward), now()) == "kill-000002"
        await register.conclude(
            look(admin, ward), outcome(SwitchState.ENGAGED_UNVERIFIED, unconfirmed_pods=("p on n",))
        )
        await register.conclude(look(admin, ward), outcome(seconds_to_stop=2.0))
        release(admin, ward, "ward")
        assert await register.keep(look(admin, ward), now()) == "kill-000002"
        resume(admin, ward, "ward")
        assert await register.keep(look(admin, ward), now()) is None

    records = stored(admin, ward)
    assert [(record.action, str(record.mode), record.text("actor")) for record in records] == [
        ("Engage", "hold", "anna"),
        ("Escalate", "halt", "bob"),
        ("Release", "halt", "paul"),
        ("Resume", "halt", "rosa"),
    ]
    assert [record.status.get("state") for record in records] == [None, "Engaged", "Released", "Resumed"]
    assert "unconfirmedPods" not in records[1].status
    assert all(record.text("admittedAt")[:19] <= record.text("seenAt")[:19] for record in records)
    assert records[2].text("requestedBy") == "rita"
    assert intact(records)


async def test_what_is_written_is_not_written_again(admin: Admin, audit: Audit, account: Path, ward: str) -> None:
    engage(admin, ward, "ward")
    async with guarding(account) as register:
        carrier = look(admin, ward)
        await register.keep(carrier, now())
        await register.conclude(carrier, outcome())
        mark = audit.mark()
        for _ in range(3):
            assert await register.keep(carrier, now()) == "kill-000001"
            await register.conclude(carrier, outcome(seconds_to_stop=99.0))
    async with guarding(account) as register:  # after a restart too
        await register.keep(carrier, now())
        await register.conclude(carrier, outcome(seconds_to_stop=99.0))
    assert stored(admin, ward)[0].status["secondsToStop"] == 2
    asked = {(request.resource, request.verb) for request in audit.since(mark, GUARD_USER)}
    assert asked <= {("killrecords", "list"), ("killrecords", "watch")}


async def test_two_registers_make_one_chain(admin: Admin, account: Path, ward: str) -> None:
    """They look at old states and write at the same time; every step is one record, and nothing is put back."""
    async with guarding(account) as one, guarding(account) as other:
        steps: list[Callable[[], Any]] = [
            lambda: engage(admin, ward, "ward", "hold"),
            lambda: engage(admin, ward, "ward", "halt"),
            lambda: release(admin, ward, "ward"),
            lambda: resume(admin, ward, "ward"),
        ]
        states = [look(admin, ward)]
        for step in steps * 5:
            step()
            states.append(look(admin, ward))
            looks = [states[-1], states[-1], states[-2], states[-2]]
            kept = zip((one, other, one, other), looks, strict=True)
            await asyncio.gather(*(register.keep(carrier, now()) for register, carrier in kept))
        for register in (one, other):
            await asyncio.gather(*(register.keep(carrier, now()) for carrier in states))
    records = stored(admin, ward)
    assert said(records) == [(action, "ward") for action in ("Engage", "Escalate", "Release", "Resume")] * 5
    assert intact(records)
    assert all(record.outcome for record in records if record.action in ("Release", "Resume"))


async def test_many_deployments_at_once(admin: Admin, account: Path, namespace: str) -> None:
    """Every one wants the next number, in both guards."""
    wards = [f"ward-{number}" for number in range(8)]
    for name in wards:
        admin.create(deployment(name, namespace, replicas=0))
        engage(admin, namespace, name)
    carriers = [seen(body) for body in admin.list(DEPLOYMENT, namespace)]
    async with guarding(account) as one, guarding(account) as other:
        await asyncio.gather(*(each.keep(carrier, now()) for carrier in carriers for each in (one, other)))
    records = stored(admin, namespace)
    assert sorted(said(records)) == [("Engage", name) for name in wards]
    assert intact(records)


@contextmanager
def unlatched(admin: Admin, kind: str, namespace: str | None, name: str) -> Iterator[None]:
    """Without the latch of such carriers. At the end it is back, and then this one must be engaged."""
    binding_kind, latch = "ValidatingAdmissionPolicyBinding", LATCHES[kind]
    binding = admin.get(binding_kind, None, latch)
    assert binding is not None

    def free() -> bool:
        body = {"metadata": {"annotations": {names.KILL_SWITCH: None}}}
        return passes(lambda: admin.patch(kind, namespace, name, body, dry_run="All"))

    admin.delete(binding_kind, None, latch)
    try:
        wait_for("the latch to be gone", free, 30)
        yield
    finally:
        kept = {key: binding["metadata"][key] for key in ("name", "labels")}
        admin.create({**binding, "metadata": kept})
    wait_for("the latch to be back", lambda: not free(), 30)


@pytest.mark.guarantee("G5")
async def test_a_stop_that_vanished_is_engaged_again(admin: Admin, account: Path, ward: str) -> None:
    """Its annotation was taken off; then it was deleted and made anew, and a guard ended when it had put it back."""
    async with guarding(account) as register:
        annotate(admin, DEPLOYMENT, ward, "ward", kill_switch="halt", kill_reason="wrong dose", kill_ticket="T-1")
        await register.keep(look(admin, ward), now())
        with unlatched(admin, DEPLOYMENT, ward, "ward"):
            admin.patch(DEPLOYMENT, ward, "ward", {"metadata": {"annotations": None}})
            assert await register.keep(look(admin, ward), now()) == "kill-000002"
            admin.delete(DEPLOYMENT, ward, "ward")
            admin.wait_gone(DEPLOYMENT, ward, "ward")
            admin.create(deployment("ward", ward, replicas=0))
            async with guarding(account, Dying) as doomed:
                Dying.left = 1
                assert await died(doomed.keep(look(admin, ward), now()))
            assert len(stored(admin, ward)) == 2
            assert await register.keep(look(admin, ward), now()) == "kill-000003"
        annotations = dict(look(admin, ward).annotations)
    assert annotations[names.KILL_SWITCH] == "halt"
    assert annotations[names.KILL_TICKET] == "T-1"
    assert annotations[names.KILL_REASON] == "engaged again: kill-000002 was never released (wrong dose)"
    records = stored(admin, ward)
    assert [record.text("actor") for record in records] == ["admin", GUARD_USER, GUARD_USER]
    assert records[-1].text("targetUID") == look(admin, ward).uid
    assert intact(records)


async def test_two_guards_put_back_one_stop_of_a_namespace(admin: Admin, account: Path, namespace: str) -> None:
    def carrier() -> Carrier:
        body = admin.get("Namespace", None, namespace)
        assert body is not None
        return seen(body, Scope.NAMESPACE)

    async with guarding(account) as one, guarding(account) as other:
        engage(admin, None, namespace, kind="Namespace")
        await asyncio.gather(*(each.keep(carrier(), now()) for each in (one, other)))
        with unlatched(admin, "Namespace", None, namespace):
            admin.patch("Namespace", None, namespace, {"metadata": {"annotations": None}})
            found = await asyncio.gather(*(each.keep(carrier(), now()) for each in (one, other, one, other)))
        assert set(found) == {"kill-000002"}
        release(admin, None, namespace, kind="Namespace")
        await asyncio.gather(*(each.keep(carrier(), now()) for each in (one, other)))
    records = stored(admin, namespace)
    assert said(records) == [(action, namespace) for action in ("Engage", "Engage", "Release")]
    assert intact(records)


def passes(request: Callable[[], Any]) -> bool:
    try:
        request()
    except DynamicApiError:
        return False
    return True


@pytest.mark.parametrize("scope", [Scope.NAMESPACE, Scope.CLUSTER])
async def test_the_wider_scopes(admin: Admin, account: Path, namespace: str, scope: Scope) -> None:
    """Their records are in the namespace that carries the annotation."""
    name = namespace if scope is Scope.NAMESPACE else NAMESPACE

    def carrier() -> Carrier:
        body = admin.get("Namespace", None, name)
        assert body is not None
        return seen(body, scope)

    async with guarding(account) as register:
        for step in (engage, release, resume):
            step(admin, None, name, kind="Namespace")
            await register.keep(carrier(), now())
            await register.conclude(carrier(), outcome())
    records = stored(admin, name)
    # Other tests release the whole cluster too: what they left is written down late, as missed.
    assert said(records)[-3:] == [(action, name) for action in ("Engage", "Release", "Resume")]
    assert {record.text("scope") for record in records} == {str(scope)}
    assert intact(records)


async def test_the_command_line_reads_them(
    admin: Admin, bed: Testbed, account: Path, ward: str, tmp_path: Path
) -> None:
    engage(as_person(admin, "anna"), ward, "ward")
    async with guarding(account) as register:
        await register.keep(look(admin, ward), now())
        await register.conclude(look(admin, ward), outcome(seconds_to_stop=2.25))
    config, export = str(bed.kubeconfig), str(tmp_path / "export.jsonl")
    assert "kill-000001" in process("records", "list", "-n", ward, KUBECONFIG=config).out
    assert process("records", "verify", "-n", ward, KUBECONFIG=config).out.startswith(f"{ward}: 1 record, intact")
    assert process("records", "export", "-n", ward, "-o", export, KUBECONFIG=config).code == 0
    assert process("records", "verify", "--from", export).code == 0
    assert process("records", "verify", "-n", ward, "--copy", export, KUBECONFIG=config).code == 0
    nobody = str(bed.user_kubeconfig("nobody"))
    assert "cannot list resource" in process("records", "list", "-n", ward, KUBECONFIG=nobody).refused()


class Dying(Cluster):
    """Ends a guard after its n-th write: the answer never comes to it."""

    left = 0

    async def _request(self, method: str, *args: Any, **options: Any) -> Manifest:
        answer = await super()._request(method, *args, **options)
        if method != "GET":
            Dying.left -= 1
            if Dying.left == 0:
                raise asyncio.CancelledError
        return answer


@pytest.mark.guarantee("G9")
async def test_ended_between_any_two_writes_it_is_completed_by_the_next(admin: Admin, account: Path, ward: str) -> None:
    async def live(register: Register) -> None:
        """Everything that is to be written for the state as it is."""
        carrier = look(admin, ward)
        await register.keep(carrier, now())
        await register.conclude(carrier, outcome())

    deaths = 0
    steps: list[Callable[..., None]] = [engage, release, resume]
    for step in steps * 2:
        step(admin, ward, "ward")
        for Dying.left in (1, 2):
            async with guarding(account, Dying) as doomed:
                deaths += await died(live(doomed))
        async with guarding(account) as other:
            await live(other)
    records = stored(admin, ward)
    assert said(records) == [(action, "ward") for action in ("Engage", "Release", "Resume")] * 2
    assert [finding for finding in verify(records) if finding.kind == "outcome-not-final"] == []
    assert intact(records)
    assert deaths >= 6


async def died(life: Awaitable[object]) -> bool:
    try:
        await life
    except asyncio.CancelledError:
        return True
    return False


async def test_the_guard_uses_every_right_for_records_and_no_other(
    admin: Admin, audit: Audit, account: Path, ward: str
) -> None:
    def carriers() -> list[Carrier]:
        body = admin.get("Namespace", None, ward)
        assert body is not None
        return [look(admin, ward), seen(body, Scope.NAMESPACE)]

    wheres: list[tuple[str, str | None, str]] = [(DEPLOYMENT, ward, "ward"), ("Namespace", None, ward)]
    mark = audit.mark()
    async with guarding(account) as register:
        for kind, namespace, name in wheres:
            engage(admin, namespace, name, kind=kind)
            for carrier in carriers():
                await register.keep(carrier, now())
                await register.conclude(carrier, outcome())
            with unlatched(admin, kind, namespace, name):
                admin.patch(kind, namespace, name, {"metadata": {"annotations": None}})
                for carrier in carriers():
                    await register.keep(carrier, now())
        release(admin, None, ward, kind="Namespace")
    requests = [request for request in audit.since(mark, GUARD_USER) if request.resource]
    assert [request for request in requests if request.code == 403] == []
    verb = ("meditrondeployments", "switch")  # asked about by the policies
    assert {(request.resource, request.verb) for request in requests} == granted() - {verb}


async def test_the_guard_may_put_a_stop_back_and_change_nothing_else(admin: Admin, account: Path, ward: str) -> None:
    guard = Admin(account)
    labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    wheres: list[tuple[str, str | None, str]] = [(DEPLOYMENT, ward, "ward"), ("Namespace", None, ward)]
    for where in wheres:
        assert "annotations of meditron.ai and nothing else" in refusal(guard, *where, labels)
        engage(admin, where[1], where[2], kind=where[0])
        alone = dict.fromkeys((names.KILL_SWITCH, names.KILL_REASON))
        assert "must first be requested" in refusal(guard, *where, {"metadata": {"annotations": alone}})
        release(admin, where[1], where[2], kind=where[0])


def granted() -> set[tuple[str, str]]:
    """(resource, verb) of the ClusterRole that is shipped."""
    objects = yaml.safe_load_all(BUNDLE.read_text())
    (role,) = [
        body
        for body in objects
        if (body["kind"], body["metadata"]["name"]) == ("ClusterRole", "meditron-guard-records")
    ]
    return {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
