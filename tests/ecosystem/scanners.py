"""Runs the scanners over a folder of manifests."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tests.hardening.waivers import Finding
from tests.testbed.build import ensure_built
from tests.testbed.layout import REPOSITORY
from tests.testbed.programs import find
from tests.testbed.pythontools import CHECKS, run_module

_NAMED: Final = re.compile(r"""(?:\bof |^)(\w+) ['"]([^'"]+)""")
_DEFINITIONS: Final = "/api/_definitions.json"  # in the schemas, which can lie anywhere
_FINE: Final = 10  # kube-score's best grade


def kube_score(folder: Path) -> Iterator[Finding]:
    """What kube-score grades below its best."""
    command = [str(find("kube-score")), "score", "--output-format", "json", *map(str, sorted(folder.glob("*.yaml")))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for scored in json.loads(done.stdout):
        target = f"{scored['type_meta']['kind']}/{scored['object_meta']['name']}"
        for check in scored["checks"]:
            if check["grade"] < _FINE and not check["skipped"]:
                for comment in check["comments"]:
                    yield Finding("kube-score", f"{check['check']['id']}: {comment['summary']}", target)


def checkov(folder: Path) -> Iterator[Finding]:
    """What checkov's rules for Kubernetes and for Dockerfiles fail."""
    options = ("--framework", "kubernetes", "dockerfile", "--output", "json", "--compact", "--quiet", "--skip-download")
    done = run_module(ensure_built(CHECKS, print), "checkov.main", "-d", str(folder), *options, cwd=folder)
    for report in json.loads(done.stdout):
        for failed in report["results"]["failed_checks"]:
            yield Finding("checkov", failed["check_id"], _target(report["check_type"], failed["resource"]))


def trivy(folder: Path) -> Iterator[Finding]:
    """What Trivy's rules for Kubernetes and for Dockerfiles fail; the rules are those that it was built with."""
    options = ("--skip-check-update", "--format", "json", "--quiet", "--cache-dir", str(folder / "cache"))
    command = [str(find("trivy")), "config", *options, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    for scanned in json.loads(done.stdout)["Results"]:
        for failed in scanned.get("Misconfigurations", []):
            yield Finding("trivy", failed["ID"], _named_in(failed["Message"]))


def _named_in(message: str) -> str:
    """`Container 'x' of Deployment 'name' should …` is Deployment/name; who names nothing means the image."""
    named = _NAMED.findall(message)
    if not named:
        return "Dockerfile"
    kind, name = named[-1]
    return f"{kind[0].upper()}{kind[1:]}/{name}"


def _target(framework: str, resource: str) -> str:
    """`Deployment.namespace.name` is Deployment/name; of an image there is one file."""
    if framework == "dockerfile":
        return "Dockerfile"
    kind, _, name = resource.split(".", 2)
    return f"{kind}/{name}"


SCANNERS: Final[Mapping[str, Callable[[Path], Iterator[Finding]]]] = {
    "kube-score": kube_score,
    "checkov": checkov,
    "trivy": trivy,
}


def complaints(folder: Path, objects: list[dict[str, Any]], version: str) -> str:
    """What kubernetes-validate finds in objects for a Kubernetes of that version; empty when nothing."""
    file = folder / "objects.yaml"
    file.write_text(yaml.safe_dump_all(objects))
    done = run_module(
        ensure_built(CHECKS, print), "kubernetes_validate", "-k", version, "--strict", str(file), cwd=folder
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def misfits(folder: Path, objects: list[dict[str, Any]], version: str) -> str:
    """What kubeconform finds in objects for a Kubernetes of that version, empty when nothing: by the schemas that
    kubernetes-validate brings, and in ours by our CRDs."""
    schemas, file = folder / "schemas", folder / "objects.yaml"
    schemas.mkdir()
    for name, schema in (*_their_schemas(version), *_our_schemas()):
        (schemas / name).write_text(json.dumps(schema))
    file.write_text(yaml.safe_dump_all(objects))
    places = ("-schema-location", str(schemas / "{{.ResourceKind}}{{.KindSuffix}}.json"))
    command = [str(find("kubeconform")), "-strict", *places, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def _their_schemas(version: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each by the name of its file. Without the address that each gives itself, where its references would lead to."""
    brought = ensure_built(CHECKS, print) / "kubernetes_validate" / "kubernetes-json-schema"
    for file in (brought / f"v{version}-local-strict").glob("*.json"):
        schema = json.loads(file.read_text().replace(_DEFINITIONS, _DEFINITIONS.rpartition("/")[2]))
        schema.pop("$id", None)
        yield file.name, schema


def _our_schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in (REPOSITORY / "crds").glob("*.yaml"):
        spec = yaml.safe_load(file.read_text())["spec"]
        for version in spec["versions"]:
            yield f"{spec['names']['singular']}-meditron-{version['name']}.json", version["schema"]["openAPIV3Schema"]
