"""Engaged while somebody works against it, or has what the guard needs: it goes off, and nothing comes up again."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.dynamic.exceptions import ForbiddenError

from tests.cluster.guard.afterwards import Afterwards, engage_and_mark
from tests.cluster.guard.told import asked, engaged, is_down, switch, switch_of, without
from tests.cluster.guard.unguarded import unguarded_by_admission
from tests.cluster.people import release
from tests.cluster.registers import stored
from tests.cluster.support import Admin, Manifest, condition, deployment
from tests.testbed import Testbed
from tests.testbed.errors import TestbedError
from tests.testbed.helm import helm
from tests.testbed.layout import LOOPBACK, Layout, Ports
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.cluster

KIND = "MeditronDeployment"
KEPT_OFF = "the kill switch keeps notes off"


def autoscaler(namespace: str, name: str) -> Manifest:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "meditron.ai/v1alpha1", "kind": KIND, "name": name},
            "minReplicas": 1,
            "maxReplicas": 4,
        },
    }


def is_refused(body: Manifest | None) -> bool:
    """The autoscaler wants more, and can't have it."""
    able = condition(body or {}, "AbleToScale")
    return able.get("reason") == "FailedUpdateScale" and KEPT_OFF in able["message"]


def scale_up(admin: Admin, namespace: str, name: str) -> None:
    """As `kubectl scale` does, of the deployment and of its StatefulSet."""
    for kind in (KIND, "StatefulSet"):
        with pytest.raises(ForbiddenError, match=KEPT_OFF):
            admin.resource(kind).scale.patch(
                name=name,
                namespace=namespace,
                body={"spec": {"replicas": 3}},
                content_type="application/merge-patch+json",
            )


@pytest.mark.guarantee("G2")
def test_an_autoscaler_and_somebody_who_scales(bed: Testbed, admin: Admin, namespace: str, notes: str) -> None:
    """The real controller, every 5 s, and `kubectl scale` all the time; then the autoscaler without any policy."""
    admin.create(autoscaler(namespace, notes))
    admin.wait("HorizontalPodAutoscaler", namespace, notes, is_in_charge)

    afterwards = engage_and_mark(admin, namespace, notes)
    admin.patch("HorizontalPodAutoscaler", namespace, notes, {"spec": {"minReplicas": 2}})

    def fought() -> bool:
        scale_up(admin, namespace, notes)
        return is_refused(admin.get("HorizontalPodAutoscaler", namespace, notes))

    wait_for("the autoscaler to be refused", fought, 30)
    assert is_down(admin, namespace, notes)
    engaged(admin, namespace, notes)

    with unguarded_by_admission(bed, admin, namespace):
        admin.wait(KIND, namespace, notes, lambda body: body is not None and body["spec"]["replicas"] == 2)
        admin.wait_settled(namespace, notes, "Stopped")
        assert is_down(admin, namespace, notes)
    assert afterwards.came_up(admin) == []


def is_in_charge(body: Manifest | None) -> bool:
    return condition(body or {}, "AbleToScale").get("status") == "True"


