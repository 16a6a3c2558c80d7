"""The commands of the kill switch, against words that are wrong and servers that answer anything."""

import asyncio
import json
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from aiohttp import web

from tests.unit.apiserver import Answer
from tests.unit.cli.running import Done, meditron, process

STORED = Answer(200, json.dumps({"metadata": {"name": "notes", "namespace": "ward", "annotations": {}}}).encode())
REASON = ("--reason", "wrong dose")


@dataclass
class Server:
    """Answers every request with the next of its script, the last one again and again; keeps what it was asked."""

    answers: deque[Answer]
    asked: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def patches(self) -> int:
        return [method for method, _ in self.asked].count("PATCH")

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path))
        self.bodies.append(json.loads(await request.text() or "null"))
        self.headers.append(dict(request.headers))
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.popleft()
        return web.Response(status=answer.status, body=answer.body, headers=dict(answer.headers))


@asynccontextmanager
async def served(*answers: Answer) -> AsyncIterator[tuple[Server, str]]:
    """The server and its address."""
    server = Server(deque(answers))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield server, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def kubeconfig(path: Path, server: str, **user: Any) -> str:
    """A kubeconfig whose namespace is `ward`."""
    file = path / "config"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "ward"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
    }
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return str(file)


async def run(config: str, *words: str, stdin: str = "") -> Done:
    return await asyncio.to_thread(process, *words, stdin=stdin, KUBECONFIG=config)


def one_line(done: Done, code: int) -> str:
    """What a command says that ends badly."""
    assert (done.code, done.out) == (code, ""), done
    (line,) = done.err.splitlines()
    assert line.startswith("meditron: ")
    return line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say what: the NAME of a deployment, --namespace-scope, or --all"),
        (["notes", "--all"], "give one of NAME, --namespace-scope and --all"),
        (["--namespace-scope", "--all"], "give one of NAME"),
        (["a/b"], "NAME: 'a/b'"),
        (["../../secrets"], "NAME: '../../secrets'"),
        (["a?b=c"], "NAME: 'a?b=c'"),
        (["Notes"], "NAME: 'Notes'"),
        (["a\n"], r"NAME: 'a\n'"),
        (["notes", "-n", "no/where"], "--namespace: 'no/where'"),
        (["--all", "--operator-namespace", ""], "--operator-namespace: ''"),
    ],
)
@pytest.mark.parametrize("command", ["kill", "release", "approve", "resume"])
def test_words_that_name_nothing(command: str, words: list[str], said: str) -> None:
    assert said in meditron(command, *words).refused()


def test_an_unknown_mode_names_the_known_ones() -> None:
    line = meditron("kill", "notes", "--mode", "nuke").refused()
    assert all(mode in line for mode in ("halt", "drain", "hold"))


@pytest.mark.parametrize("command", ["kill", "release", "approve", "resume", "status", "drill"])
def test_the_help_teaches(command: str) -> None:
    done = process(command, "--help", COLUMNS="200", TERM="dumb")
    assert done.code == 0
    assert f"meditron {command} " in done.out


@pytest.mark.parametrize(
    "command", [("kill", "notes"), ("release", "notes"), ("approve", "notes"), ("status",), ("drill", "notes")]
)
def test_without_a_cluster_it_is_one_line(command: tuple[str, ...], tmp_path: Path) -> None:
    line = one_line(process(*command, KUBECONFIG=str(tmp_path / "none")), 2)
    assert "set KUBECONFIG or --context" in line


def test_help_and_mistakes_need_no_cluster_package() -> None:
    program = (
        "import sys, meditron_operator.cli.switch.commands;"
        "heavy = ('kopf', 'kubernetes', 'aiohttp', 'pydantic', 'rich', 'yaml');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"


def test_a_stop_needs_none_of_the_models_of_kubernetes() -> None:
    """They cost a quarter of a second before the stop is sent."""
    program = (
        "import sys, meditron_operator.cli.switch.kill;"
        "print([name for name in sys.modules if name.startswith(('kopf', 'kubernetes.client.models.', "
        "'meditron_operator.core.render', 'rich'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"


async def test_the_stop_is_the_first_thing_that_is_sent(tmp_path: Path) -> None:
    async with served(STORED) as (server, url):
        done = await run(kubeconfig(tmp_path, url), "kill", "md/notes", *REASON, "--ticket", "INC-7", "--no-wait")
    assert done.code == 3
    assert server.asked[0] == ("PATCH", "/apis/meditron.ai/v1alpha1/namespaces/ward/meditrondeployments/notes")
    annotations = {"kill-switch": "halt", "kill-reason": "wrong dose", "kill-ticket": "INC-7"}
    assert server.bodies[0] == {
        "metadata": {"annotations": {f"meditron.ai/{key}": annotations[key] for key in annotations}}
    }
    assert server.patches == 1


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (["--namespace-scope"], "/api/v1/namespaces/ward"),
        (["--namespace-scope", "-n", "other"], "/api/v1/namespaces/other"),
        (["--all"], "/api/v1/namespaces/meditron-system"),
        (["--all", "--operator-namespace", "models"], "/api/v1/namespaces/models"),
        (["notes", "-n", "other"], "/apis/meditron.ai/v1alpha1/namespaces/other/meditrondeployments/notes"),
    ],
)
async def test_what_carries_the_stop(words: list[str], path: str, tmp_path: Path) -> None:
    async with served(STORED) as (server, url):
        await run(kubeconfig(tmp_path, url), "kill", *words, "--no-wait")
    assert server.asked[0] == ("PATCH", path)
    assert server.patches == 1


