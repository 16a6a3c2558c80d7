"""The engine's image without root: its user and its folders are those of the pods that the operator makes."""

import re
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
RECIPE: Final = (ROOT / "operator" / "images" / "tgi-nonroot" / "Dockerfile").read_text(encoding="utf-8")
GOLDEN: Final = ROOT / "tests" / "golden" / "7b-1xl4.yaml"


def pod() -> dict[str, Any]:
    bodies = yaml.safe_load_all(GOLDEN.read_text(encoding="utf-8"))
    (template,) = (body["spec"]["template"] for body in bodies if body["kind"] == "StatefulSet")
    return dict(template["spec"])


def test_the_user_and_the_folders_are_those_of_the_pod() -> None:
    context = pod()["securityContext"]
    user, group = re.findall(r"^USER (\d+):(\d+)$", RECIPE, re.MULTILINE)[-1]
    assert (int(user), int(group)) == (context["runAsUser"], context["runAsGroup"])
    (container,) = pod()["containers"]
    env = {variable["name"]: variable.get("value") for variable in container["env"]}
    stated = dict(word.split("=") for line in re.findall(r"^ENV (.+)$", RECIPE, re.MULTILINE) for word in line.split())
    assert stated.items() <= env.items()
    assert "/usr/src/out" in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_it_is_made_of_what_the_builder_names_and_of_nothing_else() -> None:
    assert re.findall(r"^FROM (.+)$", RECIPE, re.MULTILINE) == ["${TGI}"]
    assert re.findall(r"^ARG (.+)$", RECIPE, re.MULTILINE) == ["TGI", "TGI"]  # without a default: nobody's tag slips in
    assert not re.search(r"^(ADD|COPY)|https?:|\b(apt-get|pip|curl|wget)\b", RECIPE, re.MULTILINE)
