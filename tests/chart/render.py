"""`make manifests`: the files that are made from others, and never edited by hand."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tests.chart.reference import reference
from tests.testbed.programs import find

ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "charts" / "meditron-operator"
CRDS: Final = ROOT / "crds"
BUNDLE: Final = ROOT / "manifests" / "install.yaml"
STAMP: Final = ROOT / "manifests" / "stamp-kubernetes-1.36.yaml"
DASHBOARD: Final = ROOT / "manifests" / "dashboards" / "meditron.json"
DOCS: Final = ROOT / "docs"
NAMESPACE: Final = "meditron-system"
# Nobody has published an image yet: whoever installs the bundle puts the digest of their own here.
PLACEHOLDER_IMAGE: Final = "registry.example.com/meditron-operator@sha256:" + "0" * 64

_HEADER: Final = """\
# Everything that the operator needs, rendered from charts/meditron-operator by `make manifests`.
# Before you apply it, put your own image in the place of registry.example.com/meditron-operator.
"""


_STAMP_HEADER: Final = """\
# For Kubernetes >= 1.36, beside install.yaml: the API server writes down who engaged a kill switch.
# Rendered from charts/meditron-operator by `make manifests`.
"""


def generated() -> Mapping[Path, str]:
    """The content of every generated file, by its path."""
    copies = {CHART / "crds" / crd.name: crd.read_text() for crd in sorted(CRDS.glob("*.yaml"))}
    references = {
        DOCS / f"api-{crd.stem}.md": reference(yaml.safe_load(crd.read_text())) for crd in sorted(CRDS.glob("*.yaml"))
    }
    dashboard = (CHART / "files" / "dashboard.json").read_text()
    return copies | references | {BUNDLE: bundle(), STAMP: stamp(), DASHBOARD: dashboard}


def bundle() -> str:
    """Namespace, CRDs and the rendered chart in one file."""
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }
    crds = [yaml.safe_load(crd.read_text()) for crd in sorted(CRDS.glob("*.yaml"))]
    return _HEADER + _documents([namespace, *crds, *_bodies("--kube-version", "1.30.0")])


def stamp() -> str:
    """What only newer servers know."""
    older, newer = (_bodies("--kube-version", version) for version in ("1.30.0", "1.36.0"))
    return _STAMP_HEADER + _documents([body for body in newer if body not in older])


def _bodies(*arguments: str) -> list[dict[str, Any]]:
    return [body for body in yaml.safe_load_all(template(*arguments)) if body]


def _documents(bodies: list[dict[str, Any]]) -> str:
    return "---\n" + yaml.dump_all(bodies, Dumper=_Plain, sort_keys=False, width=120)


def template(*arguments: str, tests: bool = False) -> str:
    """The chart's own output, on request with what `helm test` makes. Raises CalledProcessError with Helm's words in
    `stderr`."""
    image = f"image.reference={PLACEHOLDER_IMAGE}"
    command = [str(find("helm")), "template", "meditron-operator", str(CHART), "--namespace", NAMESPACE]
    left_out = () if tests else ("--skip-tests",)
    done = subprocess.run([*command, "--set", image, *left_out, *arguments], check=True, capture_output=True, text=True)
    return done.stdout


class _Plain(yaml.SafeDumper):
    """Repeats what is repeated: anchors in a bundle help nobody."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def main() -> None:
    """Write what differs."""
    for path, content in generated().items():
        if not path.exists() or path.read_text() != content:
            path.write_text(content)


if __name__ == "__main__":
    main()
