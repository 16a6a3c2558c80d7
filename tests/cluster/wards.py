"""Namespaces that a whole module shares."""

from collections.abc import Iterator
from contextlib import contextmanager

from meditron_operator import names
from tests.cluster.people import let_go
from tests.cluster.support import Admin, create_all, weights_volume


@contextmanager
def shared_ward(admin: Admin, name: str, **labels: str) -> Iterator[str]:
    """A namespace with a claim `weights`; at the end it goes, and first its pods, so that their GPUs are free."""
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    create_all(admin, weights_volume(name))
    yield name
    let_go(admin, name)
    # By hand, because the garbage collector learns of a new kind of owner twice a minute only.
    ours, background = names.DEPLOYMENT_LABEL, {"propagationPolicy": "Background"}
    admin.resource("StatefulSet").delete(namespace=name, label_selector=ours, body=background)
    for pod in admin.list("Pod", name):
        admin.wait_gone("Pod", name, pod["metadata"]["name"], 60)
    admin.delete("Namespace", None, name)
    admin.delete("PersistentVolume", None, f"{name}-weights")
