"""Every child of eleven deployments, to the byte: `inputs/<case>.yaml` becomes `<case>.yaml`."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from meditron_operator.core.assess import Accepted, Surroundings, assess
from meditron_operator.core.killswitch import Scope, effective
from meditron_operator.core.observed import Node
from meditron_operator.core.render import Site, desired
from meditron_operator.core.render.meta import Manifest, Owner

HERE = Path(__file__).parent
CASES = sorted(path.stem for path in (HERE / "inputs").glob("*.yaml"))


def read(case: str) -> dict[str, Any]:
    given: dict[str, Any] = yaml.safe_load((HERE / "inputs" / f"{case}.yaml").read_text(encoding="utf-8"))
    return given


def children(given: dict[str, Any]) -> list[Manifest]:
    metadata = given["metadata"]
    around = Surroundings(nodes=tuple(map(Node.of, given.get("nodes", ()))))
    verdict = assess(metadata["name"], given["spec"], None, around)
    assert isinstance(verdict, Accepted), verdict
    owner = Owner(name=metadata["name"], namespace="clinical-ai", uid="00000000-0000-4000-8000-000000000000")
    off = effective({Scope.DEPLOYMENT: metadata.get("annotations") or {}})
    site = Site(operator_namespace="meditron-system", image=verdict.image, stopped=off is not None)
    return desired(owner, verdict.sized, site)


def text(manifests: list[Manifest]) -> str:
    return str(yaml.safe_dump_all(manifests, explicit_start=True, width=120))


def turned_around(value: Any) -> Any:
    """The same YAML with the keys of every mapping in the opposite order."""
    if isinstance(value, dict):
        return {key: turned_around(value[key]) for key in reversed(value)}
    return [turned_around(item) for item in value] if isinstance(value, list) else value


def test_no_case_is_left_over() -> None:
    assert sorted(path.stem for path in HERE.glob("*.yaml")) == CASES


@pytest.mark.parametrize("case", CASES)
def test_children_are_as_reviewed(case: str, *, update_golden: bool) -> None:
    expected = HERE / f"{case}.yaml"
    rendered = text(children(read(case)))
    if update_golden:
        expected.write_text(rendered, encoding="utf-8")
    assert rendered == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES)
def test_rendering_again_gives_the_same_bytes(case: str) -> None:
    assert text(children(read(case))) == text(children(read(case)))


@pytest.mark.parametrize("case", CASES)
def test_order_of_keys_in_the_spec_does_not_matter(case: str) -> None:
    given = read(case)
    assert text(children(turned_around(given))) == text(children(given))