@pytest.mark.parametrize(
    ("words", "warned"),
    [
        ([], "no reason is stored"),
        (["--reason", "told by anna@hospital.example"], "the reason was withheld: it looked like an e-mail address"),
        (["--reason", "x" * 100_000], None),
        (["--reason", "wrong dose", "--ticket", "anna@hospital.example"], "the ticket was withheld"),
    ],
)
async def test_no_reason_holds_up_the_stop(words: list[str], warned: str | None, tmp_path: Path) -> None:
    async with served(STORED) as (server, url):
        done = await run(kubeconfig(tmp_path, url), "kill", "notes", *words, "--no-wait")
    annotations = server.bodies[0]["metadata"]["annotations"]
    assert annotations["meditron.ai/kill-switch"] == "halt"
    assert "anna" not in json.dumps(annotations)
    assert len(json.dumps(annotations)) < 2000
    assert warned is None or warned in done.err


LEARNING = {
    "message": "failed to configure policy: failed to find resource referenced by paramKind: 'meditron.ai/v1alpha1'"
}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, b'{"message": "etcdserver: leader changed"}'),
        Answer(429, b'{"message": "too many requests"}', {"Retry-After": "3600"}),
        Answer(503, b"<html>Bad gateway</html>"),
        Answer(200, b"<html>Sign in</html>"),
        Answer(200, b"{}"),
        Answer(200, b"[]"),
        Answer(403, json.dumps(LEARNING).encode()),
    ],
)
async def test_it_is_tried_until_the_server_takes_it(answer: Answer, tmp_path: Path) -> None:
    async with served(answer, answer, STORED) as (server, url):
        done = await run(kubeconfig(tmp_path, url), "kill", "notes", *REASON, "--no-wait")
    assert done.code == 3
    assert [method for method, _ in server.asked][:3] == ["PATCH"] * 3
    assert "trying again" in done.err


LEARNING_STAMP = Answer(503, b'{"message": "Resource kind meditron.ai/v1alpha1, Kind=MeditronDeployment not found"}')
ANNA = {"metadata": {"creationTimestamp": "2026-01-31T12:00:00Z"}, "status": {"userInfo": {"username": "anna"}}}
OTHERS = {"message": "ValidatingAdmissionPolicy denied request: meditron.ai/killed-by is the name of who engages"}


async def test_a_server_that_cannot_write_the_name_down_is_given_it(tmp_path: Path) -> None:
    """It takes what is signed already at once; and unsigned, if somebody else was first."""
    answers = LEARNING_STAMP, Answer(201, json.dumps(ANNA).encode()), Answer(403, json.dumps(OTHERS).encode()), STORED
    async with served(*answers) as (server, url):
        done = await run(kubeconfig(tmp_path, url), "kill", "notes", *REASON, "--no-wait")
    assert done.code == 3
    patches = [body for (method, _), body in zip(server.asked, server.bodies, strict=True) if method == "PATCH"]
    signatures = [body["metadata"]["annotations"].get("meditron.ai/killed-by") for body in patches]
    assert signatures == [None, "anna", None]


@pytest.mark.parametrize(
    ("words", "mode", "reason"),
    [
        ((), "halt", "a real stop while a drill stood; no reason given"),
        (("--reason", "drill"), "halt", "a real stop while a drill stood; no reason given"),
        (("--mode", "hold", *REASON), "halt", "wrong dose"),
    ],
)
async def test_a_real_stop_over_a_drill_is_told_as_one(
    words: tuple[str, ...], mode: str, reason: str, tmp_path: Path
) -> None:
    """Whatever is released as a drill must be one."""
    standing = {"meditron.ai/kill-switch": "halt", "meditron.ai/kill-reason": "drill"}
    drilled = Answer(200, json.dumps({"metadata": {"name": "notes", "annotations": standing}}).encode())
    async with served(drilled, STORED) as (server, url):
        done = await run(kubeconfig(tmp_path, url), "kill", "notes", *words, "--no-wait")
    assert "a drill stood, and counts as a real stop from now on" in done.out
    assert server.bodies[1]["metadata"]["annotations"] == {
        "meditron.ai/kill-switch": mode,
        "meditron.ai/kill-reason": reason,
    }


