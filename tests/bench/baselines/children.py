"""The children that every baseline makes: rendered once by the product, so that only the machinery differs."""

import json
from pathlib import Path
from typing import Any, Final

from meditron_operator.core.assess import Accepted, assess
from meditron_operator.core.render import Site, desired
from meditron_operator.core.render.meta import Owner
from tests.cluster.support import deployment
from tests.testbed.install import NAMESPACE

Manifest = dict[str, Any]

NAME: Final = "placeholder-name"
SPACE: Final = "placeholder-space"
VARIABLE: Final = "CHILDREN"
"""The environment variable with the path of the file."""


def write(file: Path) -> Path:
    """A JSON list of manifests with placeholders for the deployment's name and namespace, and without owners."""
    verdict = assess(NAME, deployment(NAME, SPACE, replicas=0)["spec"], None)
    assert isinstance(verdict, Accepted)
    site = Site(operator_namespace=NAMESPACE, image=verdict.image, stopped=False)
    manifests = desired(Owner(name=NAME, namespace=SPACE, uid=""), verdict.sized, site)
    for each in manifests:
        del each["metadata"]["ownerReferences"]
    file.write_text(json.dumps(manifests))
    return file


def read(text: str, owner: Manifest) -> list[Manifest]:
    """The children of one deployment."""
    meta = owner["metadata"]
    manifests: list[Manifest] = json.loads(text.replace(NAME, meta["name"]).replace(SPACE, meta["namespace"]))
    reference = {
        "apiVersion": "meditron.ai/v1alpha1",
        "kind": "MeditronDeployment",
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": False,
    }
    for each in manifests:
        each["metadata"]["ownerReferences"] = [reference]
    return manifests


def status(generation: int) -> Manifest:
    """What a baseline reports."""
    return {"phase": "Idle", "observedGeneration": generation}
