"""What runs in the pods of operator and guard, beside the cluster: simulated nodes run nothing."""

from meditron_operator import names
from tests.cluster.support import Admin
from tests.testbed import Testbed
from tests.testbed.install import NAMESPACE

PROGRAMS = ("operator", "guard", "guard-2")


class StandIn:
    """Operator and two guards, there as long as their service account is."""

    def __init__(self, bed: Testbed, admin: Admin) -> None:
        self._bed = bed
        self._admin = admin
        self._account: str | None = None

    def keep_up(self) -> None:
        """Start or end them after what was done to the installation."""
        account = self._admin.get("ServiceAccount", NAMESPACE, names.OPERATOR_NAME)
        uid = account["metadata"]["uid"] if account else None
        if uid == self._account:
            return
        self.end()
        if uid is not None:
            self._bed.run_installed({}, guards=2)
        self._account = uid

    def wait_admitting(self) -> None:
        """Until the API server knows our kinds, for whoever stops models seconds after the installation."""
        self._bed.wait_admitting()

    def replace(self) -> None:
        """As an upgrade replaces the pods."""
        for program in PROGRAMS:
            self._bed.stop(program)
            self._bed.start_program(program)

    def end(self) -> None:
        """Whatever of them runs."""
        states = self._bed.status()
        for program in PROGRAMS:
            if program in states and states[program].running:
                self._bed.stop(program)
        self._account = None
