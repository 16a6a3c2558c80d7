"""Records against everybody: every write path, by every account, and how one is purged when its time is over."""

import copy
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from kubernetes.dynamic.exceptions import DynamicApiError

from meditron_operator import names
from meditron_operator.core.killswitch.records import Record, next_record, outcome_of
from meditron_operator.core.killswitch.records.due import Entry, due
from tests.cluster.attacks.actors import ACTORS, ROLES, Actor, binding, bindings
from tests.cluster.attacks.attack import APPLY, JSON_PATCH, MERGE, STRATEGIC, Attack, edited, fixed, metadata
from tests.cluster.attacks.run import Attackers, Attempt, Outcome
from tests.cluster.attacks.world import Place, moment
from tests.cluster.registers import GUARD_USER
from tests.cluster.support import Admin, Manifest
from tests.testbed import Testbed
from tests.testbed.waiting import wait_for
from tests.unit.records.kit import ENGAGED, NOON, carrier, outcome

pytestmark = pytest.mark.cluster

KIND, POLICY, MARK = names.RECORD_KIND, "meditron-records", names.PURGE_REQUESTED_AT
KEEPER: Final = Actor("record keeper", "keeper", ("meditron-record-keeper",), person=False)
GUARD: Final = Actor("guard", GUARD_USER, person=False)
EVERYBODY: Final = (*ACTORS.values(), KEEPER, GUARD)
GONE: Final = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "00000000-0000-0000-0000-000000000000"}


def record(namespace: str, number: int = 1, **changes: Any) -> Manifest:
    """As the guard would write it."""
    here = carrier(ENGAGED, namespace=namespace)
    before = [Record(namespace=namespace, name=f"kill-{number - 1:06}", spec={"hash": "0" * 64})] if number > 1 else []
    entry = due(here, [])
    assert isinstance(entry, Entry)
    body = next_record(entry, here, NOON, before)
    body["metadata"] |= changes
    return body


def as_user(admin: Admin, user: str) -> Admin:
    """With this user's own rights, unlike `as_person`."""
    other = Admin(admin.kubeconfig)
    other.api.set_default_header("Impersonate-User", user)
    return other


@pytest.fixture(scope="module")
def attackers(bed: Testbed) -> Attackers:
    bed.apply([*bindings(), *(binding(KEEPER, role) for role in KEEPER.roles)])
    return Attackers(bed)


@pytest.fixture
def guard(admin: Admin) -> Admin:
    return as_user(admin, GUARD_USER)


@pytest.fixture
def keeper(admin: Admin, attackers: Attackers) -> Admin:
    return as_user(admin, KEEPER.user)


@pytest.fixture
def place(admin: Admin, guard: Admin, namespace: str, attackers: Attackers) -> Place:
    """A namespace with one record, whose outcome is final. It stays when the test is over: nobody can delete it."""
    body = record(namespace)
    stored = guard.create(body)
    seal(guard, Record.of(stored))
    return Place("namespace", namespace, {key: body[key] for key in ("apiVersion", "kind", "metadata")})


def seal(guard: Admin, stored: Record) -> None:
    guard.resource(KIND).status.patch(
        name=stored.name,
        namespace=stored.namespace,
        body={"status": outcome_of(stored, outcome())},
        content_type=MERGE,
    )


class Policy:
    """The policy for records, as it is shipped or changed: how old one must be to be purged, and which rules count."""

    def __init__(self, admin: Admin, place: Place) -> None:
        self._admin = admin
        self._place = place
        policy = admin.get("ValidatingAdmissionPolicy", None, POLICY)
        assert policy is not None
        self._spec: Manifest = policy["spec"]
        self._changed = False

    @property
    def messages(self) -> list[str]:
        return [rule["message"] for rule in self._spec["validations"]]

    def at_once(self) -> None:
        """Let records be purged that are new."""
        self.change(True, "", lambda: not self._refused())

    def as_shipped(self) -> None:
        if self._changed:
            self.change(False, "", lambda: "is kept for 2190 days" in self._refused())

    def change(self, overdue: bool, without: str, in_force: Callable[[], bool]) -> None:
        """Write it, `without` the rule of that message, and wait until that shows."""
        spec = copy.deepcopy(self._spec)
        for variable in spec["variables"]:
            if overdue:
                variable["expression"] = variable["expression"].replace("duration('52560h')", "duration('0h')")
        spec["validations"] = [rule for rule in spec["validations"] if rule["message"] != without]
        self._changed = True
        self._admin.patch("ValidatingAdmissionPolicy", None, POLICY, {"spec": spec})
        wait_for(f"the policy to be in force, without: {without or 'nothing'}", in_force, 30)

    def _refused(self) -> str:
        """What is said to the mark of a purge: asked of a record that is there."""
        return refused(lambda: mark(self._admin, self._place.namespace, "kill-000001", dry_run="All"))


