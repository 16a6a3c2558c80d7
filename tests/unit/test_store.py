"""The store behind a watch: news may overtake each other, ghosts must not stay."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meditron_operator.shell.extent import Extent
from meditron_operator.shell.store import Both, Store, replace_all
from tests.unit.apiserver import thing

Item = tuple[str, Any]


class Changes(list[str]):
    """Names of what a store called changed."""

    def __call__(self, item: Item) -> None:
        self.append(item[0])


def store(changes: Changes | None = None) -> Store[Item]:
    """Keeps name and spec, groups by spec.owner, has no interest in spec.boring."""
    return Store[Item](
        lambda obj: None if obj["spec"].get("boring") else (obj["metadata"]["name"], obj["spec"]),
        lambda item: item[1].get("owner"),
        changes if changes is not None else Changes(),
    )


def names(found: Store[Item]) -> list[str]:
    return sorted(name for name, _ in found.all())


KEY = ("ns", "a")


def test_only_real_changes_are_told() -> None:
    changes = Changes()
    found = store(changes)
    found.put(thing("a", 1, x=1))
    found.put(thing("a", 2, x=1))
    found.put(thing("a", 3, x=2))
    found.drop(thing("a", 4))
    found.drop(thing("a", 4))
    assert changes == ["a", "a", "a"]


def test_who_wrote_is_not_told_neither_by_the_answer_nor_by_its_echo() -> None:
    changes = Changes()
    found = store(changes)
    found.put(thing("a", 1, x=1), quiet=True)
    found.put(thing("a", 1, x=1))
    assert (changes, found.get(KEY)) == ([], ("a", {"x": 1}))
    found.put(thing("a", 2, x=2))
    assert changes == ["a"]


def test_older_news_is_left_out() -> None:
    found = store()
    found.put(thing("a", 5, x=5))
    found.put(thing("a", 4, x=4))
    assert found.get(KEY) == ("a", {"x": 5})
    found.put(thing("a", 10, x=10))
    found.put(thing("a", 9, x=9))
    assert found.get(KEY) == ("a", {"x": 10}), "versions are numbers, not text"


def test_the_same_version_may_come_twice() -> None:
    """The answer to a write and the watch bring the same object."""
    changes = Changes()
    found = store(changes)
    found.put(thing("a", 5, x=5))
    found.put(thing("a", 5, x=5))
    assert changes == ["a"]


def test_a_late_answer_does_not_bring_back_what_is_gone() -> None:
    """PUT answered with 6; before we read it, the watch told that somebody deleted the object in 7."""
    found = store()
    found.put(thing("a", 5))
    found.drop(thing("a", 7))
    found.put(thing("a", 6))
    assert found.get(KEY) is None
    found.put(thing("a", 8))
    assert found.get(KEY) is not None


def test_a_late_answer_does_not_bring_back_what_a_list_left_out() -> None:
    found = store()
    found.put(thing("a", 5))
    replace_all(found, [], "7")
    found.put(thing("a", 6))
    assert found.all() == ()


def test_what_a_wrong_list_left_out_comes_back_with_the_next_one() -> None:
    """Its own version is older than both lists."""
    found = store()
    found.put(thing("a", 5))
    replace_all(found, [], "7")
    assert found.is_left_out(KEY)
    replace_all(found, [thing("a", 5)], "6")
    assert found.all() == (), "a list from before"

    replace_all(found, [thing("a", 5)], "8")

    assert names(found) == ["a"]
    assert not found.is_left_out(KEY)


def test_what_is_read_by_its_name_is_there_whatever_a_list_left_out() -> None:
    found = store()
    found.put(thing("a", 5))
    replace_all(found, [], "7")
    found.confirm(thing("a", 5))
    assert names(found) == ["a"]
    assert not found.is_left_out(KEY)


def test_a_deletion_that_was_told_is_not_in_doubt() -> None:
    found = store()
    found.put(thing("a", 5))
    replace_all(found, [], "7")
    found.discard(KEY)
    assert not found.is_left_out(KEY)
    found.put(thing("a", 8))
    replace_all(found, [], "10")
    found.drop(thing("a", 9))
    assert not found.is_left_out(KEY)
    found.put(thing("a", 12))
    found.drop(thing("a", 13))
    found.confirm(thing("a", 12))
    assert found.all() == (), "it was deleted while it was read"


def test_what_was_deleted_by_us_comes_back_only_until_the_watch_tells() -> None:
    found = store()
    found.put(thing("a", 5))
    found.discard(KEY)
    assert found.all() == ()
    found.drop(thing("a", 6))
    assert found.all() == ()


def test_the_memory_of_what_is_gone_is_bounded() -> None:
    found = store()
    for number in range(3000):
        found.put(thing(f"pod-{number}", number + 1))
        found.drop(thing(f"pod-{number}", number + 1))
    assert len(found._gone) <= 1000


def test_a_list_drops_ghosts_but_not_what_is_younger() -> None:
    changes = Changes()
    found = store(changes)
    for name, version in (("ghost", 3), ("kept", 4), ("younger", 12), ("changed", 5)):
        found.put(thing(name, version, v=version))
    changes.clear()
    replace_all(found, [thing("kept", 4, v=4), thing("changed", 9, v=9), thing("new", 8, v=8)], "10")
    assert names(found) == ["changed", "kept", "new", "younger"]
    assert sorted(changes) == ["changed", "ghost", "new"]


@pytest.mark.parametrize(
    ("extent", "left"),
    [
        (Extent(namespace="ns"), []),
        (Extent(namespace="elsewhere"), ["a", "b"]),
        (Extent(name="a"), ["b"]),
        (Extent(selector="x"), []),
    ],
)
def test_a_list_of_a_part_drops_only_what_is_in_it(extent: Extent, left: list[str]) -> None:
    found = store()
    found.put(thing("a", 3))
    found.put(thing("b", 4))
    replace_all(found, [], "10", extent)
    assert names(found) == left


def test_a_list_that_leaves_something_out_is_told_of() -> None:
    found = store()
    found.put(thing("a", 5))
    assert not found.retain({KEY}, "7")
    assert not found.retain(set(), "4"), "a list from before"
    assert not found.retain(set(), "7", Extent(namespace="elsewhere"))
    assert found.retain(set(), "7")
    assert not found.retain(set(), "8"), "it is gone already"


def test_of_two_stores_one_is_enough_to_tell() -> None:
    one, other = store(), store()
    one.put(thing("a", 5))
    assert Both(one, other).retain(set(), "7")
    assert not Both(one, other).retain(set(), "8")


def test_a_list_is_older_news_than_a_later_write() -> None:
    found = store()
    found.put(thing("a", 12, x=12))
    replace_all(found, [thing("a", 9, x=9)], "10")
    assert found.get(KEY) == ("a", {"x": 12})


def test_groups_follow_their_items() -> None:
    changes = Changes()
    found = store(changes)
    found.put(thing("a", 1, owner="one"))
    found.put(thing("b", 2, owner="one"))
    assert [name for name, _ in found.group("one")] == ["a", "b"]
    changes.clear()
    found.put(thing("a", 3, owner="two"))
    assert [name for name, _ in found.group("one")] == ["b"]
    assert [name for name, _ in found.group("two")] == ["a"]
    assert changes == ["a", "a"], "both owners have to know"
    found.drop(thing("a", 4))
    assert found.group("two") == ()
    assert found.group("nobody") == ()


def test_what_is_of_no_interest_is_forgotten() -> None:
    found = store()
    found.put(thing("a", 1))
    found.put(thing("a", 2, boring=True))
    assert found.all() == ()


def test_an_object_that_nobody_understands_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    found = store()
    found.put({"metadata": {"name": "a", "namespace": "ns", "resourceVersion": "1"}})
    found.put(thing("b", 2))
    assert names(found) == ["b"]
    assert "object not understood" in capsys.readouterr().out


def test_objects_without_a_namespace() -> None:
    found = store()
    found.put({"metadata": {"name": "node", "resourceVersion": "1"}, "spec": {}})
    assert found.get(("", "node")) is not None


NEWS = st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.sampled_from(["x", "y"])), max_size=12)


@given(NEWS, st.randoms(use_true_random=False))
def test_any_order_of_news_ends_in_the_same_state(news: list[tuple[str, bool, str]], random: Any) -> None:
    """As long as deletions are in order: those come by the watch alone."""
    last: dict[str, str] = {}
    found = store()
    writes = []
    for version, (name, deleted, owner) in enumerate(news, start=1):
        if deleted:
            last.pop(name, None)
            found.drop(thing(name, version))
        else:
            last[name] = owner
            found.put(thing(name, version, owner=owner))
            writes.append((name, version, owner))
    random.shuffle(writes)
    for name, version, owner in writes:  # answers to writes, late and in any order
        found.put(thing(name, version, owner=owner))
    assert {name: spec["owner"] for name, spec in found.all()} == last
    assert sorted(name for owner in "xy" for name, _ in found.group(owner)) == sorted(last)
