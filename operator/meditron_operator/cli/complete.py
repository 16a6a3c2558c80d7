"""Words that the shell completes; typer keeps those that begin like the one typed."""

from meditron_operator.core.catalog.gpus import GPUS
from meditron_operator.core.catalog.models import MODELS


def models() -> list[str]:
    """Catalog names, then Hub ids."""
    return [*MODELS, *(alias for model in MODELS.values() for alias in model.aliases)]


def gpus() -> list[str]:
    """Cards of the catalog."""
    return list(GPUS)
