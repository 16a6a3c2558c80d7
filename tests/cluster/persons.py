"""People at the command line, each with the rights of one role and a kubeconfig of their own."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from tests.cluster.people import DEPLOYMENT
from tests.cluster.support import Admin, Manifest
from tests.unit.cli.running import Done

RBAC: Final = "rbac.authorization.k8s.io"
ROLES: Final = {
    "anna": "meditron-stopper",
    "rita": "meditron-releaser",
    "paul": "meditron-release-approver",
    "vera": "meditron-viewer",
}
WHY: Final = ("--reason", "wrong dose suggested")


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


People = Callable[[str], Person]


def ended(program: "subprocess.Popen[str]") -> Done:
    out, err = program.communicate(timeout=90)
    assert "Traceback" not in err, err
    return Done(program.returncode, out, err)


def stopped(done: Done) -> Done:
    """Nothing of it is there any more; that may be proven, where a guard runs."""
    assert done.code in (0, 3), done
    assert "STOPPED" in done.out
    assert "NOT STOPPED" not in done.out
    return done


def person(user: str, admins: Path, namespace: str, folder: Path) -> Person:
    """Whose name begins with `root` may do all."""
    config = yaml.safe_load(admins.read_text(encoding="utf-8"))
    groups = {"as-groups": ["system:masters"]} if user.startswith("root") else {}
    config["users"][0]["user"] |= {"as": user, **groups}
    config["contexts"][0]["context"]["namespace"] = namespace
    path = folder / user
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return Person(path)


def binding(kind: str, user: str, role: str, namespace: str | None = None) -> Manifest:
    meta = {"name": f"{user}-{role}"} | ({} if namespace is None else {"namespace": namespace})
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": meta,
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "User", "apiGroup": RBAC, "name": user}],
    }


def annotations(admin: Admin, namespace: str | None, name: str, kind: str = DEPLOYMENT) -> dict[str, str]:
    body = admin.get(kind, namespace, name)
    assert body is not None
    return dict(body["metadata"].get("annotations") or {})
