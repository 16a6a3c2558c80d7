"""The commands of the kill switch and their options. What needs a cluster is imported when it is asked for."""

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from meditron_operator.cli.switch.asked import Asked, read
from meditron_operator.cli.switch.failing import BAD_INPUT, Failed
from meditron_operator.cli.switch.options import (
    HERE,
    Context,
    Form,
    Name,
    Namespace,
    OperatorNamespace,
    Output,
    WholeCluster,
    WholeNamespace,
    asked_for,
)
from meditron_operator.cli.switch.telling import Telling
from meditron_operator.core.killswitch.effective import Mode
from meditron_operator.core.killswitch.outcome import Standing
from meditron_operator.core.killswitch.reason import screened_reason, screened_ticket

if TYPE_CHECKING:
    from meditron_operator.cli.switch.kill import Seen

app = typer.Typer()


@app.command("kill")
def kill_command(  # noqa: PLR0913 - the options are the command's interface
    name: Name = None,
    *,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why. No patient's data: no names, no numbers.")
    ] = None,
    ticket: Annotated[str | None, typer.Option(metavar="TICKET", help="Number of the incident.")] = None,
    mode: Annotated[
        Mode,
        typer.Option(help="halt: cut all at once. drain: finish answers first. hold: nobody new, pods stay warm."),
    ] = Mode.HALT,
    namespace: Namespace = None,
    namespace_scope: WholeNamespace = False,
    everything: WholeCluster = False,
    timeout: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long to try, and to wait.")] = 60.0,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the stop is proven.")] = True,
    operator_namespace: OperatorNamespace = HERE,
    context: Context = None,
    output: Output = Form.TABLE,
) -> None:
    """Stop a model now. Nothing is asked back; it needs no operator, and repeating it is safe.

    The stop is the first thing that is sent. Then it shows what happens until the guard has proven it; pods that are
    there after a second it ends itself (halt only). A reason that looks like a patient's data is withheld, and one
    that is missing can be given by a second run: neither holds up the stop. Names can't be recognised: leave them out.

    Exit code 0: stopped and proven. 3: stopped as far as can be seen, not proven. 1: not stopped in time. 2: bad
    input. 4: refused by the API server.

    Examples:

      meditron kill ward-assistant -n clinical-ai --reason "wrong dose suggested"

      meditron kill --namespace-scope -n clinical-ai --reason "wrong dose suggested" --ticket INC-7

      meditron kill --all --reason "all of them answer nonsense"

      meditron kill ward-assistant --mode drain --reason "update of the ward's system"
    """
    asked = asked_for(name, namespace, namespace_scope, everything, operator_namespace, context)

    def run() -> int:
        from meditron_operator.cli.switch.kill import Order, kill  # noqa: PLC0415 - `--help` needs no cluster

        tell = Telling(quiet=output is Form.JSON)
        why, ticketed = screened_reason(reason), screened_ticket(ticket)
        warnings = tuple(each.warning for each in (why, ticketed) if each.warning)
        order = Order(mode=mode, reason=why.text, ticket=ticketed.text, seconds=timeout, wait=wait, warnings=warnings)
        seen = kill(read(asked, needs_target=True), order, tell)
        return _answer(seen, tell, output)

    _end(run)


@app.command("release")
def release_command(  # noqa: PLR0913 - as above
    name: Name = None,
    *,
    namespace: Namespace = None,
    namespace_scope: WholeNamespace = False,
    everything: WholeCluster = False,
    operator_namespace: OperatorNamespace = HERE,
    context: Context = None,
) -> None:
    """Ask for the release of a stop: the first of two people. It stays off.

    Somebody else must approve within 15 minutes, under the own name.

      meditron release ward-assistant -n clinical-ai
    """
    _step("RELEASE", asked_for(name, namespace, namespace_scope, everything, operator_namespace, context), yes=True)


@app.command("approve")
def approve_command(  # noqa: PLR0913 - as above
    name: Name = None,
    *,
    namespace: Namespace = None,
    namespace_scope: WholeNamespace = False,
    everything: WholeCluster = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask back.")] = False,
    operator_namespace: OperatorNamespace = HERE,
    context: Context = None,
) -> None:
    """Approve the release that somebody else asked for: the second of two people. It stays off until it is resumed.

    meditron approve ward-assistant -n clinical-ai
    """
    _step("APPROVE", asked_for(name, namespace, namespace_scope, everything, operator_namespace, context), yes=yes)


@app.command("resume")
def resume_command(  # noqa: PLR0913 - as above
    name: Name = None,
    *,
    namespace: Namespace = None,
    namespace_scope: WholeNamespace = False,
    everything: WholeCluster = False,
    operator_namespace: OperatorNamespace = HERE,
    context: Context = None,
) -> None:
    """Let a released model run again, when the ward is ready.

    meditron resume ward-assistant -n clinical-ai
    """
    _step("RESUME", asked_for(name, namespace, namespace_scope, everything, operator_namespace, context), yes=True)


