"""The operator as its users run it: from its image, installed by the real Helm, in a pod of the real node."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.testbed.bed import Testbed
from tests.testbed.cluster import read_manifests
from tests.testbed.helm import helm
from tests.testbed.install import NAMESPACE
from tests.testbed.layout import REPOSITORY, Layout, Ports
from tests.testbed.node import images

CHART = REPOSITORY / "charts" / "meditron-operator"
SMALL = Path(__file__).with_name("small.yaml")
Progress = Callable[[str], None]


def install_operator(bed: Testbed, progress: Progress) -> str:
    """Returns the operator's image once its pod is ready. The namespace enforces Pod Security `restricted`."""
    assert bed.node is not None
    with tempfile.TemporaryDirectory(dir=bed.directory) as scratch:
        progress("building the operator's image")
        archive = images.operator(Path(scratch), progress)
        progress("loading it into the node")
        image = bed.node.load(archive)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    bed.apply([space, *read_manifests(SMALL)])
    progress("helm install")
    ports = f"networkPolicy.apiServerPorts={{443,{Ports.load(Layout(bed.directory)).api}}}"
    # Without the guard: these tests show what the operator does alone.
    settings = (f"image.reference={image}", "networkPolicy.enabled=true", "guard.enabled=false", ports)
    options = [word for setting in settings for word in ("--set", setting)]
    helm(bed, "install", "meditron-operator", str(CHART), *options, "--wait")
    # Else its garbage collector learns of the new kind only at its next look for such, up to 30 s later.
    bed.kill("kube-controller-manager")
    bed.start_program("kube-controller-manager")
    return image


def load_engine(bed: Testbed, progress: Progress) -> str:
    """The name of the engine double's image in the node."""
    assert bed.node is not None
    with tempfile.TemporaryDirectory(dir=bed.directory) as scratch:
        return bed.node.load(images.engine(Path(scratch), progress))