@pytest.fixture
def policy(admin: Admin, place: Place) -> Iterator[Policy]:
    policy = Policy(admin, place)
    yield policy
    policy.as_shipped()


def mark(admin: Admin, namespace: str, name: str, **options: Any) -> None:
    admin.patch(KIND, namespace, name, {"metadata": {"annotations": {MARK: moment()}}}, **options)


def refused(request: Callable[[], Any]) -> str:
    """What the server says to it; nothing where it lets it through."""
    try:
        request()
    except DynamicApiError as error:
        return str(error.summary())  # type: ignore[no-untyped-call]
    return ""


def attacks(where: Place) -> Iterator[Attack]:
    """All ways to write to a record that is there, and to make one."""
    collection = f"/apis/{names.API_VERSION}/namespaces/{where.namespace}/killrecords"
    path = f"{collection}/kill-000001"
    status = f"{path}/status"

    def patch(name: str, body: Any, content: str = MERGE, **more: Any) -> Attack:
        return Attack(name, where, "PATCH", path, body if callable(body) else fixed(body), content, **more)

    changed = {"spec": {"reason": "none"}}
    yield Attack("create", where, "POST", collection, fixed(record(where.namespace, 2)), entitled=frozenset({"guard"}))
    yield from malformed(where, collection)
    yield patch("merge patch", changed)
    yield patch("JSON patch", [{"op": "replace", "path": "/spec/reason", "value": "none"}], JSON_PATCH)
    yield patch("JSON patch: remove", [{"op": "remove", "path": "/spec/reason"}], JSON_PATCH)
    yield patch("strategic merge patch", changed, STRATEGIC)
    forced = {"fieldManager": "attacker", "force": "true"}
    applied = {**where.carrier, "metadata": {"name": "kill-000001"}}
    yield patch("apply, forced", {**applied, **changed}, APPLY, query=forced)
    made = fixed(record(where.namespace, 3))
    one = frozenset({"guard"})
    yield Attack(
        "apply that makes one", where, "PATCH", f"{collection}/kill-000003", made, APPLY, query=forced, entitled=one
    )
    yield Attack("put", where, "PUT", path, edited(lambda body: body["spec"].update(reason="none")), live=path)
    yield patch("labels", metadata(labels={"x": "y"}))
    yield patch("annotation", metadata(annotations={"x": "y"}))
    yield patch("finalizers", metadata(finalizers=["example.com/hold"]))
    yield patch("owner", metadata(ownerReferences=[GONE]))
    yield patch("marked at once", metadata(annotations={MARK: moment()}))
    yield patch("marked for later", metadata(annotations={MARK: "2099-01-01T00:00:00Z"}))
    yield patch("marked with nonsense", metadata(annotations={MARK: "x"}))
    yield from forged(where, path)
    lesser = {"status": {"secondsToStop": 0.1}}
    loose = f"{collection}/kill-000002/status"
    yield Attack(
        "status of one that has none", where, "PATCH", loose, fixed(lesser), MERGE, entitled=frozenset({"guard"})
    )
    yield Attack("status: merge patch", where, "PATCH", status, fixed(lesser), MERGE)
    yield Attack("status: taken away", where, "PATCH", status, fixed({"status": None}), MERGE)
    without = edited(lambda body: body.pop("status"))
    yield Attack("status: put without it", where, "PUT", status, without, live=path)
    yield Attack("status: apply, forced", where, "PATCH", status, fixed({**applied, **lesser}), APPLY, query=forced)
    for policy in ("Background", "Foreground", "Orphan"):
        yield Attack(f"delete, {policy}", where, "DELETE", path, query={"propagationPolicy": policy})
    yield Attack("delete, grace 0", where, "DELETE", path, query={"gracePeriodSeconds": "0"})
    yield Attack("deletecollection", where, "DELETE", collection)
    boss = {"Impersonate-User": "boss", "Impersonate-Group": "system:masters"}
    yield Attack("impersonation, delete", where, "DELETE", path, headers=boss)