@app.command("drill")
def drill_command(  # noqa: PLR0913 - as above
    name: Name = None,
    *,
    namespace: Namespace = None,
    ticket: Annotated[str | None, typer.Option(metavar="TICKET", help="Number of the exercise.")] = None,
    timeout: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="For the stop, and for coming back.")
    ] = 600.0,
    stop_only: Annotated[
        bool, typer.Option("--stop-only", help="Stop it and prove it; leave the release to two people.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask back: no patient depends on it now.")] = False,
    operator_namespace: OperatorNamespace = HERE,
    context: Context = None,
    output: Output = Form.TABLE,
) -> None:
    """Try the kill switch on a deployment that nobody needs now: stop it, prove it, have it released, bring it back.

    It takes two people, as every release does: you stop it and ask for the release (roles meditron-stopper and
    meditron-releaser); it waits up to 15 minutes until somebody else runs `meditron approve`, then resumes. The answer
    as JSON is the evidence, with every time; the guard files a record of the action Drill. Who stops it for real
    meanwhile, with a reason of the own, ends the drill: it then stays off.

    With --stop-only it ends after the stop, which role meditron-stopper suffices for: the chart's CronJob does that.

    Exit code 0: stopped, proven, and back. 3: not proven, and back. 1: not stopped, not approved, or not back.

      meditron drill canary -n clinical-ai -o json > drill.json
    """
    asked = asked_for(name, namespace, False, False, operator_namespace, context)

    def run() -> int:
        from meditron_operator.cli.switch.drill import Exercise, drill  # noqa: PLC0415 - as above

        tell, ticketed = Telling(quiet=output is Form.JSON), screened_ticket(ticket)
        if ticketed.warning:
            tell.warn(ticketed.warning)
        exercise = Exercise(ticket=ticketed.text, seconds=timeout, stop_only=stop_only)
        evidence = drill(read(asked, needs_target=True), exercise, tell, _agreed if yes else _ask_for_drill)
        if output is Form.JSON:
            typer.echo(json.dumps(evidence.wire(), indent=2, ensure_ascii=False))
        else:
            tell.say("passed" if evidence.code == 0 else "NOT passed", "bold")
        return evidence.code

    _end(run)


@app.command("status")
def status_command(  # noqa: PLR0913 - as above
    name: Name = None,
    *,
    namespace: Namespace = None,
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of the whole cluster.")] = False,
    operator_namespace: OperatorNamespace = HERE,
    context: Context = None,
    output: Output = Form.TABLE,
) -> None:
    """Say what the kill switch keeps off, by whom, why, how well that is proven, and how far a release is.

    With the NAME of one deployment also everything else about it: each condition, each pod, and what to do next.

    Read from what is stored and what is there; it needs neither the guard nor the operator. Exit code 0 when it could
    be read.

      meditron status -A
    """
    whole = name is None and not all_namespaces
    asked = asked_for(name, namespace, whole, all_namespaces, operator_namespace, context)

    def run() -> int:
        from meditron_operator.cli.switch.status import status  # noqa: PLC0415 - as above

        return status(read(asked, needs_target=True), Telling(quiet=False), as_json=output is Form.JSON)

    _end(run)


def _step(which: str, asked: Asked, *, yes: bool) -> None:
    def run() -> int:
        from meditron_operator.cli.switch import release  # noqa: PLC0415 - as above

        act: release.Act = getattr(release, which)
        return release.take(act, read(asked, needs_target=True), Telling(quiet=False), _agreed if yes else _ask)

    _end(run)


def _agreed(_: str) -> bool:
    return True


def _ask(words: str) -> bool:
    return _asked_back(words, "not released", "Take the kill switch off?")


def _ask_for_drill(words: str) -> bool:
    return _asked_back(words, "no drill", "Begin?")


def _asked_back(words: str, undone: str, question: str) -> bool:
    if not sys.stdin.isatty():
        raise Failed(BAD_INPUT, f"{undone}: {words} Nobody can be asked here: add --yes")
    typer.echo(words, err=True)
    return typer.confirm(question, err=True)


def _answer(seen: "Seen", tell: Telling, output: Form) -> int:
    from meditron_operator.cli.switch.answer import as_json, show  # noqa: PLC0415 - as above

    if output is Form.JSON:
        typer.echo(json.dumps(as_json(seen, tell), indent=2, ensure_ascii=False))
    else:
        show(seen, tell)
    return int(Standing(seen.outcome.standing))


def _end(run: Callable[[], int]) -> None:
    """Exit codes; a failure is one line."""
    try:
        code = run()
    except Failed as failure:
        typer.echo(f"meditron: {failure}", err=True)
        raise typer.Exit(failure.code) from None
    raise typer.Exit(code)
