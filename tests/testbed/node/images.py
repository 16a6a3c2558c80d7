"""The images that the testbed itself needs or offers."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.testbed.build import ensure_built
from tests.testbed.errors import TestbedError
from tests.testbed.layout import REPOSITORY
from tests.testbed.node.oci import Archive, Image, layer, write_archive
from tests.testbed.node.python_image import PROJECT, SITE, PythonImage
from tests.testbed.node.recipes import PAUSE

Progress = Callable[[str], None]


def pause(folder: Path, progress: Progress) -> Archive:
    """The container that holds a pod's namespaces."""
    program = ensure_built(PAUSE, progress) / "pause"
    content = layer({"/pause": program}, folder / "pause.layer")
    return write_archive(Image("pause", (content,), ("/pause",), user="65535:65535"), folder / "pause.tar", tag="1")


def operator(folder: Path, progress: Progress) -> Archive:
    """What operator/Dockerfile builds, by the same steps without Docker."""
    site = folder / "operator-site"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile")
    command = [*pip, "--no-deps", "--no-build-isolation", "--target", str(site), str(REPOSITORY)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise TestbedError(f"the operator's package does not build: {done.stderr.strip()}")
    image = PythonImage(
        name="meditron-operator",
        entrypoint=("/usr/bin/python3", "-m", "meditron_operator"),
        packages=(PROJECT,),
        files={SITE: site},
    )
    return image.build(folder, progress)


def engine(folder: Path, progress: Progress) -> Archive:
    """The double of text-generation-inference, in its place."""
    package = REPOSITORY / "tests"
    image = PythonImage(
        name="tgi-double",
        entrypoint=("/usr/bin/python3", "-m", "tests.doubles.tgi"),
        packages=("aiohttp",),
        files={
            f"{SITE}/tests/__init__.py": package / "__init__.py",
            f"{SITE}/tests/doubles/__init__.py": package / "doubles" / "__init__.py",
            f"{SITE}/tests/doubles/tgi": package / "doubles" / "tgi",
        },
        working_folder="/usr/src",
    )
    return image.build(folder, progress)
