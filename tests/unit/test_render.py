"""Laws of the rendered children."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meditron_operator import names
from meditron_operator.core.render.meta import Manifest, Owner
from meditron_operator.core.render.quantity import quantity
from tests.unit.kit import DIGEST, OWNER, child, children

PEER = {"namespace": "ward-apps", "podLabels": {"app": "notes"}}
VARIANTS: dict[str, dict[str, Any]] = {
    "one client": {},
    "nobody": {"network": {}},
    "monitoring only": {"network": {"monitoring": PEER}},
    "many": {"network": {"clients": [PEER, PEER | {"namespace": "b"}], "monitoring": PEER}, "replicas": 3},
    "image volume": {"model.source": {"image": {"reference": "r.example/w" + DIGEST}}},
    "root": {"engine.runAsNonRoot": False},
    "rocm": {"gpu.type": "MI300X"},
    "none": {"replicas": 0},
}
ALL = [(changes, stopped) for changes in VARIANTS.values() for stopped in (False, True)]
every = pytest.mark.parametrize(
    ("changes", "stopped"), ALL, ids=[f"{name}{', stopped' * stop}" for name in VARIANTS for stop in (0, 1)]
)


def pod_spec(manifests: list[Manifest]) -> dict[str, Any]:
    found: dict[str, Any] = child(manifests, "StatefulSet")["spec"]["template"]["spec"]
    return found


@every
def test_no_rule_admits_everybody(changes: dict[str, Any], *, stopped: bool) -> None:
    """A rule without `from`, an empty `from`, a peer without pods or without a namespace: each is a door."""
    policies = [item for item in children(changes, stopped=stopped) if item["kind"] == "NetworkPolicy"]
    assert policies
    for policy in policies:
        assert policy["spec"]["podSelector"]["matchLabels"] == {"meditron.ai/deployment": OWNER.name}
        assert not policy["spec"].get("egress")
        for rule in policy["spec"].get("ingress", []):
            assert rule["from"]
            assert [port["port"] for port in rule["ports"]] == [8080]
            for peer in rule["from"]:
                assert peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
                assert peer["podSelector"]["matchLabels"]


@every
def test_the_deny_shuts_both_directions_always(changes: dict[str, Any], *, stopped: bool) -> None:
    spec = child(children(changes, stopped=stopped), "NetworkPolicy", "ward-deny")["spec"]
    assert sorted(spec["policyTypes"]) == ["Egress", "Ingress"]
    assert "ingress" not in spec
    assert "egress" not in spec


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_stopped_takes_pods_and_clients_and_nothing_else(changes: dict[str, Any]) -> None:
    running, stopped = children(changes), children(changes, stopped=True)
    assert child(stopped, "StatefulSet")["spec"].pop("replicas") == 0
    child(running, "StatefulSet")["spec"].pop("replicas")
    assert stopped == [item for item in running if item["metadata"]["name"] != "ward-allow"]


def test_an_allow_policy_only_where_somebody_is_named() -> None:
    def present(changes: dict[str, Any]) -> bool:
        return any(item["metadata"]["name"] == "ward-allow" for item in children(changes))

    assert [name for name, changes in VARIANTS.items() if not present(changes)] == ["nobody"]


@every
def test_every_child_belongs_to_the_deployment(changes: dict[str, Any], *, stopped: bool) -> None:
    for item in children(changes, stopped=stopped):
        metadata = item["metadata"]
        (reference,) = metadata["ownerReferences"]
        assert (reference["kind"], reference["name"], reference["uid"]) == (names.KIND, OWNER.name, OWNER.uid)
        assert reference["controller"] is True
        assert reference["blockOwnerDeletion"] is False
        assert metadata["namespace"] == OWNER.namespace
        assert metadata["labels"]["meditron.ai/deployment"] == OWNER.name
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "meditron-operator"


@every
def test_pod_security_restricted(changes: dict[str, Any], *, stopped: bool) -> None:
    spec = pod_spec(children(changes, stopped=stopped))
    (container,) = spec["containers"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    context = container["securityContext"]
    assert context["allowPrivilegeEscalation"] is context["privileged"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert context["capabilities"] == {"drop": ["ALL"]}
    as_root = changes.get("engine.runAsNonRoot") is False
    assert (context.get("runAsNonRoot"), spec["securityContext"].get("runAsNonRoot")) == (
        (None, None) if as_root else (True, True)
    )
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys()
    kinds = {key for volume in spec["volumes"] for key in volume} - {"name"}
    assert kinds <= {"emptyDir", "persistentVolumeClaim", "image"}


@every
def test_pods_have_no_rights_and_no_names_of_neighbours(changes: dict[str, Any], *, stopped: bool) -> None:
    manifests = children(changes, stopped=stopped)
    spec = pod_spec(manifests)
    assert spec["automountServiceAccountToken"] is spec["enableServiceLinks"] is False
    assert child(manifests, "ServiceAccount")["automountServiceAccountToken"] is False


@every
def test_weights_are_read_only_and_all_else_is_bounded(changes: dict[str, Any], *, stopped: bool) -> None:
    spec = pod_spec(children(changes, stopped=stopped))
    (container,) = spec["containers"]
    weights = next(volume for volume in spec["volumes"] if volume["name"] == "weights")
    assert weights.get("persistentVolumeClaim", {"readOnly": True})["readOnly"] is True
    writable = [mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
    assert "weights" not in writable
    for volume in spec["volumes"]:
        assert volume["name"] not in writable or volume["emptyDir"]["sizeLimit"]


@every
def test_gpus_and_memory_are_exact(changes: dict[str, Any], *, stopped: bool) -> None:
    resources = pod_spec(children(changes, stopped=stopped))["containers"][0]["resources"]
    assert "cpu" not in resources["limits"]
    assert {key: value for key, value in resources["requests"].items() if key != "cpu"} == resources["limits"]
    assert len([key for key in resources["limits"] if key.endswith("/gpu")]) == 1


@pytest.mark.parametrize(("replicas", "budgets"), [(0, 0), (1, 0), (2, 1), (9, 1)])
def test_a_disruption_budget_from_two_replicas_on(replicas: int, budgets: int) -> None:
    found = [item for item in children({"replicas": replicas}) if item["kind"] == "PodDisruptionBudget"]
    assert len(found) == budgets


DNS_LABELS = st.from_regex(r"\A[a-z]([-a-z0-9]{0,61}[a-z0-9])?\Z").filter(lambda name: len(name) <= 63)
LONG = st.from_regex(r"\A[a-z][-a-z0-9]{50,61}[a-z0-9]\Z")
SUFFIXES = ("", names.DENY_SUFFIX, names.ALLOW_SUFFIX, names.OPERATE_SUFFIX, names.HEADLESS_SUFFIX)


@given(DNS_LABELS | LONG)
def test_names_of_children_are_labels(name: str) -> None:
    for suffix in SUFFIXES:
        made = names.child_name(name, suffix)
        assert len(made) <= 63
        assert made[0].isalpha()
        assert made[-1] != "-"
        assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert len(names.child_name(name)) + len("-0123456789") <= 63, "room for the revision hash"
    assert len({names.child_name(name, suffix) for suffix in SUFFIXES}) == len(SUFFIXES)


@given(DNS_LABELS | LONG, DNS_LABELS | LONG)
def test_distinct_deployments_have_distinct_children(one: str, other: str) -> None:
    """But for one pair of names, which test_decide holds: ward-pods is taken by ward."""
    if one == other:
        return
    taken = {names.child_name(one, suffix) for suffix in SUFFIXES}
    wanted = {names.child_name(other, suffix) for suffix in SUFFIXES}
    shared = {names.child_name(name, names.HEADLESS_SUFFIX) for name in (one, other)}
    assert taken & wanted <= shared


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_shared_long_beginning_does_not_matter(one: int, other: int) -> None:
    names_ = {names.child_name(f"{'a' * 55}{number:07d}") for number in (one, other)}
    assert len(names_) == len({one, other})


UNITS = {"Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


# Of the numbers below 2**50 few are round; a strategy of its own makes round ones
ROUND = st.builds(
    lambda count, unit: count * unit, st.integers(1, 1023), st.sampled_from([2**n for n in range(20, 41)])
)


@given(st.integers(1, 2**50 - 1) | ROUND)
def test_quantities_are_canonical(size_bytes: int) -> None:
    text = quantity(size_bytes)
    number, unit = int(text[:-2]), text[-2:]
    written = number * UNITS[unit]
    assert size_bytes <= written < size_bytes + 2**20
    assert quantity(written) == text
    larger = [factor for factor in UNITS.values() if factor > UNITS[unit]]
    assert all(written % factor for factor in larger)


def test_an_owner_is_all_that_the_children_know_of_each_other() -> None:
    other = Owner(name="icu", namespace="clinical-ai", uid="other-uid")
    mine = {(item["kind"], item["metadata"]["name"]) for item in children()}
    theirs = {(item["kind"], item["metadata"]["name"]) for item in children(owner=other)}
    assert not mine & theirs
