"""Who has the lease, and what an operator says of itself."""

import urllib.error
import urllib.request
from typing import Final

from meditron_operator import names
from tests.cluster.support import Admin
from tests.testbed.install import NAMESPACE

LEASE: Final = ("Lease", NAMESPACE, names.OPERATOR_NAME)
TAKEOVER_SECONDS: Final = 25  # the lease's 15, two looks, and what a loaded machine adds


def wait_holder(admin: Admin, identity: str, seconds: float = TAKEOVER_SECONDS) -> None:
    admin.wait(*LEASE, lambda body: bool(body and body["spec"].get("holderIdentity") == identity), seconds)


def ask(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()
    except OSError:
        return 0, ""
