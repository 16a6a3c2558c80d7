"""The status of a deployment, from observation only."""

from meditron_operator.core.status.events import event
from meditron_operator.core.status.gate import serving_condition
from meditron_operator.core.status.patch import merge_patch
from meditron_operator.core.status.summary import condition_changes, summarize
from meditron_operator.core.status.view import View

__all__ = ["View", "condition_changes", "event", "merge_patch", "serving_condition", "summarize"]
