"""`meditron records` on exports: what was written out is read back, verified, and shown; mistakes are one line."""

import asyncio
import json
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meditron_operator.core.killswitch import SwitchState
from meditron_operator.core.killswitch.records import Record, verify
from tests.unit.apiserver import Answer, ApiServer, serving
from tests.unit.cli.running import meditron, process
from tests.unit.records.kit import ENGAGED, KILL, REASON, RELEASED, RESUME, Clerk, carrier, outcome


def objects(records: list[Record]) -> list[dict[str, Any]]:
    """As the API server lists them."""
    return [
        {
            "apiVersion": "meditron.ai/v1alpha1",
            "kind": "KillRecord",
            "metadata": {"name": record.name, "namespace": record.namespace, "uid": "u", "resourceVersion": "7"},
            "spec": dict(record.spec),
            "status": dict(record.status),
        }
        for record in records
    ]


def story(namespace: str = "clinical-ai", reason: str = "wrong dose") -> list[Record]:
    clerk = Clerk()
    for annotations in (ENGAGED | {REASON: reason}, RELEASED, RELEASED | {RESUME: "rosa"}, {KILL: "hold"}):
        here = carrier(annotations, namespace=namespace)
        clerk.keep(here)
        clerk.conclude(here, outcome(SwitchState.ENGAGED, seconds_to_stop=2.25))
    return clerk.records


def kubectl(records: list[Record]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects(records)})


def jsonl(records: list[Record]) -> str:
    return "\n".join(json.dumps(body) for body in objects(records))


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "records.jsonl"
    path.write_text(jsonl([*story(), *story("icu")]))
    return str(path)


def test_an_intact_chain(file: str) -> None:
    done = meditron("records", "verify", "--from", file)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[:2] == [
        "clinical-ai: 4 records, intact",
        "  note    kill-000004: no later record fixes its outcome yet",
    ]
    assert "icu: 4 records, intact" in done.out
    alone = meditron("records", "verify", "--from", file, "-n", "icu")
    assert "clinical-ai" not in alone.out


def test_a_broken_chain_says_where() -> None:
    first, second, *rest = story()
    forged = replace(second, spec={**second.spec, "actor": "somebody"})
    done = meditron("records", "verify", "--from", "-", stdin=jsonl([first, forged, *rest]))
    assert done.code == 1
    assert done.out.splitlines()[:2] == [
        "clinical-ai: 4 records, BROKEN",
        "  BROKEN  kill-000002: its spec or its hash was changed",
    ]


def test_an_earlier_copy_shows_what_the_chain_can_not(tmp_path: Path, file: str) -> None:
    """The newest records are gone: what is left is a chain, and the copy knows better."""
    less = jsonl(story()[:2])
    assert meditron("records", "verify", "--from", "-", stdin=less).code == 0
    done = meditron("records", "verify", "--from", "-", "--copy", file, "-n", "clinical-ai", stdin=less)
    assert done.code == 1
    assert "BROKEN  kill-000003: missing, and was there when the copy was made" in done.out
    anew = jsonl(story(reason="none of your business"))
    assert meditron("records", "verify", "--from", "-", stdin=anew).code == 0
    done = meditron("records", "verify", "--from", "-", "--copy", file, "-n", "clinical-ai", stdin=anew)
    assert "BROKEN  kill-000001: its spec is not what the copy says" in done.out
    (tmp_path / "early").write_text(less)
    assert (
        meditron("records", "verify", "--from", file, "-n", "clinical-ai", "--copy", str(tmp_path / "early")).code == 0
    )


def test_purged_after_their_time() -> None:
    left = jsonl(story()[2:])
    assert "missing, and all up to kill-000002" in meditron("records", "verify", "--from", "-", stdin=left).out
    assert meditron("records", "verify", "--from", "-", "--begins-at", "3", stdin=left).code == 0


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40))
def test_what_is_exported_verifies_and_is_exported_the_same(tmp_path: Path, reason: str) -> None:
    records = story(reason=reason)
    once = meditron("records", "export", "--from", "-", stdin=kubectl(records)).out
    assert meditron("records", "verify", "--from", "-", stdin=once).code == 0
    assert meditron("records", "export", "--from", "-", stdin=once).out == once
    read = [Record.of(json.loads(line)) for line in once.splitlines()]
    assert [(record.spec, record.status) for record in read] == [(r.spec, r.status) for r in records]
    assert not [finding for finding in verify(read) if finding.broken]
    for form in (["list"], ["list", "-o", "json"], ["export", "--format", "report"]):
        assert meditron("records", *form, "--from", "-", stdin=once).code == 0


def test_a_report_for_people(file: str) -> None:
    done = meditron("records", "export", "--from", file, "-n", "icu", "--format", "report")
    assert done.out.startswith(
        "# Records of the kill switch\n\n## Namespace `icu`\n\nThe chain of 4 records is intact."
    )
    assert "because `wrong dose`; ticket `T-1`; stopped in 2.25 s, proven at" in done.out


