"""What the operator knows of Kopf's own watches."""

from yarl import URL

from meditron_operator.shell.extent import Reach
from meditron_operator.shell.overheard import Overheard

BASE = URL("https://api/apis/meditron.ai/v1alpha1")
EVERYWHERE = Reach(operator_namespace="o")
TWO = Reach(operator_namespace="o", namespaces=("a", "b"))


def overheard(reach: Reach, *urls: URL) -> Overheard:
    moments = iter(range(1, 100))
    found = Overheard(reach, lambda: float(next(moments)))
    for url in urls:
        found.answered("GET", url)
    return found


def kopfs(namespace: str, **query: str) -> URL:
    scope = BASE / "namespaces" / namespace if namespace else BASE
    return (scope / "meditrondeployments").with_query(query)


def test_each_place_is_heard_of_by_itself() -> None:
    found = overheard(TWO, kopfs("a"), kopfs("b"), kopfs("a", watch="true"))
    assert found.heard(shut=()) == {"a": 3.0, "b": 2.0}
    assert found.heard(shut={"b"}) == {"a": 3.0}
    assert not found.relisted.is_set()
    found.answered("GET", kopfs("b"))
    assert found.relisted.is_set()


def test_what_is_none_of_kopfs_is_passed_over() -> None:
    ours = (extent.params for extent in overheard(EVERYWHERE).extents)
    foreign = (kopfs("c"), BASE / "killrecords", kopfs("", **next(ours)))
    found = overheard(EVERYWHERE, *foreign)
    found.answered("PATCH", kopfs(""))
    assert found.heard(shut=()) == {"": None}
