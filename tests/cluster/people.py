"""The people of the kill switch: who engages, who releases, who resumes."""

from datetime import UTC, datetime

from kubernetes.dynamic.exceptions import DynamicApiError

from meditron_operator import names
from tests.cluster.support import Admin, Manifest

DEPLOYMENT = names.KIND


def as_person(admin: Admin, user: str) -> Admin:
    """A second connection that speaks as this person, who may do everything."""
    person = Admin(admin.kubeconfig)
    person.api.set_default_header("Impersonate-User", user)
    person.api.set_default_header("Impersonate-Group", "system:masters")
    return person


def annotate(admin: Admin, kind: str, namespace: str | None, name: str, **changes: str | None) -> Manifest:
    """`kubectl annotate`, with `kill_switch` for meditron.ai/kill-switch; None takes one away."""
    annotations = {f"{names.GROUP}/{key.replace('_', '-')}": value for key, value in changes.items()}
    return admin.patch(kind, namespace, name, {"metadata": {"annotations": annotations}})


def engage(admin: Admin, namespace: str | None, name: str, mode: str = "halt", kind: str = DEPLOYMENT) -> None:
    annotate(admin, kind, namespace, name, kill_switch=mode, kill_reason="wrong dose suggested")


def release(admin: Admin, namespace: str | None, name: str, kind: str = DEPLOYMENT) -> None:
    """Rita requests, Paul approves: afterwards it is off, and not engaged."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    afresh = {"release_approved_by": None, "resume": None}
    asked = {"release_requested_by": "rita", "release_requested_at": now, **afresh}
    annotate(as_person(admin, "rita"), kind, namespace, name, **asked)
    gone = dict.fromkeys(("kill_switch", "kill_reason", "kill_ticket", "killed_by"))
    annotate(as_person(admin, "paul"), kind, namespace, name, release_approved_by="paul", **gone)


def resume(admin: Admin, namespace: str | None, name: str, kind: str = DEPLOYMENT) -> None:
    annotate(as_person(admin, "rosa"), kind, namespace, name, resume="rosa")


def tell(admin: Admin, namespace: str, name: str, state: str, mode: str, **more: str) -> None:
    """What a guard would have told of a stop of one deployment: none runs beside these tests."""
    known = {"state": state, "mode": mode, "scope": "deployment", "reason": "wrong dose suggested", **more}
    status = admin.resource(DEPLOYMENT).status
    merge = "application/merge-patch+json"
    status.patch(name=name, namespace=namespace, body={"status": {"killSwitch": known}}, content_type=merge)


def let_go(admin: Admin, namespace: str) -> None:
    """Delete all deployments of a namespace, which an engaged one is kept from."""
    for body in admin.list(DEPLOYMENT, namespace):
        name = body["metadata"]["name"]
        if names.KILL_SWITCH in body["metadata"].get("annotations", {}):
            release(admin, namespace, name)
        admin.delete(DEPLOYMENT, namespace, name)


def refusal(admin: Admin, kind: str, namespace: str | None, name: str, body: Manifest) -> str:
    """What the server says to a patch that it must refuse."""
    try:
        admin.patch(kind, namespace, name, body)
    except DynamicApiError as refused:
        return str(refused.summary())  # type: ignore[no-untyped-call]
    raise AssertionError(f"{kind} {name} was patched")
