"""Sends the attempts, many at once, and says what became of each."""

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import urllib3
from kubernetes import config

from tests.cluster.attacks.actors import ACTORS, Actor, bindings
from tests.cluster.attacks.attack import Attack
from tests.cluster.attacks.world import CLUSTER, manifests, place, states
from tests.cluster.support import Admin, Manifest
from tests.testbed import Testbed
from tests.testbed.cluster import read_manifests
from tests.testbed.install import BUNDLE, DEFINITIONS, STAMP, without_deployments

WORKERS: Final = 8
CONFLICTS: Final = 20


class Outcome(StrEnum):
    RIGHTS = "rights"  # RBAC says no
    POLICY = "policy"  # the admission policies say no
    UNKNOWN_WAY = "no such way"  # this kind of object can't be written like that
    NO_EFFECT = "no effect"  # let through, and everything is as it was
    BREACH = "got through"
    FAILED = "failed"  # the server could not answer: says nothing


@dataclass(frozen=True, slots=True)
class Attempt:
    attack: Attack
    actor: Actor


@dataclass(frozen=True, slots=True)
class Result:
    attempt: Attempt
    outcome: Outcome
    status: int
    message: str


class Attackers:
    """A connection for everybody: people by their own certificate, the others played by the administrator."""

    def __init__(self, bed: Testbed) -> None:
        self._admin = _api(bed.kubeconfig)
        people = (actor for actor in ACTORS.values() if actor.person)
        self._people = {actor.name: _api(bed.user_kubeconfig(actor.user)) for actor in people}

    def run(self, attempts: Iterable[Attempt], *, dry: bool = False) -> list[Result]:
        """All of them; `dry` has the server decide and store nothing.

        Those of one attack follow each other: where a harmless part of the first stays, the next finds it.
        """
        rows = [list(row) for _, row in groupby(attempts, key=lambda attempt: id(attempt.attack))]
        with ThreadPoolExecutor(WORKERS) as pool:
            done = pool.map(lambda row: [self.one(attempt, dry=dry) for attempt in row], rows)
            return [result for row in done for result in row]

    def one(self, attempt: Attempt, *, dry: bool = False) -> Result:
        """One attempt; again when somebody else wrote in between."""
        for _ in range(CONFLICTS):
            status, answer = self._send(attempt, dry=dry)
            if status != 409 or answer.get("reason") == "AlreadyExists":
                break
        return _judged(attempt, status, answer)

    def read(self, path: str) -> Manifest:
        """An object as it is, for the administrator."""
        return _exchange(self._admin, "GET", path, None, {})[1]

    def _send(self, attempt: Attempt, *, dry: bool) -> tuple[int, Manifest]:
        attack, actor = attempt.attack, attempt.actor
        live = self.read(attack.live) if attack.live else attack.place.carrier
        query = {**attack.query, **({"dryRun": "All"} if dry else {})}
        path = attack.path + ("?" + "&".join(f"{key}={value}" for key, value in query.items()) if query else "")
        headers = {"Content-Type": attack.content, **attack.headers}
        if actor.person:
            return _exchange(self._people[actor.name], attack.method, path, attack.body(live, actor.user), headers)
        headers["Impersonate-User"] = actor.user
        return _exchange(self._admin, attack.method, path, attack.body(live, actor.user), headers)


def attempts(attacks: Iterable[Attack]) -> Iterator[Attempt]:
    """Every attack by everybody who is not entitled to it. Who is played can't play somebody else."""
    for attack in attacks:
        for actor in ACTORS.values():
            if actor.name not in attack.entitled and (actor.person or not attack.headers):
                yield Attempt(attack, actor)


def furnish(bed: Testbed) -> None:
    """The world, first without the policies, which would refuse most of it; then the policies."""
    bundle = without_deployments([*read_manifests(BUNDLE), *read_manifests(STAMP)])
    rules = [body for body in bundle if body["apiVersion"].startswith("admissionregistration")]
    rest = [body for body in bundle if body not in rules]
    bed.apply([*read_manifests(DEFINITIONS), *rest, *bindings(), *manifests()])
    leaving = place("deployment", "leaving")
    Admin(bed.kubeconfig).delete("MeditronDeployment", leaving.namespace, leaving.carrier["metadata"]["name"])
    bed.apply(rules)


def engage_cluster(bed: Testbed) -> None:
    """The widest scope, after the others: while it is engaged it covers them."""
    annotations = {key: value for key, value in states()["engaged"].items() if not key.endswith("killed-by")}
    bed.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": CLUSTER, "annotations": annotations}}])


def _judged(attempt: Attempt, status: int, answer: Manifest) -> Result:
    message = str(answer.get("message", ""))
    if status < 300:
        outcome = Outcome.BREACH if attempt.attack.breach(answer) else Outcome.NO_EFFECT
    elif "denied request" in message:
        outcome = Outcome.POLICY
    elif status == 403:
        outcome = Outcome.RIGHTS
    elif status in (404, 405, 409, 415, 422):
        outcome = Outcome.UNKNOWN_WAY
    else:
        outcome = Outcome.FAILED
    return Result(attempt, outcome, status, message)


@dataclass(frozen=True, slots=True)
class _Api:
    server: str
    pool: urllib3.PoolManager


def _api(kubeconfig: Path) -> _Api:
    client = config.new_client_from_config(config_file=str(kubeconfig))  # type: ignore[no-untyped-call]
    settings = client.configuration
    pool = urllib3.PoolManager(
        ca_certs=settings.ssl_ca_cert, cert_file=settings.cert_file, key_file=settings.key_file, maxsize=WORKERS
    )
    return _Api(settings.host, pool)


def _exchange(api: _Api, method: str, path: str, body: Any, headers: Mapping[str, str]) -> tuple[int, Manifest]:
    data = None if body is None else json.dumps(body)
    answer = api.pool.request(method, api.server + path, body=data, headers=dict(headers), timeout=30.0)
    parsed: Manifest = json.loads(answer.data) if answer.data[:1] == b"{" else {"message": answer.data.decode()}
    return answer.status, parsed
