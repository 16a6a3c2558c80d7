"""A choice in words and numbers, as the status and `meditron plan` tell it."""

from typing import Any, Final

from meditron_operator.core.auto.choose import Choice

MOST_WORDS: Final = 512
"""Characters of one reason; the conditions have room for more."""


def tell(choice: Choice) -> dict[str, Any]:
    return {
        "gpuType": choice.gpu.name,
        "reason": _cut(choice.reason),
        "runnersUp": [
            {
                "gpuType": each.gpu_type,
                "gpusPerReplica": each.gpus_per_replica,
                "profile": str(each.profile),
                "reason": _cut(each.reason),
            }
            for each in choice.runners_up
        ],
        "refusals": [{"gpuType": each.gpu_type, "reason": _cut(each.reason)} for each in choice.refusals],
    }


def _cut(words: str) -> str:
    return words if len(words) <= MOST_WORDS else words[: MOST_WORDS - 1] + "…"