def malformed(where: Place, collection: str) -> Iterator[Attack]:
    """What not even the guard may create."""
    made = record(where.namespace, 2)
    shapes = {
        "another name": record(where.namespace, 2, name="kill-000003"),
        "a second name of the number": record(where.namespace, 2, name="kill-0000002"),
        "any name": record(where.namespace, 2, name="record"),
        "another namespace": {**made, "spec": {**made["spec"], "namespace": "elsewhere"}},
        "an owner": record(where.namespace, 2, ownerReferences=[GONE]),
        "a finalizer": record(where.namespace, 2, finalizers=["example.com/hold"]),
        "the mark of a purge": record(where.namespace, 2, annotations={MARK: moment()}),
    }
    for name, body in shapes.items():
        yield Attack(f"create with {name}", where, "POST", collection, fixed(body))


def forged(where: Place, path: str) -> Iterator[Attack]:
    """Marked as of 2099, with entries of managedFields that say so too: one, or so many that old ones are merged."""
    fields: Manifest = {"f:metadata": {"f:annotations": {".": {}, f"f:{MARK}": {}}}, "f:spec": {"f:reason": {}}}

    def entries(*managers: str) -> list[Manifest]:
        entry = {
            "operation": "Update", "apiVersion": names.API_VERSION, "time": "2099-01-01T00:00:00Z",
            "fieldsType": "FieldsV1", "fieldsV1": fields,
        }  # fmt: skip
        return [{**entry, "manager": manager} for manager in managers]

    def marked(body: Manifest, forgery: list[Manifest], keep: bool) -> None:
        meta = body["metadata"]
        meta["annotations"] = {MARK: "2099-01-01T00:00:00Z"}
        meta["managedFields"] = [*(meta["managedFields"] if keep else []), *forgery]

    many = entries(*(f"m{number}" for number in range(12)))
    shapes = {"one": entries("m"), "many": many, "none": [{}]}
    for name, forgery in shapes.items():
        for keep in (True, False):
            change = edited(lambda body, forgery=forgery, keep=keep: marked(body, forgery, keep))  # type: ignore[misc]
            words = f"marked for 2099, {name} forged{', beside the true ones' if keep else ''}"
            yield Attack(words, where, "PUT", path, change, live=path, query={"fieldManager": "m0"})


@pytest.mark.guarantee("G10")
def test_nobody_gets_through(attackers: Attackers, place: Place, admin: Admin, guard: Admin) -> None:
    guard.create(record(place.namespace, 2))
    everything = [
        Attempt(attack, actor)
        for attack in attacks(place)
        for actor in EVERYBODY
        if actor.name not in attack.entitled and (actor.person or not attack.headers)
    ]
    before = admin.list(KIND, place.namespace)
    results = attackers.run(everything)
    print(f"{len(results)} attempts")
    assert len(results) > 500
    wrong = {Outcome.BREACH, Outcome.FAILED, Outcome.NO_EFFECT}
    bad = [(r.attempt.attack.name, r.attempt.actor.name, r.message) for r in results if r.outcome in wrong]
    assert bad == []
    assert [result.message for result in results if "resulted in error" in result.message] == []
    # Those who hold all rights are stopped by the policies or by the rules of the definition.
    mighty = [r for r in results if r.attempt.actor.name == "cluster-admin" and r.outcome is not Outcome.POLICY]
    assert {r.attempt.attack.name for r in mighty if "is never changed" not in r.message} == {"strategic merge patch"}
    assert admin.list(KIND, place.namespace) == before


# A rule by its words, and what gets through without it: which attack, by whom, on a record whose time is over or not.
RULES: Final = [
    ("records of the kill switch are written by", "create", "cluster-admin", False),
    ("named after its number", "create with a second name of the number", "guard", False),
    ("no annotations, finalizers or owners", "create with an owner", "guard", False),
    ("the outcome of a stop is written by", "status of one that has none", "cluster-admin", False),
    ("an outcome is never changed", "status: taken away", "guard", False),
    ("may mark a record", "marked at once", "generic-garbage-collector", True),
    ("a record is never changed; whoever", "labels", "cluster-admin", False),
    ("must be the time of now", "marked for 2099, one forged, beside the true ones", "cluster-admin", False),
    ("none can be marked before", "marked at once", "record keeper", False),
    ("only who holds the verb purge may delete", "delete, Background", "generic-garbage-collector", True),
    ("is set first, and it can be deleted", "delete, Background", "cluster-admin", False),
]


