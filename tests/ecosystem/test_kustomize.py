"""An overlay over manifests/ changes the image, and nothing else."""

import os
import subprocess
from pathlib import Path

import yaml

from tests.chart.render import BUNDLE, PLACEHOLDER_IMAGE
from tests.testbed.programs import find

OURS = "registry.hospital.example/meditron-operator@sha256:" + "1" * 64


def test_an_overlay_brings_its_own_image(tmp_path: Path) -> None:
    name, digest = OURS.split("@")
    image = {"name": PLACEHOLDER_IMAGE.split("@", maxsplit=1)[0], "newName": name, "digest": digest}
    base = os.path.relpath(BUNDLE.parent, tmp_path)
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({"resources": [base], "images": [image]}))

    done = subprocess.run(
        [str(find("kubectl")), "kustomize", str(tmp_path)], capture_output=True, text=True, check=True
    )

    made = {_key(body): body for body in yaml.safe_load_all(done.stdout)}
    shipped = yaml.safe_load_all(BUNDLE.read_text().replace(PLACEHOLDER_IMAGE, OURS))
    assert made == {_key(body): body for body in shipped}
    assert done.stdout.count(OURS) == 2  # operator and guard


def _key(body: dict[str, dict[str, str]]) -> tuple[str, str]:
    return str(body["kind"]), body["metadata"]["name"]
