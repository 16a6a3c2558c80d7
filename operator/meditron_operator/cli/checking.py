"""Looks at an installation: are operator and guard ready, and does the API server refuse what it must?"""

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any, Final

from meditron_operator import names
from meditron_operator.cli.switch.failing import BAD_INPUT, DONE, NOT_DONE, Failed
from meditron_operator.cli.switch.telling import Telling
from meditron_operator.core.installation import Attempt, Finding, attempts, readiness
from meditron_operator.core.live import Ref
from meditron_operator.errors import ApiError, NotFoundError, RefusedError
from meditron_operator.shell.access import load_access
from meditron_operator.shell.cluster import DEPLOYMENTS, RECORDS, Resource
from meditron_operator.shell.person import Person, reaching

_WORKLOADS: Final = Resource("Deployment", "apps/v1", "deployments")
_RESOURCES: Final = {each.kind: each for each in (DEPLOYMENTS, RECORDS)}
_AGAIN_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an installation should have."""

    namespace: str
    guard: bool
    admission: bool


def check(expected: Expected, context: str | None, seconds: float, *, as_json: bool) -> int:
    """Look until all is fine or the time is over; print what was found. The exit code; raises Failed."""
    try:
        access = load_access(context)
    except ApiError as error:
        raise Failed(BAD_INPUT, str(error)) from None

    async def run() -> list[Finding]:
        async with reaching(access) as person:
            return await _until_fine(person, expected, seconds)

    findings = asyncio.run(run())
    fine = all(finding.fine for finding in findings)
    tell = Telling(quiet=False)
    if as_json:
        tell.say(json.dumps({"fine": fine, "findings": [asdict(each) for each in findings]}, indent=2))
    else:
        width = max(len(finding.what) for finding in findings)
        for each in findings:
            tell.say(f"{'ok' if each.fine else 'NO'}  {each.what:<{width}}  {each.words}", "" if each.fine else "bold")
    return DONE if fine else NOT_DONE


async def _until_fine(person: Person, expected: Expected, seconds: float) -> list[Finding]:
    end = monotonic() + seconds
    while True:
        findings = await _look(person, expected)
        if monotonic() + _AGAIN_SECONDS > end or all(finding.fine for finding in findings):
            return findings
        await asyncio.sleep(_AGAIN_SECONDS)


async def _look(person: Person, expected: Expected) -> list[Finding]:
    programs = [names.OPERATOR_NAME, *([names.GUARD_NAME] if expected.guard else [])]
    tried = attempts(expected.namespace) if expected.admission else ()
    looks: list[Coroutine[Any, Any, Finding]] = [_ready(person, expected.namespace, name) for name in programs]
    return await asyncio.gather(*looks, *(_refused(person, attempt) for attempt in tried))


async def _ready(person: Person, namespace: str, name: str) -> Finding:
    try:
        return readiness(name, await person.one(_WORKLOADS, Ref(kind="Deployment", namespace=namespace, name=name)))
    except NotFoundError:
        return readiness(name, None)
    except ApiError as error:
        return Finding(name, fine=False, words=str(error))


async def _refused(person: Person, attempt: Attempt) -> Finding:
    try:
        await person.would_create(_RESOURCES[attempt.manifest["kind"]], attempt.manifest)
    except RefusedError as refusal:
        return attempt.judged(str(refusal))
    except ApiError as error:  # of a server that has not learnt of our kinds yet, too
        return Finding(attempt.what, fine=False, words=str(error))
    return attempt.judged(None)
