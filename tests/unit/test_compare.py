"""A child that is right costs no write; one that is not is put right as a whole."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from meditron_operator.core.compare import matches, settle, updated
from meditron_operator.core.live import Live
from meditron_operator.core.render.meta import Manifest
from tests.unit.kit import child, children, live, stored

EVERYTHING = children({"replicas": 2})
IDS = [f"{item['kind']} {item['metadata']['name']}" for item in EVERYTHING]

Change = Callable[[dict[str, Any]], Any]


def changed(manifest: Manifest, change: Change) -> Live:
    """What is in the cluster after somebody's hand."""
    obj = stored(manifest)
    change(obj)
    return Live.of(obj["kind"], obj)


def container(obj: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = obj["spec"]["template"]["spec"]["containers"][0]
    return found


@pytest.mark.parametrize("manifest", EVERYTHING, ids=IDS)
def test_what_the_server_returns_matches(manifest: Manifest) -> None:
    assert matches(manifest, live(manifest), None)


@pytest.mark.parametrize("manifest", EVERYTHING, ids=IDS)
def test_others_may_add_labels_annotations_and_finalizers(manifest: Manifest) -> None:
    def add(obj: dict[str, Any]) -> None:
        obj["metadata"]["labels"]["theirs"] = "x"
        obj["metadata"]["annotations"] = {"theirs": "y"}
        obj["metadata"]["finalizers"] = ["theirs/z"]

    found = changed(manifest, add)
    assert matches(manifest, found, None)
    sent = updated(manifest, found)["metadata"]
    assert sent["labels"]["theirs"] == "x"
    assert sent["annotations"] == {"theirs": "y"}
    assert sent["finalizers"] == ["theirs/z"]


BY_HAND: list[tuple[str, str, Change]] = [
    ("StatefulSet", "ward", lambda obj: container(obj)["env"].append({"name": "X", "value": "y"})),
    ("StatefulSet", "ward", lambda obj: container(obj)["env"][0].update(value="changed")),
    ("StatefulSet", "ward", lambda obj: container(obj)["env"].pop()),
    ("StatefulSet", "ward", lambda obj: container(obj).update(image="evil@sha256:" + "1" * 64)),
    ("StatefulSet", "ward", lambda obj: container(obj)["securityContext"].update(privileged=True)),
    ("StatefulSet", "ward", lambda obj: container(obj)["volumeMounts"][0].pop("readOnly")),
    ("StatefulSet", "ward", lambda obj: obj["spec"].update(replicas=5)),
    ("StatefulSet", "ward", lambda obj: obj["spec"]["template"]["spec"].update(hostNetwork=True)),
    ("StatefulSet", "ward", lambda obj: obj["spec"]["template"]["spec"]["containers"].append({"name": "side"})),
    ("StatefulSet", "ward", lambda obj: obj["spec"]["template"]["metadata"].update(annotations={"a": "b"})),
    ("Service", "ward", lambda obj: obj["spec"]["ports"].append({"name": "x", "port": 9})),
    ("Service", "ward", lambda obj: obj["spec"]["ports"][0].update(port=9)),
    ("Service", "ward", lambda obj: obj["spec"].update(type="NodePort")),
    ("Service", "ward", lambda obj: obj["spec"].update(externalIPs=["1.2.3.4"])),
    ("Service", "ward", lambda obj: obj["spec"]["selector"].update(app="other")),
    ("Service", "ward-pods", lambda obj: obj["spec"].update(publishNotReadyAddresses=False)),
    ("NetworkPolicy", "ward-deny", lambda obj: obj["spec"].update(ingress=[{}])),
    ("NetworkPolicy", "ward-deny", lambda obj: obj["spec"]["policyTypes"].remove("Egress")),
    ("NetworkPolicy", "ward-allow", lambda obj: obj["spec"]["ingress"][0].pop("from")),
    ("NetworkPolicy", "ward-allow", lambda obj: obj["spec"]["podSelector"]["matchLabels"].update(x="y")),
    ("PodDisruptionBudget", "ward", lambda obj: obj["spec"].update(maxUnavailable=2)),
    ("ServiceAccount", "ward", lambda obj: obj.update(automountServiceAccountToken=True)),
    ("StatefulSet", "ward", lambda obj: obj["metadata"]["labels"].pop("meditron.ai/deployment")),
    ("StatefulSet", "ward", lambda obj: obj["metadata"]["labels"].update({"app.kubernetes.io/name": "x"})),
    ("StatefulSet", "ward", lambda obj: obj["metadata"].pop("ownerReferences")),
    ("StatefulSet", "ward", lambda obj: obj["metadata"]["ownerReferences"][0].update(controller=False)),
    ("StatefulSet", "ward", lambda obj: obj["metadata"]["ownerReferences"][0].update(uid="other")),
]


@pytest.mark.parametrize(("kind", "name", "change"), BY_HAND)
def test_a_change_by_hand_is_seen_and_undone(kind: str, name: str, change: Change) -> None:
    manifest = child(EVERYTHING, kind, name)
    found = changed(manifest, change)
    assert not matches(manifest, found, None)
    sent = updated(manifest, found)
    assert sent["metadata"]["uid"] == found.uid
    assert sent["metadata"]["resourceVersion"] == found.resource_version == "7"
    assert matches(manifest, Live.of(kind, stored(sent, 8)), None)


@pytest.mark.parametrize("name", ["ward", "ward-pods"])
def test_a_service_keeps_the_address_that_the_server_gave_it(name: str) -> None:
    manifest = child(EVERYTHING, "Service", name)
    found = changed(manifest, lambda obj: obj["spec"].update(sessionAffinity="ClientIP"))
    spec = updated(manifest, found)["spec"]
    for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        assert spec[field] == found.body["spec"][field]
    assert spec["sessionAffinity"] == "None"


def test_a_headless_service_that_got_an_address_does_not_match() -> None:
    manifest = child(EVERYTHING, "Service", "ward-pods")
    assert not matches(manifest, changed(manifest, lambda obj: obj["spec"].update(clusterIP="10.0.0.1")), None)


def test_what_a_platform_links_to_a_service_account_stays() -> None:
    manifest = child(EVERYTHING, "ServiceAccount")
    linked = {"secrets": [{"name": "ward-token"}], "imagePullSecrets": [{"name": "registry"}]}
    found = changed(manifest, lambda obj: obj.update(linked))
    assert matches(manifest, found, None)
    assert updated(manifest, found).items() >= linked.items()


@pytest.mark.parametrize("manifest", EVERYTHING, ids=IDS)
def test_an_update_changes_neither_of_its_inputs(manifest: Manifest) -> None:
    found = live(manifest)
    before = copy.deepcopy((manifest, found))
    updated(manifest, found)["metadata"]["labels"]["x"] = "y"
    assert (manifest, found) == before


def defaulted_by_a_newer_server(obj: dict[str, Any]) -> None:
    obj["spec"]["template"]["spec"]["newField"] = "default"


def test_a_server_that_adds_fields_is_not_written_to_for_ever() -> None:
    manifest = child(EVERYTHING, "StatefulSet")
    returned = changed(manifest, defaulted_by_a_newer_server)
    assert not matches(manifest, returned, None)
    known = settle(manifest, returned)
    assert matches(manifest, returned, known)


def test_a_settled_form_hides_no_change_by_hand_and_no_new_wish() -> None:
    manifest = child(EVERYTHING, "StatefulSet")
    returned = changed(manifest, defaulted_by_a_newer_server)
    known = settle(manifest, returned)

    def both(obj: dict[str, Any]) -> None:
        defaulted_by_a_newer_server(obj)
        obj["spec"]["replicas"] = 5

    assert not matches(manifest, changed(manifest, both), known)
    assert not matches(child(children({"replicas": 3}), "StatefulSet"), returned, known)
