"""What a mode takes away, and when: the same rule for the guard and for the operator."""

from dataclasses import dataclass
from typing import Final

from meditron_operator.core.killswitch.effective import Engaged, Mode, Off


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What the switch takes away by now; each further one includes those before it."""

    gates: bool = False
    """Readiness gates closed: no new connection through the Service."""
    cut: bool = False
    """Clients' policy removed, which also ends open streams where the network plugin does so; pods deleted,
    replicas 0."""


NOTHING: Final = Measures()
_HELD: Final = Measures(gates=True)
_CUT: Final = Measures(gates=True, cut=True)


def mode_of(off: Off, engaged_as: str | None) -> Mode:
    """The mode that counts.

    After a release, until somebody resumes, it is the mode that was released (`engaged_as`, as the guard told it):
    what was kept warm stays warm, and what was cut stays cut.
    """
    return Mode.of(off.mode if isinstance(off, Engaged) else engaged_as)


def measures(off: Off | None, engaged_as: str | None, *, drained: bool) -> Measures:
    """What is due. `drained`: the engine has nothing left to answer, or its grace is over."""
    if off is None:
        return NOTHING
    match mode_of(off, engaged_as):
        case Mode.HOLD:
            return _HELD
        case Mode.DRAIN if isinstance(off, Engaged) and not drained:
            return _HELD
        case _:
            return _CUT
