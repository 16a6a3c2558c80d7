"""What an auditor reads: one line for each event, and where the chain breaks."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from meditron_operator.core.killswitch import SwitchState
from meditron_operator.core.killswitch.admitted import admitted_at
from meditron_operator.core.killswitch.records import Record, report
from tests.unit.records.kit import BY, ENGAGED, KILL, REASON, RELEASED, RESUME, TICKET, Clerk, carrier, outcome


def story() -> list[Record]:
    clerk, first = Clerk(), carrier(ENGAGED)
    clerk.keep(first)
    clerk.conclude(first, outcome(seconds_to_stop=2.4))
    for annotations in (RELEASED, RELEASED | {RESUME: "rosa"}, {KILL: "hold"}):
        clerk.keep(carrier(annotations))
    doubt = outcome(SwitchState.ENGAGED_UNVERIFIED, seconds_to_stop=None, unconfirmed_pods=("ward-0 on n1",))
    clerk.conclude(carrier({KILL: "hold"}), doubt)
    return clerk.records


INTACT = """\
# Records of the kill switch

## Namespace `clinical-ai`

The chain of 4 records is intact.

- `kill-000001` 2026-01-31T12:00:00Z: **Engage** halt of deployment `ward` by `anna`; because `wrong dose`; \
ticket `T-1`; stopped in 2.4 s, proven at 2026-01-31T12:00:00Z; fixed
- `kill-000002` 2026-01-31T12:00:00Z: **Release** halt of deployment `ward` by `paul`, requested by `rita` at \
2026-01-31T12:00:00Z; outcome Released; fixed
- `kill-000003` 2026-01-31T12:00:00Z: **Resume** halt of deployment `ward` by `rosa`; outcome Resumed; fixed
- `kill-000004` 2026-01-31T12:00:00Z: **Engage** hold of deployment `ward` by nobody that the server named \
(see the API audit log); no reason given; no ticket; **not proven**, nobody saw `ward-0 on n1` end; \
not fixed by a later record yet
"""


def test_a_chain_that_is_intact() -> None:
    assert report(story()) == INTACT
    assert report([]) == "# Records of the kill switch\n\nThere are none.\n"


def test_a_chain_that_is_not() -> None:
    first, second, *rest = story()
    text = report([first, replace(second, spec={**second.spec, "actor": "nobody"}), *rest[1:]])
    assert "**The chain is broken**, in 2 places:" in text
    assert "- `kill-000002`: its spec or its hash was changed" in text
    assert "- `kill-000003`: missing" in text
    (line,) = [line for line in text.splitlines() if line.startswith("- `kill-000002` ")]
    assert line.endswith("**chain broken here**")


@given(st.text(), st.text())
def test_nobodys_words_are_mark_up_or_another_line(reason: str, actor: str) -> None:
    clerk = Clerk()
    clerk.keep(carrier({KILL: "halt", REASON: reason, BY: actor, TICKET: reason}))
    (line,) = [line for line in report(clerk.records).split("\n") if line.startswith("- `kill-000001` ")]
    assert line.isprintable()
    assert line.count("`") % 2 == 0
    outside = "".join(line.split("`")[::2])
    assert not {"<", "[", "#"} & set(outside)


def test_when_the_server_took_it_in() -> None:
    def entry(time: str, *keys: str) -> dict[str, object]:
        return {"time": time, "fieldsV1": {"f:metadata": {"f:annotations": {f"f:{key}": {} for key in keys}}}}

    entries = [entry("1", "x"), entry("2", KILL), entry("3", "x", KILL), entry("4", "x"), {"time": "5"}, {}, None]
    assert admitted_at({"managedFields": entries}, KILL) == "2"
    assert admitted_at({"managedFields": "x"}, KILL) is None
    assert admitted_at({}, KILL) is None
