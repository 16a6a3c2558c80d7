"""Attacks on the annotation itself, where it is carried: every write path, and every flaw of a release."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from meditron_operator import names
from meditron_operator.core.killswitch import drill
from tests.cluster.attacks.actors import ACTORS, ROLES
from tests.cluster.attacks.attack import (
    APPLY,
    JSON_PATCH,
    MERGE,
    STRATEGIC,
    Attack,
    always,
    annotations,
    edited,
    escaped,
    fixed,
    metadata,
    no_longer_halted,
)
from tests.cluster.attacks.world import PAUL, RITA, SCOPES, Place, deployments, moment, place
from tests.cluster.support import Manifest

KILL, REASON, BY = names.KILL_SWITCH, names.KILL_REASON, names.KILLED_BY
ASKED_BY, ASKED_AT = names.RELEASE_REQUESTED_BY, names.RELEASE_REQUESTED_AT
APPROVED, RESUME = names.RELEASE_APPROVED_BY, names.RESUME

CLEAN: Final = {KILL: None, REASON: None, BY: None}
"""What a proper release takes away."""


_ONLY_WARD: Final = {"fieldSelector": "metadata.name=ward"}
_REQUESTERS: Final = frozenset({"meditron-releaser", "both release roles", "cluster-admin"})
_APPROVERS: Final = frozenset({"meditron-release-approver", "both release roles", "cluster-admin"})
_RESUMERS: Final = _REQUESTERS | _APPROVERS
_WRITERS: Final = frozenset(ACTORS) - {f"meditron-{role}" for role in ROLES} - {"both release roles"} | {
    "meditron-configurer"
}
"""Who may write more of a deployment or a namespace than annotations, or nothing at all."""


def attacks() -> Iterator[Attack]:
    """All of them, at every scope where the state can be had."""
    for scope in SCOPES:
        yield from _writes(place(scope))
        yield from _flawed_requests(place(scope))
    for scope in SCOPES[:2]:  # the cluster has one carrier only, and that is engaged
        yield from _flawed_releases(scope)
        yield from _flawed_resumes(scope)
        yield from _not_a_stop(scope)
        held = place(scope, "held")
        yield _patch("in a hold: merge patch: annotation null", held, annotations({KILL: None}), breach=_has_not(KILL))
    yield from _only_here()


def _patch(name: str, where: Place, body: Any, content: str = MERGE, **more: Any) -> Attack:
    given = body if callable(body) else fixed(body)
    options: dict[str, Any] = {"breach": no_longer_halted} | more
    return Attack(name, where, "PATCH", where.carrier_path, given, content, **options)


def _writes(where: Place) -> Iterator[Attack]:
    path, at = where.carrier_path, escaped(KILL)
    yield _patch("merge patch: annotation null", where, annotations({KILL: None}))
    yield _patch("merge patch: all annotations null", where, metadata(annotations=None))
    yield _patch("merge patch: reason null", where, annotations({REASON: None}))
    yield _patch("merge patch: reason of a drill", where, annotations({REASON: drill.REASON}), breach=always)
    yield _patch("JSON patch: remove", where, [{"op": "remove", "path": at}], JSON_PATCH)
    yield _patch("JSON patch: annotations {}", where, _replace("/metadata/annotations", {}), JSON_PATCH)
    moved = [{"op": "move", "from": at, "path": escaped("example.com/kept")}]
    yield _patch("JSON patch: move away", where, moved, JSON_PATCH)
    yield _patch("JSON patch: hold", where, _replace(at, "hold"), JSON_PATCH)
    deletion = {"metadata": {"annotations": {"$patch": "replace"}}}
    yield _patch("strategic merge patch: annotation null", where, annotations({KILL: None}), STRATEGIC)
    yield _patch("strategic merge patch: replace all", where, deletion, STRATEGIC)
    for value in ("drain", "hold", "", "off", "false", "HALT"):
        yield _patch(f"merge patch: {value or 'empty'!r}".replace("'", ""), where, annotations({KILL: value}))
    nobody = annotations({BY: "nobody"})
    yield _patch("merge patch: killed-by of somebody else", where, nobody, breach=_is(BY, "nobody"))
    for manager in ("attacker", "testbed"):  # the testbed applied the annotation: leaving it out takes it away
        options = {"fieldManager": manager, "force": "true"}
        yield _patch(f"server-side apply as {manager}, without it", where, _applied({}), APPLY, query=options)
    options = {"fieldManager": "attacker", "force": "true"}
    yield _patch("server-side apply, forced: hold", where, _applied({KILL: "hold"}), APPLY, query=options)
    without = edited(lambda body: body["metadata"].pop("annotations"))
    yield Attack("PUT without it", where, "PUT", path, without, live=path, breach=no_longer_halted)
    weaker = edited(lambda body: body["metadata"]["annotations"].update({KILL: "hold"}))
    yield Attack("PUT with hold", where, "PUT", path, weaker, live=path, breach=no_longer_halted)
    forged = edited(lambda body: body["metadata"].update(annotations={}, managedFields=[{}]))
    yield Attack("PUT without it, managedFields reset", where, "PUT", path, forged, live=path, breach=no_longer_halted)
    status = f"{path}/status"
    body = annotations({KILL: None})
    yield Attack("merge patch of status", where, "PATCH", status, body, MERGE, breach=no_longer_halted)
    yield Attack("PUT of status", where, "PUT", status, without, live=path, breach=no_longer_halted)
    yield Attack("DELETE", where, "DELETE", path)
    yield Attack("DELETE, orphaning", where, "DELETE", path, query={"propagationPolicy": "Orphan"})
    if where.scope == "deployment":
        yield Attack("deletecollection", where, "DELETE", deployments(where.namespace), query=_ONLY_WARD)
    else:
        yield Attack("PUT of finalize", where, "PUT", f"{path}/finalize", without, live=path, breach=no_longer_halted)
    boss = {"Impersonate-User": "boss", "Impersonate-Group": "system:masters"}
    yield _patch("impersonation, merge patch", where, annotations({KILL: None}), headers=boss)
    yield Attack("impersonation, DELETE", where, "DELETE", path, headers=boss)
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "00000000-0000-0000-0000-000000000000"}
    yield _patch("owner that does not exist", where, metadata(ownerReferences=[owner]))


def _flawed_requests(where: Place) -> Iterator[Attack]:
    """On a switch that nobody asked to release."""
    alone = {APPROVED: "me", **CLEAN}
    yield _patch("release by one person alone", where, _mine(alone))
    yield _patch("request and release in one write", where, _mine({ASKED_BY: RITA, ASKED_AT: "now", **alone}))
    yield _patch("approval ahead of a request", where, _mine({APPROVED: "me"}), breach=_has(APPROVED))
    yield _patch("resume while engaged", where, _mine({RESUME: "me"}), breach=_has(RESUME))
    proper = {ASKED_BY: "me", ASKED_AT: "now"}
    yield _patch("request without the verb", where, _mine(proper), breach=_has(ASKED_BY), entitled=_REQUESTERS)
    asked = {ASKED_BY: "somebody", ASKED_AT: "now"}
    yield _patch("request in another's name", where, _mine(asked), breach=_has(ASKED_BY))
    late = {ASKED_BY: "me", ASKED_AT: "2099-01-01T00:00:00Z"}
    yield _patch("request dated 2099", where, _mine(late), breach=_has(ASKED_AT))
    yield _patch("request without a date", where, _mine({ASKED_BY: "me", ASKED_AT: "soon"}), breach=_has(ASKED_AT))


def _flawed_releases(scope: str) -> Iterator[Attack]:
    proper: dict[str, str | None] = {APPROVED: "me", **CLEAN}
    old, own = place(scope, "asked-long-ago"), place(scope, "asked-by-soloist")
    yield _patch("approval after 20 minutes", old, _mine(proper))
    path, forged = old.carrier_path, edited(_forge)
    words = "approval after 20 minutes, times forged"
    yield Attack(words, old, "PUT", path, forged, live=path, breach=no_longer_halted)
    yield _patch("date of the request renewed", old, _mine({ASKED_AT: "now"}), breach=always)
    yield _patch("approval of one's own request", own, _mine({APPROVED: "soloist", **CLEAN}))
    asked = place(scope, "asked")
    yield _patch("approval without the verb", asked, _mine(proper), entitled=_APPROVERS)
    yield _patch("approval in another's name", asked, _mine({**proper, APPROVED: PAUL}))
    yield _patch("release that leaves the reason", asked, _mine({**proper, REASON: "changed"}))
    yield _patch("release that resumes", asked, _mine({**proper, RESUME: "me"}))
    yield _patch("release without approval", asked, _mine(CLEAN))
    again = place(scope, "again")
    yield _patch("approval left over from before", again, _mine(CLEAN))
    yield _patch("leftover approval taken off", again, _mine({APPROVED: None}), breach=_has_not(APPROVED))
    yield _patch("leftover resume taken off", again, _mine({RESUME: None}), breach=_has_not(RESUME))
    late = {ASKED_BY: "me", ASKED_AT: "now"}
    yield _patch("request beside a leftover approval", again, _mine(late), breach=_has(ASKED_AT))


def _flawed_resumes(scope: str) -> Iterator[Attack]:
    released, resumed = place(scope, "released"), place(scope, "resumed")
    yield _patch("resume without the verb", released, _mine({RESUME: "me"}), breach=_has(RESUME), entitled=_RESUMERS)
    path, owner = released.carrier_path, frozenset({"cluster-admin"})
    yield Attack("DELETE of a released one", released, "DELETE", path, entitled=owner)
    yield _patch("resume in another's name", released, _mine({RESUME: RITA}), breach=_has(RESUME))
    yield _patch("resume by taking the approval off", released, _mine({APPROVED: None}), breach=_has_not(APPROVED))
    yield _patch("resume by taking all off", released, metadata(annotations=None), breach=_has_not(APPROVED))
    yield _patch("resumed undone without a kill switch", resumed, _mine({RESUME: None}), breach=_has_not(RESUME))


def _not_a_stop(scope: str) -> Iterator[Attack]:
    """On one that runs: what looks like a stop and is none, and what a stopper may not do besides."""
    running = place(scope, "running")
    yield _patch("engaged with a typo in the value", running, annotations({KILL: "True "}), breach=always)
    typo = annotations({"meditron.ai/kill-swich": "halt"})
    yield _patch("engaged with a typo in the key", running, typo, breach=always)
    ahead = annotations({REASON: drill.REASON})
    yield _patch("reason of a drill ahead of a stop", running, ahead, breach=always)
    labels = metadata(labels={"pod-security.kubernetes.io/enforce": "privileged"})
    yield _patch("labels by who may only patch", running, labels, breach=always, entitled=_WRITERS)


def _only_here() -> Iterator[Attack]:
    """What depends on the kind of the carrier."""
    leaving = place("deployment", "leaving")
    yield _patch("last finalizer of a deleted one", leaving, metadata(finalizers=None), breach=_gone_with_finalizer)
    engaged = place("namespace")
    path = engaged.carrier_path
    ending = edited(lambda body: body["spec"].update(finalizers=[]))
    yield Attack("namespace finalized", engaged, "PUT", f"{path}/finalize", ending, live=path)


def _replace(path: str, value: Any) -> list[Manifest]:
    return [{"op": "replace", "path": path, "value": value}]


def _mine(changes: Mapping[str, str | None]) -> Any:
    """The annotations with `me` as the attacker's own name, and `now` as the time of the request."""

    def body(live: Manifest, me: str) -> Manifest:
        words = {"me": me, "now": moment()}
        return {"metadata": {"annotations": {key: words.get(value or "", value) for key, value in changes.items()}}}

    return body


def _applied(kept: dict[str, str]) -> Any:
    """An apply of the carrier with these annotations only."""

    def body(live: Manifest, me: str) -> Manifest:
        return {**live, "metadata": {"name": live["metadata"]["name"], "annotations": kept}}

    return body


def _forge(body: Manifest) -> None:
    """A release as by a proper approver, with every time in managedFields set back."""
    for entry in body["metadata"]["managedFields"]:
        entry["time"] = body["metadata"]["annotations"][ASKED_AT]
    body["metadata"]["annotations"][APPROVED] = "release-approver"
    for key in CLEAN:
        body["metadata"]["annotations"].pop(key, None)


def _answer(body: Manifest) -> Any:
    return body.get("metadata", {}).get("annotations", {})


def _is(key: str, value: str) -> Any:
    return lambda body: _answer(body).get(key) == value


def _has(key: str) -> Any:
    return lambda body: key in _answer(body)


def _has_not(key: str) -> Any:
    return lambda body: key not in _answer(body)


def _gone_with_finalizer(body: Manifest) -> bool:
    return not body.get("metadata", {}).get("finalizers")
