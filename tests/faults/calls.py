"""Requests to an API server, as rules about faults name them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_OF_THE_CLUSTER: Final = frozenset({"nodes", "namespaces"})  # of what the operator lists, what is in no namespace
_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class Call:
    """One request, in the words of RBAC: `patch` of `meditrondeployments/status` in a namespace."""

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""

    @property
    def writes(self) -> bool:
        return self.verb in WRITES

    def __str__(self) -> str:
        return " ".join(filter(None, (self.verb, self.resource, self.name)))


Where = Callable[[Call], bool]


def any_call(_: Call) -> bool:
    """Every request there is."""
    return True


def writes_in(namespace: str) -> Where:
    """Every write to a namespace."""
    return lambda call: call.writes and call.namespace == namespace


def verb(*verbs: str, resource: str | None = None) -> Where:
    """Requests with one of these verbs, of one resource (`pods`, `pods/status`) or of all."""
    return lambda call: call.verb in verbs and resource in (None, call.resource)


def parse(method: str, path: str, query: Mapping[str, str], body: bytes = b"") -> Call:
    """What an HTTP request asks for. A path of no object (`/version`) is its own resource.

    A creation's path has no name: it comes from the body, empty where that has none.
    """
    parts = [part for part in path.split("/") if part]
    match parts:
        case ["api", _, *rest] | ["apis", _, _, *rest] if rest:
            pass
        case _:
            return Call(verb=method.lower(), resource=path)
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    resource, name, sub = (*rest, "", "")[:3]
    if method == "POST" and not name:
        name = _named(body)
    return Call(
        verb=_verb(method, name, query),
        resource=f"{resource}/{sub}" if sub else resource,
        namespace=namespace,
        name=name,
    )


def narrowed(path: str, call: Call, namespace: str) -> str:
    """The path, with its query, of the same list or watch in one namespace; of any other request as it is."""
    wide = call.verb in ("list", "watch") and not call.namespace and call.resource not in _OF_THE_CLUSTER
    if not wide:
        return path
    collection, mark, query = path.partition("?")
    group, _, plural = collection.rpartition("/")
    return f"{group}/namespaces/{namespace}/{plural}{mark}{query}"


def _verb(method: str, name: str, query: Mapping[str, str]) -> str:
    if method != "GET":
        return "deletecollection" if method == "DELETE" and not name else _VERBS.get(method, method.lower())
    if query.get("watch") in ("true", "1"):
        return "watch"
    return "get" if name else "list"


def _named(body: bytes) -> str:
    try:
        manifest: Any = json.loads(body)
        return str(manifest["metadata"]["name"])
    except (ValueError, LookupError, TypeError):
        return ""
