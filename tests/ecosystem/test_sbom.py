"""The bill of materials names what is in the image, and nothing else."""

import json
import re

from tests.testbed.node.python_image import PROJECT, locked
from tests.testbed.sbom import bill


def test_every_package_is_in_it_with_its_hashes() -> None:
    text = bill(print)
    found = json.loads(text)

    assert found["bomFormat"] == "CycloneDX"
    assert found["metadata"]["component"]["name"] == PROJECT
    wanted = {re.split(r"[ ;\\]", entry)[0] for entry in locked((PROJECT,))}
    assert {f"{part['name']}=={part['version']}" for part in found["components"]} == wanted
    for part in found["components"]:
        hashes = [each for reference in part["externalReferences"] for each in reference.get("hashes", [])]
        assert any(each["alg"] == "SHA-256" for each in hashes), part["name"]
    assert bill(print) == text
