"""Whether what is there is right: by the operator's own pure functions, and by what its log and its requests say."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from meditron_operator import names
from meditron_operator.core.assess import Accepted, assess
from meditron_operator.core.compare import matches
from meditron_operator.core.engines.base import Sized
from meditron_operator.core.live import Live
from meditron_operator.core.render import Site, desired
from meditron_operator.core.render.meta import Manifest, Owner
from meditron_operator.core.spec import AUTO_GPU, SpecError
from meditron_operator.core.steps import ref_of
from tests.campaign.compare import differences
from tests.campaign.sight import NAME, Seen
from tests.cluster.support import condition
from tests.testbed.install import NAMESPACE

_QUIET_LEVELS: Final = frozenset({"debug", "info", "warning"})


def inconsistent(before: Seen | None, seen: Seen) -> list[str]:
    """What is wrong with the children and the status of one that is at rest. `before`: as it was at rest before."""
    verdict = _verdict(seen)
    if isinstance(verdict, SpecError):
        return _changed(before, seen) + _unexplained(seen, verdict)
    if verdict is None:
        return _changed(before, seen)
    if seen.phase == "Invalid":
        return [f"phase is Invalid ({seen.status['reason']}), and the spec can be carried out"]
    return _astray(seen, verdict.sized, verdict.image) + _pods(seen, verdict.sized)


def _verdict(seen: Seen) -> Accepted | SpecError | None:
    """None where auto found no card: which of them are in question depends on the moment."""
    spec: Mapping[str, Any] = seen.deployment["spec"]
    if spec["gpu"]["type"] == AUTO_GPU:
        if seen.phase == "Invalid":
            return None
        card = seen.status["gpuChoice"]["gpuType"]
        spec = {**spec, "gpu": {**spec["gpu"], "type": card}}
    return assess(NAME, spec, None)


def _unexplained(seen: Seen, error: SpecError) -> list[str]:
    accepted = condition(seen.deployment, "Accepted")
    told = (accepted.get("reason"), accepted.get("message"))
    return [] if told == (error.reason, error.message) else [f"Accepted says {told}, and should say {error}"]


def _changed(before: Seen | None, seen: Seen) -> list[str]:
    """A spec that can't be carried out makes, changes and deletes no child."""
    then = {} if before is None else _specs(before)
    changed = differences(then, _specs(seen))
    return [f"{path} is {now}, was {was}, though the spec can't be carried out" for path, was, now in changed]


def _specs(seen: Seen) -> dict[str, Any]:
    return {f"{kind} {body['metadata']['name']}": body.get("spec") for kind, body in seen.children}


def _astray(seen: Seen, sized: Sized, image: str) -> list[str]:
    """Children that are not what this spec renders to."""
    meta = seen.deployment["metadata"]
    owner = Owner(name=meta["name"], namespace=meta["namespace"], uid=meta["uid"])
    wanted = {
        str(ref_of(each)): each
        for each in desired(owner, sized, Site(operator_namespace=NAMESPACE, image=image, stopped=False))
    }
    there = {f"{kind} {body['metadata']['name']}": Live.of(kind, body) for kind, body in seen.children}
    found = [f"{name} is missing" for name in wanted.keys() - there.keys()]
    found += [f"{name} should not be there" for name in there.keys() - wanted.keys()]
    for name in wanted.keys() & there.keys():
        if not matches(_as_rolled_out(wanted[name], there[name], seen), there[name], None):
            found.append(f"{name} is not as rendered")
    return found


def _as_rolled_out(wanted: Manifest, live: Live, seen: Seen) -> Manifest:
    """With what is the rollout's to decide, and the memory of the choice of a card, as they are."""
    if wanted["kind"] != "StatefulSet":
        return wanted
    spec = {**wanted["spec"], "updateStrategy": live.body["spec"]["updateStrategy"]}
    strategy = dict(spec["updateStrategy"])
    strategy["rollingUpdate"] = {
        key: value for key, value in strategy["rollingUpdate"].items() if key != "maxUnavailable"
    }
    spec["updateStrategy"] = strategy
    if seen.status["reason"] == "RolledBack":
        spec["template"] = live.body["spec"]["template"]
    metadata = dict(wanted["metadata"])
    chosen = live.metadata.get("annotations", {}).get(names.CHOSEN_GPU)
    if seen.deployment["spec"]["gpu"]["type"] == AUTO_GPU and chosen:
        metadata["annotations"] = {names.CHOSEN_GPU: chosen}
    return {**wanted, "metadata": metadata, "spec": spec}


def _pods(seen: Seen, sized: Sized) -> list[str]:
    """Where it says that it serves, exactly the wanted pods do, all of them of the template of the spec."""
    if not seen.serves:
        return []
    (workload,) = (body for kind, body in seen.children if kind == "StatefulSet")
    wrong = [pod["metadata"]["name"] for pod in seen.pods if not _serves(pod, workload["status"].get("updateRevision"))]
    found = [f"pods that don't serve with the template of the spec: {', '.join(wrong)}"] if wrong else []
    if len(seen.pods) != sized.spec.replicas:
        found.append(f"{len(seen.pods)} pods, and {sized.spec.replicas} are wanted")
    return found


def _serves(pod: Manifest, revision: str | None) -> bool:
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", ()))
    same: bool = pod["metadata"]["labels"].get("controller-revision-hash") == revision
    return ready and same and "deletionTimestamp" not in pod["metadata"]


def complaints(log: Path) -> list[str]:
    """Lines of the operator's log that are above a warning, or not its own."""
    found = []
    for line in log.read_text().splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            found.append(line)
            continue
        if entry.get("level") not in _QUIET_LEVELS:
            found.append(line)
    return found
