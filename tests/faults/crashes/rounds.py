"""What people do to a deployment, in rounds that end where they began, so that a round can be gone again and again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from meditron_operator import names
from meditron_operator.shell.cluster import CHILDREN
from tests.cluster.people import engage, release, resume
from tests.cluster.support import IMAGE, Admin, Manifest, condition, current, deployment

NAME: Final = "notes"
COLOURS: Final = ("blue", "green")
"""What alternates from one round to the next where a change has no way back that is a change of another kind."""
LIMIT_SECONDS: Final = 30.0
GONE_SECONDS: Final = 60.0  # the garbage collector learns of a new kind of owner twice a minute only
LOST: Final = (("Service", NAME), ("NetworkPolicy", f"{NAME}-allow"), ("ServiceAccount", NAME))


@dataclass(frozen=True, slots=True)
class Ward:
    """A namespace with the deployment in it, as an administrator sees it."""

    admin: Admin
    namespace: str

    def patch(self, **spec: Any) -> None:
        self.admin.patch(names.KIND, self.namespace, NAME, {"spec": spec})

    def spec(self) -> Manifest:
        body = self.admin.get(names.KIND, self.namespace, NAME)
        assert body is not None
        return dict(body["spec"])


Act = Callable[[Ward], None]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is asked for, and how one waits until it is done."""

    name: str
    act: Act
    done: Act
    crashes: bool = True
    """Not where it is the same as another step, from elsewhere."""


@dataclass(frozen=True, slots=True)
class Round:
    """Steps that lead back to where they began."""

    prepare: Act
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        return self.steps[0].name.replace(" ", "-")


def made(**spec: Any) -> Act:
    """A deployment that is there."""

    def act(ward: Ward) -> None:
        ward.admin.create(deployment(NAME, ward.namespace, **spec))

    return act


def ready(ward: Ward) -> None:
    ward.admin.wait_settled(ward.namespace, NAME, "Ready", LIMIT_SECONDS)


def prepared(**spec: Any) -> Act:
    """A deployment that serves."""

    def act(ward: Ward) -> None:
        made(**spec)(ward)
        ready(ward)

    return act


def nothing(_: Ward) -> None:
    """Needs nothing."""


def scaled(replicas: int) -> Act:
    return lambda ward: ward.patch(replicas=replicas)


def other(colour: str) -> str:
    return COLOURS[1] if colour == COLOURS[0] else COLOURS[0]


def clients_changed(ward: Ward) -> None:
    """A policy is another one, and no pod is."""
    labels = ward.spec()["network"]["clients"][0]["podLabels"]
    ward.patch(network={"clients": [{"namespace": "ward", "podLabels": {"app": other(labels["app"])}}]})


def template_changed(ward: Ward) -> None:
    ward.patch(engine={"extraEnv": {"COLOUR": other(ward.spec()["engine"]["extraEnv"]["COLOUR"])}})


def engine(fault: str | None) -> Act:
    """A template whose engine never serves, or does."""
    return lambda ward: ward.patch(engine={"extraEnv": {"SIMULATED_FAULT": fault}})


def rolled_back(ward: Ward) -> None:
    def holds(body: Manifest | None) -> bool:
        if body is None or not current(body) or body["status"]["ready"] != "2/2":
            return False
        return condition(body, "Progressing").get("reason") == "RolledBack"

    ward.admin.wait(names.KIND, ward.namespace, NAME, holds, LIMIT_SECONDS)


def children_deleted(ward: Ward) -> None:
    for kind, name in LOST:
        ward.admin.delete(kind, ward.namespace, name)


def children_back(ward: Ward) -> None:
    for kind, name in LOST:
        ward.admin.wait(kind, ward.namespace, name, lambda body: body is not None, LIMIT_SECONDS)


def deleted(ward: Ward) -> None:
    ward.admin.delete(names.KIND, ward.namespace, NAME)


def gone(ward: Ward) -> None:
    """The children too, by the garbage collector."""
    for kind in (*CHILDREN, "Pod"):
        for body in ward.admin.list(kind, ward.namespace, names.DEPLOYMENT_LABEL):
            ward.admin.wait_gone(kind, ward.namespace, body["metadata"]["name"], GONE_SECONDS)


def stopped(reason: str) -> Act:
    def done(ward: Ward) -> None:
        ward.admin.wait_condition(ward.namespace, NAME, "Stopped", reason, LIMIT_SECONDS)
        ward.admin.wait_phase(ward.namespace, NAME, "Stopped", LIMIT_SECONDS)

    return done


def engaged(mode: str) -> Act:
    return lambda ward: engage(ward.admin, ward.namespace, NAME, mode)


def released(ward: Ward) -> None:
    release(ward.admin, ward.namespace, NAME)


def resumed(ward: Ward) -> None:
    resume(ward.admin, ward.namespace, NAME)


ROUNDS: Final = (
    Round(
        prepared(replicas=2, engine={"image": IMAGE, "extraEnv": {"COLOUR": COLOURS[0]}}),
        (Step("change of the template", template_changed, ready),),
    ),
    Round(
        prepared(replicas=2, rollout={"onFailure": "rollback"}),
        (Step("rollback", engine("crash"), rolled_back), Step("correction", engine(None), ready)),
    ),
    Round(nothing, (Step("creation", made(), ready), Step("deletion", deleted, gone))),
    Round(prepared(), (Step("scale up", scaled(2), ready), Step("scale down", scaled(1), ready))),
    Round(
        prepared(),
        (
            Step("halt", engaged("halt"), stopped("EngagedUnverified")),
            Step("release of a halt", released, stopped("Released")),
            Step("resumption", resumed, ready),
        ),
    ),
    Round(
        prepared(),
        (
            Step("hold", engaged("hold"), stopped("EngagedUnverified")),
            Step("release of a hold", released, stopped("Released")),
            Step("resumption of a hold", resumed, ready, crashes=False),
        ),
    ),
    Round(prepared(), (Step("change of the clients", clients_changed, ready),)),
    Round(prepared(), (Step("repair of deleted children", children_deleted, children_back),)),
)
