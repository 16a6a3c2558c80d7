"""What can go wrong with an engine, and what the deployment then says. The table of tests/node/test_faults.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

BEGIN: Final = ("False NotScheduled", "False Loading")
"""Every deployment takes these steps first; one that passes at once may not be seen."""
SERVING: Final = "True Serving"
CRASH_LOOP: Final = "False CrashLoop"
OUT_OF_MEMORY: Final = "False OutOfMemory"
UNHEALTHY: Final = "False Unhealthy"
SOON: Final = {"crash_after_seconds": 1.0}
"""Not before whoever asked for the fault has got an answer."""
SMALL: Final = {"TEST_MEMORY_LIMIT": "256Mi"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One deployment. `after` are the steps of Available, after those of `BEGIN`."""

    name: str
    after: tuple[str, ...]
    words: str
    """Of the message with the worst of the steps."""
    env: Mapping[str, str] = field(default_factory=dict)
    path: str = "meditron-7b"
    image: str = "double"
    restarts: int = 0
    """So often the container has to have been started again before the steps are looked at."""
    inject: Mapping[str, Any] = field(default_factory=dict)
    """Given to the engine once it serves."""
    fails_a_request: bool = False
    perhaps: str = ""
    """A step that may come in between: on a slow machine health fails before the kernel has decided."""

    @property
    def steps(self) -> list[str]:
        return [*((SERVING,) if self.inject else ()), *self.after]

    @property
    def worst(self) -> str:
        """The reason that `words` come with."""
        bad = [step for step in self.after if step != SERVING]
        return (bad[0] if bad else BEGIN[-1]).split()[1]


WHILE_IT_STARTS: Final = (
    Fault(name="slow", env={"DOUBLE_LOAD_SECONDS": "20"}, after=(SERVING,), words="may take 63. s"),
    Fault(
        name="download",
        env={"DOUBLE_LOAD": "download"},
        after=(CRASH_LOOP,),
        words="exit code 1 after [0-9]+ restarts: .*Temporary failure in name resolution",
        restarts=2,
    ),
    Fault(
        name="no-folder",
        path="nowhere",
        after=(CRASH_LOOP,),
        words="Repo id must be in the form .*'/model/nowhere'",
        restarts=2,
    ),
    Fault(
        name="shard",
        env={"DOUBLE_LOAD": "shard"},
        after=(CRASH_LOOP,),
        words="exit code 1 .*CUDA out of memory.*ShardCannotStart",
        restarts=2,
    ),
    Fault(
        name="warm-up",
        env={"DOUBLE_LOAD": "oom"},
        after=(CRASH_LOOP,),
        words="Not enough memory to handle [0-9]+ prefill tokens.*decrease `--max-batch-prefill-tokens`",
        restarts=2,
    ),
    Fault(
        name="small-cache",
        env={"DOUBLE_KV_TOKENS": "1000"},
        after=(CRASH_LOOP,),
        words=r"NotEnoughMemory\(2048\)",
        restarts=2,
    ),
    Fault(
        name="bad-flag",
        env={"MAX_BATCH_SIZE": "many"},
        after=(CRASH_LOOP,),
        words="exit code 2 .*invalid value 'many' for '--max-batch-size",
        restarts=2,
    ),
    Fault(
        name="bad-limit",
        env={"MAX_BATCH_SIZE": "0"},
        after=(CRASH_LOOP,),
        words="exit code 1 .*`max_batch_size` must be > 0",
        restarts=2,
    ),
    Fault(
        name="hang",
        env={"DOUBLE_LOAD": "hang", "TEST_STARTUP_FAILURES": "5"},
        after=(CRASH_LOOP,),
        words="Completed with exit code 0 .*startup or liveness probe fails",
        restarts=2,
    ),
    Fault(
        name="host-memory",
        env={"DOUBLE_MEMORY_MIB": "1024", **SMALL},
        after=(OUT_OF_MEMORY,),
        words="OOMKilled with exit code 137",
        restarts=2,
    ),
    Fault(name="no-image", image="absent", after=("False ImagePullFailed",), words="testbed.invalid/none"),
    Fault(name="no-program", image="hollow", after=("False ContainerRefused",), words="/nothing", restarts=1),
)

WHILE_IT_SERVES: Final = (
    Fault(
        name="shard-crash",
        inject={"crash": "shard", **SOON},
        after=(CRASH_LOOP, SERVING),
        words="exit code 1 .*Shard 0 crashed",
    ),
    Fault(
        name="shard-killed",
        inject={"crash": "oom", **SOON},
        after=(CRASH_LOOP, SERVING),
        words="exit code 1 .*signaled to shutdown with signal 9",
    ),
    Fault(name="segfault", inject={"crash": "signal:11", **SOON}, after=(CRASH_LOOP, SERVING), words="exit code 139"),
    Fault(
        name="grows",
        env=SMALL,
        inject={"memory_mib": 1024},
        perhaps=UNHEALTHY,
        after=(OUT_OF_MEMORY, SERVING),
        words="OOMKilled with exit code 137",
    ),
    Fault(
        name="says-503",
        inject={"forward_failures": -1},
        fails_a_request=True,
        after=(UNHEALTHY, CRASH_LOOP, SERVING),
        words="does not answer its health check any more",
    ),
    Fault(
        name="hangs",
        inject={"hang": True},
        after=(UNHEALTHY, CRASH_LOOP, SERVING),
        words="does not answer its health check any more",
    ),
)
