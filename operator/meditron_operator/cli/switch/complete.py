"""Names for the shell to complete: asked of the cluster, or none at all. A wrong guess must not cost patience."""

import asyncio
from contextlib import suppress
from typing import Final

import typer

_SECONDS: Final = 2.0


def deployments(ctx: typer.Context) -> list[str]:
    """Of the namespace that was typed, or the kubeconfig's."""
    from meditron_operator.errors import ApiError  # noqa: PLC0415 - a command that runs needs none of this

    with suppress(ApiError, OSError, TimeoutError):
        return asyncio.run(_deployments(ctx.params.get("namespace"), ctx.params.get("context")))
    return []


async def _deployments(namespace: str | None, context: str | None) -> list[str]:
    from meditron_operator.shell.access import load_access  # noqa: PLC0415 - as above
    from meditron_operator.shell.cluster import DEPLOYMENTS  # noqa: PLC0415
    from meditron_operator.shell.person import reaching  # noqa: PLC0415

    access = load_access(context)
    async with reaching(access, _SECONDS) as person:
        found = await person.many(DEPLOYMENTS, namespace or access.namespace)
    return [each["metadata"]["name"] for each in found]