@pytest.fixture
def chart(namespace: str, tmp_path: Path) -> Path:
    """A user's own: one deployment, whose replicas and grace are values."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("{apiVersion: v2, name: ward, version: 1.0.0}")
    (tmp_path / "values.yaml").write_text("{replicas: 2, graceSeconds: 30}")
    body = deployment("notes", namespace, replicas="REPLICAS", shutdown={"graceSeconds": "GRACE"})
    text = yaml.safe_dump(body)
    text = text.replace("REPLICAS", "{{ .Values.replicas }}").replace("GRACE", "{{ .Values.graceSeconds }}")
    (tmp_path / "templates" / "notes.yaml").write_text(text)
    return tmp_path


@pytest.mark.guarantee("G2", "G5")
def test_a_helm_release_that_holds_the_deployment(bed: Testbed, admin: Admin, namespace: str, chart: Path) -> None:
    def run(verb: str, *words: str) -> str:
        return helm(bed, verb, "ward", *words, namespace=namespace)

    run("install", str(chart))
    run("upgrade", str(chart), "--set", "replicas=1")
    admin.wait_settled(namespace, "notes", "Ready")
    afterwards = engage_and_mark(admin, namespace, "notes")
    engaged(admin, namespace, "notes")
    admin.wait_settled(namespace, "notes", "Stopped")
    admin.wait(KIND, namespace, "notes", lambda body: "record" in switch_of(body))  # or else its write makes Helm fail

    for wanted in (
        ("upgrade", str(chart), "--set", "replicas=3"),
        ("upgrade", str(chart), "--set", "replicas=3", "--server-side=false"),
        ("rollback", "1"),
    ):
        with pytest.raises(TestbedError, match=KEPT_OFF):
            run(*wanted)
    with pytest.raises(TestbedError, match="its release must first be requested"):
        run("upgrade", str(chart), "--set", "replicas=1", "--server-side=false", "--force-replace")
    with pytest.raises(TestbedError, match="helm uninstall failed"):
        run("uninstall")
    assert admin.get(KIND, namespace, "notes") is not None
    run("upgrade", str(chart), "--set", "replicas=1,graceSeconds=20")  # changes nothing of the stop

    settled = admin.wait_settled(namespace, "notes", "Stopped")
    assert settled["spec"]["shutdown"]["graceSeconds"] == 20
    assert_still_off(admin, namespace, afterwards)


def assert_still_off(admin: Admin, namespace: str, afterwards: Afterwards) -> None:
    assert is_down(admin, namespace, "notes")
    assert switch(admin, namespace, "notes")["state"] == "Engaged"
    assert afterwards.came_up(admin) == []


@pytest.mark.guarantee("G5")
def test_its_namespace_is_deleted(admin: Admin, namespace: str, notes: str) -> None:
    """It hangs in Terminating, on purpose: what carries the switch stays."""
    afterwards = engage_and_mark(admin, namespace, notes)
    engaged(admin, namespace, notes)
    admin.delete("Namespace", None, namespace)

    admin.wait("Namespace", None, namespace, is_held)
    assert admin.get("StatefulSet", namespace, notes) is None
    assert_still_off(admin, namespace, afterwards)
    release(admin, namespace, notes)
    admin.delete(KIND, namespace, notes)


def is_held(body: Manifest | None) -> bool:
    told = condition(body or {}, "NamespaceDeletionContentFailure")
    return told.get("status") == "True" and "the kill switch is engaged" in told["message"]


@pytest.mark.guarantee("G5")
def test_it_is_deleted_and_made_again(admin: Admin, namespace: str, notes: str) -> None:
    """Refused while it is engaged itself; where the namespace is, what is made anew in it is born off."""
    afterwards = engage_and_mark(admin, namespace, notes)
    with pytest.raises(ForbiddenError, match="what carries it can't be deleted"):
        admin.delete(KIND, namespace, notes)
    engaged(admin, namespace, notes)
    afterwards_of_all = engage_and_mark(admin, namespace, namespace, kind="Namespace")
    with pytest.raises(ForbiddenError, match="what carries it can't be deleted"):
        admin.delete("Namespace", None, namespace)
    release(admin, namespace, notes)
    # Deleted before that is on record, it would count as never released, and be engaged again by its own.
    wait_for("the record of the release", lambda: "Release" in actions(admin, namespace), 30)

    admin.delete(KIND, namespace, notes)
    admin.wait_gone(KIND, namespace, notes)
    admin.create(deployment(notes, namespace))

    told = engaged(admin, namespace, notes, scope="namespace")
    assert told["mode"] == "halt"
    assert_still_off(admin, namespace, afterwards)
    assert_still_off(admin, namespace, afterwards_of_all)
    release(admin, None, namespace, kind="Namespace")


def actions(admin: Admin, namespace: str) -> list[str]:
    """Of the records, the oldest first."""
    return [str(record.action) for record in stored(admin, namespace)]


@contextmanager
def answering(port: int) -> Iterator[None]:
    """Another program has the port, and answers 200 to everything."""

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Not a word."""

    with http.server.ThreadingHTTPServer((LOOPBACK, port), Other) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()


def shows_figures(bed: Testbed) -> bool:
    try:
        return "meditron_guard_engaged" in asked(bed, "/metrics")
    except OSError:
        return False


@pytest.mark.guarantee("G3")
def test_another_program_has_the_port_of_its_figures(bed: Testbed, admin: Admin, namespace: str, notes: str) -> None:
    port = Ports.load(Layout(bed.directory)).guard
    bed.stop("guard")
    with without(bed, "operator"):
        with answering(port):
            bed.start_program("guard")
            engage_and_mark(admin, namespace, notes)
            engaged(admin, namespace, notes)
            assert is_down(admin, namespace, notes)
        wait_for("its figures, once the port is free", lambda: shows_figures(bed), 20)
