"""What came of one reconcile, and which of its errors decides about the next."""

from dataclasses import dataclass, field

from meditron_operator.core.live import Live, Ref
from meditron_operator.errors import ApiError, ConflictError, RefusedError


@dataclass(slots=True)
class Pass:
    """What one reconcile found out on its way."""

    others: dict[Ref, Live] = field(default_factory=dict)  # in the place of a child, unseen by the watches
    errors: list[ApiError] = field(default_factory=list)
    conflict: ConflictError | None = None
    learned: bool = False  # the cache was behind, which explains the conflict; it has been brought up to date
    writes: int = 0

    @property
    def refusals(self) -> list[str]:
        return [str(error) for error in self.errors if isinstance(error, RefusedError)]

    def raise_for_retry(self) -> None:
        """Raise the error that decides how soon another try makes sense: one that heals by itself before a refusal."""
        failed = [*self.errors, *filter(None, [self.conflict])]
        if failed:
            raise min(failed, key=lambda error: isinstance(error, RefusedError | ConflictError))
