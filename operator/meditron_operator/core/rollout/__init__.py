"""Rolling a new template out, one replica at a time, and back when it fails."""

from meditron_operator.core.rollout.history import Good, History, history_of, kept_template
from meditron_operator.core.rollout.plan import Circumstances, Rollout, Stage, roll

__all__ = ["Circumstances", "Good", "History", "Rollout", "Stage", "history_of", "kept_template", "roll"]
