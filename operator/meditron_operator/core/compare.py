"""Whether a live child is what it should be, and the full update that makes it so.

A full update and not a server-side apply, because an apply leaves alone what others added: a hand-added
environment variable, port or volume in a model's pod would survive every repair.
"""

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from meditron_operator import names
from meditron_operator.core.live import Live
from meditron_operator.core.render.meta import Manifest

# What the server fills in and we must not change: paths into the object, by kind.
_ALLOCATED: Final[Mapping[str, tuple[str, ...]]] = {
    "Service": ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"),
}

# Of a StatefulSet; all else that we render of it can be changed.
_IMMUTABLE: Final = ("serviceName", "selector", "podManagementPolicy", "volumeClaimTemplates")

# What platforms and their administrators link to every service account: OpenShift its tokens, others the
# registry's credentials. Taking that away would be a war without end.
_LINKED: Final = ("secrets", "imagePullSecrets")

# Annotations of ours on children; all others are somebody else's.
_OWN_ANNOTATIONS: Final = frozenset({names.CHOSEN_GPU})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A desired form, and the form in which the server returned it when it was last written.

    A newer server, or somebody's mutating webhook, adds defaults that this release doesn't know. Remembering
    what came back keeps the operator from writing the same thing again for ever.
    """

    desired: str
    returned: str
    template: tuple[str, str] | None = None
    """The same two of a StatefulSet's pod template alone: its partition and its replicas change more often."""


def settle(desired: Manifest, returned: Live) -> Settled:
    """What to remember after a write."""
    return Settled(desired=digest(desired), returned=digest(_content(returned)), template=_templates(desired, returned))


def matches(desired: Manifest, live: Live, settled: Settled | None) -> bool:
    """Whether `live` needs no update to become `desired`."""
    if not _metadata_matches(desired["metadata"], live.metadata):
        return False
    content = _content(live)
    if content == _without_metadata(desired):
        return True
    return settled is not None and (settled.desired, settled.returned) == (digest(desired), digest(content))


def same_template(desired: Manifest, live: Live, settled: Settled | None) -> bool:
    """Whether a StatefulSet has the pod template that is desired, whatever else it lacks."""
    if desired["spec"]["template"] == live.body["spec"].get("template"):
        return True
    return settled is not None and settled.template == _templates(desired, live)


def unchangeable(desired: Manifest, live: Live) -> str:
    """What would have to change of a StatefulSet, and the API server never changes; empty when nothing would."""
    found = [
        f"{field} is {json.dumps(live.body['spec'].get(field))} and should be {json.dumps(desired['spec'].get(field))}"
        for field in _IMMUTABLE
        if live.body["spec"].get(field) != desired["spec"].get(field)
    ]
    return ", ".join(found)


def updated(desired: Manifest, live: Live) -> Manifest:
    """The full object to send: `desired`, with what the server and others own in the metadata kept.

    It carries the resourceVersion that it was computed from, so a change in between is refused, not lost.
    """
    body: Manifest = copy.deepcopy(desired)
    wanted, kept = body["metadata"], live.metadata
    foreign = {key: text for key, text in kept.get("annotations", {}).items() if key not in _OWN_ANNOTATIONS}
    for field, others in (("labels", kept.get("labels", {})), ("annotations", foreign)):
        merged = {**others, **wanted.get(field, {})}
        if merged:
            wanted[field] = merged
    if kept.get("finalizers"):
        wanted["finalizers"] = kept["finalizers"]
    wanted["uid"] = live.uid
    wanted["resourceVersion"] = live.resource_version
    for field in _ALLOCATED.get(live.ref.kind, ()):
        if field in live.body["spec"]:
            body["spec"].setdefault(field, live.body["spec"][field])
    if live.ref.kind == "ServiceAccount":
        body |= {field: live.body[field] for field in _LINKED if field in live.body}
    return body


def _metadata_matches(desired: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    labelled: bool = desired["labels"].items() <= live.get("labels", {}).items()
    annotated = _own_annotations(desired) == _own_annotations(live)
    return labelled and annotated and bool(live.get("ownerReferences") == desired["ownerReferences"])


def _own_annotations(metadata: Mapping[str, Any]) -> Mapping[str, str]:
    return {key: text for key, text in metadata.get("annotations", {}).items() if key in _OWN_ANNOTATIONS}


def _content(live: Live) -> Manifest:
    """The part of a live object that is the operator's to decide."""
    content = _without_metadata(live.body)
    if live.ref.kind == "Service":
        return content | {"spec": _without_allocated(content["spec"])}
    if live.ref.kind == "ServiceAccount":
        return {field: value for field, value in content.items() if field not in _LINKED}
    if live.ref.kind == "StatefulSet":
        return content | {"spec": _without_max_unavailable(content["spec"])}
    return content


def _without_allocated(spec: Mapping[str, Any]) -> Manifest:
    """A headless Service asks for `clusterIP: None`; any other address is the server's choice."""
    return {
        field: value
        for field, value in spec.items()
        if field not in _ALLOCATED["Service"] or (field, value) == ("clusterIP", "None")
    }


def _without_max_unavailable(spec: Mapping[str, Any]) -> Manifest:
    """Kubernetes 1.35 and 1.37 fill in 1 where the releases before and between drop the field."""
    strategy = spec.get("updateStrategy", {})
    rolling = strategy.get("rollingUpdate", {})
    if rolling.get("maxUnavailable") != 1:
        return dict(spec)
    kept = {field: value for field, value in rolling.items() if field != "maxUnavailable"}
    return {**spec, "updateStrategy": {**strategy, "rollingUpdate": kept}}


def _templates(desired: Manifest, live: Live) -> tuple[str, str] | None:
    if desired["kind"] != "StatefulSet":
        return None
    return digest(desired["spec"]["template"]), digest(live.body["spec"].get("template") or {})


def _without_metadata(body: Mapping[str, Any]) -> Manifest:
    return {key: value for key, value in body.items() if key not in ("apiVersion", "kind", "metadata")}


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of something in wire form."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
