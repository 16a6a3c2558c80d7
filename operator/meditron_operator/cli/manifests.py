"""MeditronDeployments in a file."""

from collections.abc import Mapping
from typing import Any

from meditron_operator import names
from meditron_operator.cli.errors import BadInput
from meditron_operator.cli.files import read_documents

Deployment = Mapping[str, Any]
"""A MeditronDeployment in wire form: metadata with a name, and a spec."""


def read_deployments(path: str) -> list[Deployment]:
    """The MeditronDeployments among the objects of a file; others are left out. Raises BadInput."""
    found = [_checked(path, item) for item in read_documents(path) if item.get("kind") == names.KIND]
    if not found:
        raise BadInput(f"{path}: holds no {names.KIND} ({names.API_VERSION})")
    return found


def read_deployment(path: str) -> Deployment:
    """The one MeditronDeployment of a file. Raises BadInput."""
    found = read_deployments(path)
    if len(found) > 1:
        named = ", ".join(str(item["metadata"]["name"]) for item in found)
        raise BadInput(f"{path}: holds {len(found)} of {names.KIND} ({named}): plan one at a time")
    return found[0]


def _checked(path: str, item: Deployment) -> Deployment:
    if item.get("apiVersion") != names.API_VERSION:
        raise BadInput(f"{path}: apiVersion of a {names.KIND} is {item.get('apiVersion')!r}, not {names.API_VERSION}")
    metadata = item.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise BadInput(f"{path}: a {names.KIND} without metadata.name")
    if not isinstance(item.get("spec"), dict):
        raise BadInput(f"{path}: {names.KIND} {metadata['name']} has no spec")
    return item
