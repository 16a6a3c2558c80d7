"""Everything that has to be built before a node can start at once."""

from collections.abc import Callable
from pathlib import Path

from tests.testbed.build import ensure_built
from tests.testbed.node.cilium import TOOLS
from tests.testbed.node.python_image import PROJECT, Environment, PythonRoot
from tests.testbed.node.recipes import CILIUM, CNI_PLUGINS, CONTAINERD, PAUSE, RUNC
from tests.testbed.node.requirements import lacking
from tests.testbed.programs import find_all

_FOUND = ("kubelet", "kube-proxy", "nft", "helm", *TOOLS)


def build_node(progress: Callable[[str], None]) -> dict[str, Path]:
    """Find or build it; nothing where no node can run."""
    if lacking(cilium=True):
        return {}
    built = {recipe.name: ensure_built(recipe, progress) for recipe in (CONTAINERD, RUNC, CNI_PLUGINS, PAUSE, CILIUM)}
    root = ensure_built(PythonRoot(), progress)
    built["python-root"] = root
    for packages in ((PROJECT,), ("aiohttp",)):  # the operator's, and the engine double's
        site = ensure_built(Environment(packages, (root / "version").read_text()), progress)
        built[f"python-site of {packages[0]}"] = site
    return find_all(_FOUND, progress) | built
