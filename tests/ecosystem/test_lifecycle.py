"""Upgrade, roll back and uninstall with models there, a running one and stopped ones, in whatever order."""

import shutil
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from meditron_operator import names
from tests.chart.render import CHART
from tests.cluster.guard.told import engaged
from tests.cluster.people import engage
from tests.cluster.support import Admin, create_all, deployment, weights_volume
from tests.ecosystem.standin import StandIn
from tests.ecosystem.traces import traces
from tests.ecosystem.walkthrough import Reader, Step, StepError
from tests.testbed.install import NAMESPACE
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.cluster

IMAGES: Final = {number: f"registry.example.com/meditron-operator@sha256:{str(number) * 64}" for number in (1, 2)}
DELETE_BUNDLE: Final = (
    "kubectl delete --ignore-not-found --selector app.kubernetes.io/name=meditron-operator "
    "-f manifests/install.yaml -f manifests/stamp-kubernetes-1.36.yaml"
)
GOODBYE: Final = "kubectl delete md --all --all-namespaces && kubectl delete -f crds/ --timeout=60s"


def test_an_upgrade_and_a_rollback_restart_no_model(
    reader: Reader, admin: Admin, standin: StandIn, tmp_path: Path
) -> None:
    typed(reader, f"helm install {helm_words(earlier(tmp_path), IMAGES[1])} --create-namespace")
    standin.keep_up()
    standin.wait_admitting()
    ward(admin, "ward-a", running="notes", stopped="triage")
    before = pods(admin, "ward-a")
    assert set(before) == {"notes-0"}

    typed(reader, f"helm upgrade {helm_words(CHART, IMAGES[2])}")
    assert image_of(admin, names.GUARD_NAME) == IMAGES[2]
    goes_on(admin, standin, before)

    typed(reader, f"helm rollback meditron-operator --namespace {NAMESPACE} --wait")
    assert image_of(admin, names.GUARD_NAME) == IMAGES[1]
    goes_on(admin, standin, before)


def goes_on(admin: Admin, standin: StandIn, before: dict[str, tuple[str, int]]) -> None:
    """With operator and guard replaced the running model is the same, and the stopped one is off."""
    standin.replace()
    admin.wait_settled("ward-a", "notes", "Ready")
    assert engaged(admin, "ward-a", "triage")
    assert pods(admin, "ward-a") == before


def test_everything_in_the_wrong_order(reader: Reader, admin: Admin, standin: StandIn) -> None:
    """From the definitions to the operator's own namespace: refused, or done, and never hanging for ever."""
    typed(reader, f"helm install {helm_words(CHART, IMAGES[1])} --create-namespace")
    standin.keep_up()
    standin.wait_admitting()
    ward(admin, "ward-a", running="notes", stopped="triage")
    ward(admin, "ward-b", running="letters", stopped="coding")
    before = pods(admin, "ward-a")

    refused(reader, "kubectl delete -f crds/", "uninstall the chart first")
    refused(reader, "kubectl delete md --all -n ward-b", "the kill switch is engaged")
    assert admin.get(names.KIND, "ward-b", "letters") is None  # the running one did go
    typed(reader, "kubectl delete namespace ward-b --wait=false")
    typed(reader, f"kubectl delete namespace {NAMESPACE} --timeout=90s")
    standin.keep_up()
    refused(reader, f"helm uninstall meditron-operator -n {NAMESPACE}", "not found")
    refused(reader, "kubectl delete md triage -n ward-a", "the kill switch is engaged")
    refused(reader, "kubectl delete -f crds/", "uninstall the chart first")
    assert admin.get(names.KIND, "ward-b", "coding") is not None
    assert records(admin, "ward-b")
    assert records(admin, "ward-a")

    typed(reader, DELETE_BUNDLE)

    assert pods(admin, "ward-a") == before  # the running one serves on, the stopped one stays off
    assert records(admin, "ward-a")
    admin.wait_gone("Namespace", None, "ward-b", 90)
    wait_for("the policies to be forgotten", lambda: said(reader, GOODBYE), 30)
    assert traces(admin) == []
    for claim in ("ward-a", "ward-b"):
        assert admin.get("PersistentVolume", None, f"{claim}-weights") is not None
    assert admin.get("PersistentVolumeClaim", "ward-a", "weights") is not None


def helm_words(chart: Path, image: str) -> str:
    """Release, chart and settings of an installation or an upgrade."""
    return f"meditron-operator {chart} --namespace {NAMESPACE} --set image.reference={image} --wait"


def earlier(folder: Path) -> Path:
    """The chart as a version before it: none was published yet, so it differs in its number alone."""
    chart = folder / "earlier"
    shutil.copytree(CHART, chart)
    facts = yaml.safe_load((chart / "Chart.yaml").read_text())
    (chart / "Chart.yaml").write_text(yaml.safe_dump(facts | {"version": "0.0.9", "appVersion": "0.0.9"}))
    return chart


def ward(admin: Admin, namespace: str, running: str, stopped: str) -> None:
    """A namespace with weights, a model that serves, and one whose stop is proven and recorded."""
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    create_all(admin, weights_volume(namespace))
    for name in (running, stopped):
        admin.create(deployment(name, namespace, replicas=int(name == running)))
    admin.wait_settled(namespace, running, "Ready", 90)
    engage(admin, namespace, stopped)
    engaged(admin, namespace, stopped)
    wait_for("the record of the stop", lambda: records(admin, namespace), 30)


def records(admin: Admin, namespace: str) -> list[dict[str, Any]]:
    return admin.list(names.RECORD_KIND, namespace)


def pods(admin: Admin, namespace: str) -> dict[str, tuple[str, int]]:
    """Of models: identity and restarts, by name."""
    found = {}
    for pod in admin.list("Pod", namespace, names.DEPLOYMENT_LABEL):
        restarts = sum(state["restartCount"] for state in pod["status"].get("containerStatuses", []))
        found[pod["metadata"]["name"]] = (pod["metadata"]["uid"], restarts)
    return found


def image_of(admin: Admin, name: str) -> str:
    found = admin.get("Deployment", NAMESPACE, name)
    assert found is not None
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


def typed(reader: Reader, command: str) -> str:
    return reader.type(Step(command, None))


def said(reader: Reader, command: str) -> bool:
    """Whether it could be done."""
    try:
        typed(reader, command)
    except StepError:
        return False
    return True


def refused(reader: Reader, command: str, words: str) -> None:
    with pytest.raises(StepError, match=words):
        typed(reader, command)