async def test_a_drill_that_could_not_be_overruled_is_told(tmp_path: Path) -> None:
    standing = {"meditron.ai/kill-switch": "halt", "meditron.ai/kill-reason": "drill"}
    drilled = Answer(200, json.dumps({"metadata": {"name": "notes", "annotations": standing}}).encode())
    async with served(drilled, Answer(403, b'{"message": "not you"}')) as (_, url):
        done = await run(kubeconfig(tmp_path, url), "kill", "notes", "--no-wait")
    assert done.code == 3
    assert "ward/notes is stopped for a drill only: the API server refused: not you; say why it is no drill" in done.err


async def test_a_server_that_comes_back_is_not_believed_when_it_refuses(tmp_path: Path) -> None:
    """It has not read who may do what yet."""
    away, refuses = Answer(503, b"starting"), Answer(403, b'{"message": "forbidden: User anna cannot patch"}')
    async with served(away, refuses, Answer(404, b"not found"), STORED) as (server, url):
        done = await run(kubeconfig(tmp_path, url), "kill", "notes", *REASON, "--no-wait")
    assert (done.code, server.patches) == (3, 4)


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (Answer(403, b'{"message": "User anna cannot patch"}'), 4, "the API server refused: User anna cannot patch"),
        (Answer(422, b'{"message": "no such mode"}'), 4, "no such mode"),
        (Answer(401, b'{"message": "Unauthorized"}'), 4, "log in again, or name another --context"),
        (Answer(404, b'{"message": "the server could not find the requested resource"}'), 2, "right --context?"),
        (Answer(500, b'{"message": "no leader"}'), 1, "no leader: run it again, which is safe"),
    ],
)
async def test_what_ends_a_stop_is_one_line(answer: Answer, code: int, said: str, tmp_path: Path) -> None:
    async with served(answer) as (_, url):
        done = await run(kubeconfig(tmp_path, url), "kill", "notes", *REASON, "--timeout", "0.5")
    assert (done.code, done.out) == (code, "")
    assert "ward/notes is NOT stopped" in done.err.splitlines()[-1]
    assert said in done.err.splitlines()[-1]


async def test_nobody_is_there(tmp_path: Path) -> None:
    done = await run(kubeconfig(tmp_path, "http://127.0.0.1:1"), "kill", "notes", *REASON, "--timeout", "0.5")
    assert done.code == 1
    assert "trying again" in done.err.splitlines()[0]
    assert "NOT stopped" in done.err.splitlines()[-1]


async def test_a_server_without_tls_is_not_waited_for(tmp_path: Path) -> None:
    async with served(STORED) as (_, url):
        config = kubeconfig(tmp_path, url.replace("http:", "https:"))
        line = one_line(await run(config, "kill", "notes", *REASON), 2)
    assert "is it the right --context, and its certificate authority?" in line


async def test_a_server_of_another_authority_is_not_waited_for(tmp_path: Path) -> None:
    import ssl  # noqa: PLC0415 - only here

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = Server(deque([STORED]))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        line = one_line(await run(kubeconfig(tmp_path, url), "kill", "notes", *REASON), 2)
    finally:
        await runner.cleanup()
    assert "certificate" in line
    assert server.asked == []


async def test_it_acts_as_whom_the_kubeconfig_names(tmp_path: Path) -> None:
    user = {"as": "anna", "as-groups": ["stoppers", "staff"], "as-uid": "7", "as-user-extra": {"why": ["drill"]}}
    async with served(STORED) as (server, url):
        await run(kubeconfig(tmp_path, url, token="t0ken", **user), "kill", "notes", *REASON, "--no-wait")  # noqa: S106
    sent = server.headers[0]
    assert (sent["Authorization"], sent["Impersonate-User"], sent["Impersonate-Uid"]) == ("Bearer t0ken", "anna", "7")
    assert sent["Impersonate-Group"] in ("stoppers", "staff")  # there are two of them
    assert sent["Impersonate-Extra-why"] == "drill"


async def test_another_context_is_another_cluster(tmp_path: Path) -> None:
    async with served(STORED) as (server, url):
        config = kubeconfig(tmp_path, url)
        line = one_line(await run(config, "kill", "notes", "--context", "there"), 2)
    assert "there" in line
    assert server.asked == []


async def test_a_reader_that_goes_away_holds_nothing_up(tmp_path: Path) -> None:
    """`meditron kill … | head -1`: the stop is worth more than its answer."""
    async with served(STORED) as (server, url):
        config = kubeconfig(tmp_path, url)
        command = f"{sys.executable} -m meditron_operator kill notes --no-wait | true; exit ${{PIPESTATUS[0]}}"
        program = await asyncio.create_subprocess_exec(
            "bash", "-c", command, env={"KUBECONFIG": config, "PATH": "/usr/bin:/bin"}, stderr=asyncio.subprocess.PIPE
        )
        _, err = await program.communicate()
    assert program.returncode == 3
    assert b"Traceback" not in err
    assert server.patches == 1