def test_an_export_replaces_none(tmp_path: Path, file: str) -> None:
    target = str(tmp_path / "out")
    assert meditron("records", "export", "--from", file, "-o", target).code == 0
    assert meditron("records", "verify", "--from", target).code == 0
    assert "is there already" in meditron("records", "export", "--from", file, "-o", target).refused()
    assert "No such file" in meditron("records", "export", "--from", file, "-o", f"{tmp_path}/x/y").refused()


def test_the_list(file: str) -> None:
    done = process("records", "list", "--from", file)
    head, first, *_ = done.out.splitlines()
    assert head.split() == ["NAMESPACE", "NAME", "WHEN", "ACTION", "SCOPE", "TARGET", "MODE", "BY", "STATE", "SECONDS", "REASON"]  # fmt: skip  # noqa: E501
    assert "kill-000001" in first
    assert first.split()[-4:] == ["Engaged", "2.25", "wrong", "dose"]
    listed = meditron("records", "list", "--from", file, "-o", "json").json
    assert [body["metadata"]["name"] for body in listed][:2] == ["kill-000001", "kill-000002"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no record"),
        ("{", "no export of records"),
        ("[" * 100_000, "no export of records"),
        ('{"kind": "Pod"}', "number 1 is no KillRecord"),
        ("[]", "number 1 is no KillRecord"),
        ('{"kind": "KillRecord", "apiVersion": "meditron.ai/v9"}', "not of meditron.ai/v1alpha1"),
        ('{"kind": "KillRecord", "apiVersion": "meditron.ai/v1alpha1", "metadata": {}}', "no name and namespace"),
        ('{"items": []}', "holds no record"),
    ],
)
@pytest.mark.parametrize("command", ["list", "verify", "export"])
def test_what_is_no_export(text: str, said: str, command: str) -> None:
    assert said in meditron("records", command, "--from", "-", stdin=text).refused()


@pytest.mark.parametrize("spec", [None, [], "x", {"hash": 1}, {"sequence": [1], "outcomes": [1, {"sequence": "x"}]}])
def test_a_record_of_any_shape_is_broken_and_no_traceback(spec: Any) -> None:
    (body, *_) = objects(story())
    done = meditron("records", "verify", "--from", "-", stdin=json.dumps({**body, "spec": spec, "status": spec}))
    assert done.code == 1
    assert meditron("records", "list", "--from", "-", stdin=json.dumps({**body, "spec": spec})).code == 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(404, b"404 page not found"), "this cluster knows no KillRecord: apply crds/killrecords.yaml"),
        (Answer(403, b'{"kind": "Status", "message": "no right"}'), "the records can't be read: no right"),
        (Answer(401, b"{}"), "the API server doesn't know us"),
        (Answer(500, b"x"), "the records can't be read: x"),
        (Answer(200, b"no JSON"), "the records can't be read: GET "),
        (Answer(200, b'{"items": []}'), "the answer is no list of killrecords"),
    ],
)
async def test_a_cluster_that_has_none_to_give(tmp_path: Path, answer: Answer, said: str) -> None:
    async with serving(ApiServer(lists=deque([answer]))) as url:
        config = kubeconfig(tmp_path, url)
        done = await asyncio.to_thread(process, "records", "list", KUBECONFIG=config)
    assert said in done.refused()


async def test_a_cluster_that_has_some(tmp_path: Path) -> None:
    """Asked for the namespace that the kubeconfig names."""
    server = ApiServer(lists=deque([(objects(story()), 7)]))
    async with serving(server) as url:
        config = kubeconfig(tmp_path, url)
        done = await asyncio.to_thread(process, "records", "verify", KUBECONFIG=config)
        await asyncio.to_thread(process, "records", "verify", "-A", KUBECONFIG=config)
    assert done.code == 0, done
    assert "clinical-ai: 4 records, intact" in done.out
    root = "/apis/meditron.ai/v1alpha1"
    assert [asked["path"] for asked in server.asked] == [
        f"{root}/namespaces/clinical-ai/killrecords",
        f"{root}/killrecords",
    ]


def kubeconfig(folder: Path, url: str) -> str:
    context = {"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "clinical-ai"}}
    named = {"clusters": [{"name": "c", "cluster": {"server": url}}], "users": [{"name": "u", "user": {}}]}
    path = folder / "config"
    path.write_text(json.dumps({"kind": "Config", **named, "contexts": [context], "current-context": "c"}))
    return str(path)


def test_a_user_s_mistakes(tmp_path: Path) -> None:
    assert "one of them" in meditron("records", "list", "-A", "-n", "x").refused()
    assert "no-such-file" in meditron("records", "verify", "--from", "no-such-file").refused()
    nowhere = process("records", "verify", KUBECONFIG=str(tmp_path / "none"))
    assert "no cluster to talk to" in nowhere.refused()
