"""The command `render`: what the operator would make of a manifest, by the operator's own code."""

import sys
from dataclasses import dataclass

import yaml

from meditron_operator.cli.clusters import read_cluster
from meditron_operator.cli.errors import BadInput
from meditron_operator.cli.manifests import Deployment, read_deployments
from meditron_operator.core.assess import DOES_NOT_FIT, EMPTY, NO_GPU_NODES, Surroundings, assess
from meditron_operator.core.killswitch import engaged
from meditron_operator.core.render import Site, desired
from meditron_operator.core.render.meta import Manifest, Owner
from meditron_operator.core.spec import SpecError

RENDERED, NOT_RENDERED = 0, 1
"""Exit codes; 2 is bad input."""

_NO_UID = ""  # the API server gives one to the object when it is created


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What an installation decides and a manifest doesn't say."""

    operator_namespace: str
    engine_image: str | None
    namespace: str
    """For manifests that name none."""
    nodes: str | None
    """File with the nodes that `gpu.type: auto` chooses from."""


def render(filename: str, place: Place) -> int:
    """Print the children of every MeditronDeployment in a file; the exit code. Raises BadInput."""
    code, cluster = RENDERED, EMPTY if place.nodes is None else read_cluster(place.nodes)
    for deployment in read_deployments(filename):
        children = _children(filename, deployment, place, cluster)
        if children is None:
            code = NOT_RENDERED
            continue
        yaml.safe_dump_all(children, sys.stdout, explicit_start=True, sort_keys=False, width=120)
    return code


def _children(filename: str, deployment: Deployment, place: Place, cluster: Surroundings) -> list[Manifest] | None:
    """All children; None when the model does not fit, which is said on standard error."""
    metadata = deployment["metadata"]
    verdict = assess(metadata["name"], deployment["spec"], place.engine_image, cluster)
    if isinstance(verdict, SpecError):
        line = f"{filename}: {metadata['name']}: {verdict.message}"
        if verdict.reason == NO_GPU_NODES:
            raise BadInput(f"{line}; name the nodes to choose from with --nodes")
        if verdict.reason != DOES_NOT_FIT:
            raise BadInput(line)
        sys.stderr.write(f"meditron: {line}\n")
        return None
    owner = Owner(
        name=metadata["name"],
        namespace=metadata.get("namespace") or place.namespace,
        uid=metadata.get("uid") or _NO_UID,
    )
    site = Site(operator_namespace=place.operator_namespace, image=verdict.image, stopped=engaged(metadata) is not None)
    return [_without_unknown_owner(child) for child in desired(owner, verdict.sized, site)]


def _without_unknown_owner(child: Manifest) -> Manifest:
    """Before the object exists its uid is not known, and an owner reference without one is none."""
    metadata = child["metadata"]
    if metadata["ownerReferences"][0]["uid"] != _NO_UID:
        return child
    return child | {"metadata": {key: value for key, value in metadata.items() if key != "ownerReferences"}}