@pytest.mark.parametrize(("words", "name", "actor", "overdue"), RULES)
def test_every_rule_is_needed(
    attackers: Attackers, guard: Admin, keeper: Admin, place: Place, policy: Policy, words: str, name: str, actor: str,
    overdue: bool,
) -> None:  # fmt: skip
    assert len(RULES) == len(policy.messages)
    (message,) = [message for message in policy.messages if words in message]
    if "status of" in name:
        guard.create(record(place.namespace, 2))
    (attack,) = [attack for attack in attacks(place) if attack.name == name]
    (who,) = [each for each in EVERYBODY if each.name == actor]
    if overdue:
        policy.at_once()
        if attack.method == "DELETE":
            mark(keeper, place.namespace, "kill-000001")

    def outcome() -> Outcome:
        return attackers.one(Attempt(attack, who), dry=True).outcome

    assert outcome() is Outcome.POLICY
    policy.change(overdue, message, lambda: outcome() is Outcome.BREACH)


def test_the_guard_tells_an_outcome_once(admin: Admin, guard: Admin, place: Place) -> None:
    stored = guard.create(record(place.namespace, 2))
    seal(guard, Record.of(stored))
    body = admin.get(KIND, place.namespace, "kill-000002")
    assert body is not None
    assert Record.of(body).outcome is not None


def test_purged_when_its_time_is_over(admin: Admin, keeper: Admin, place: Place, policy: Policy, guard: Admin) -> None:
    guard.create(record(place.namespace, 2))

    def gone() -> str:
        return refused(lambda: keeper.delete(KIND, place.namespace, "kill-000002"))

    assert "a record is kept for 2190 days" in refused(lambda: mark(keeper, place.namespace, "kill-000002"))
    policy.at_once()
    assert "purge-requested-at is set first" in gone()
    mark(keeper, place.namespace, "kill-000002")
    policy.as_shipped()  # the mark is proof of its date, not a permission for ever
    assert "a record is kept for 2190 days" in gone()
    policy.at_once()
    other = {"metadata": {"labels": {"x": "y"}}}
    assert "never changed" in refused(lambda: keeper.patch(KIND, place.namespace, "kill-000002", other))
    assert "verb purge" in refused(lambda: unentitled(admin).delete(KIND, place.namespace, "kill-000002"))
    assert gone() == ""
    admin.wait_gone(KIND, place.namespace, "kill-000002")


def test_a_write_that_changes_nothing_passes(admin: Admin, place: Place) -> None:
    """As when the stored objects are moved to another version of the API."""
    before = admin.list(KIND, place.namespace)
    admin.resource(KIND).replace(body=before[0], namespace=place.namespace)
    assert admin.list(KIND, place.namespace) == before


def unentitled(admin: Admin) -> Admin:
    """Who may delete anything, and holds no verb of ours: the garbage collector."""
    return as_user(admin, "system:serviceaccount:kube-system:generic-garbage-collector")


def test_a_deletion_in_the_foreground_comes_to_its_end(
    admin: Admin, guard: Admin, keeper: Admin, place: Place, policy: Policy
) -> None:
    """The garbage collector must be let take its own finalizer."""
    guard.create(record(place.namespace, 2))
    policy.at_once()
    mark(keeper, place.namespace, "kill-000002")
    body = {"propagationPolicy": "Foreground"}
    keeper.resource(KIND).delete(name="kill-000002", namespace=place.namespace, body=body)
    admin.wait_gone(KIND, place.namespace, "kill-000002", 90)


def test_a_namespace_ends_when_the_time_of_its_records_is_over(
    admin: Admin, guard: Admin, keeper: Admin, policy: Policy
) -> None:
    """Until then it stays, and says why."""
    name = "of-yore"
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    guard.create(record(name))
    admin.delete("Namespace", None, name)
    waits = admin.wait("Namespace", None, name, lambda body: "is kept for 2190 days" in str(body), 60)
    assert waits is not None
    assert admin.get(KIND, name, "kill-000001") is not None
    policy.at_once()
    mark(keeper, name, "kill-000001")
    admin.wait_gone("Namespace", None, name, 120)


def test_everybody_with_a_role_reads_them(admin: Admin, place: Place) -> None:
    for actor in (*(ACTORS[f"meditron-{role}"] for role in ROLES), KEEPER):
        found = as_user(admin, actor.user).list(KIND, place.namespace)
        assert [body["metadata"]["name"] for body in found] == ["kill-000001"], actor.name
