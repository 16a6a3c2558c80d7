"""The command `plan`: asks sizing, and shows the answer to a person or a program."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from typing import Any

from meditron_operator.cli.errors import BadInput
from meditron_operator.cli.question import Question
from meditron_operator.core.catalog.gpus import GPUS, Gpu
from meditron_operator.core.engines.tgi import sizing_environment
from meditron_operator.core.sizing import Demand, DoesNotFit, Plan, checkpoint_bytes, plan
from meditron_operator.core.sizing.explain import Term, terms
from meditron_operator.core.sizing.fit import PROFILES, Fit, measure
from meditron_operator.core.sizing.matrix import Row, matrix
from meditron_operator.core.sizing.planner import best_fit
from meditron_operator.core.sizing.report import alternatives, report

FITS, DOES_NOT_FIT = 0, 1
"""Exit codes; 2 is bad input."""


class Output(StrEnum):
    """Forms of the answer."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def answer(question: Question, nodes: str | None, output: Output, *, explain: bool) -> int:
    """Print the answer; the exit code. `nodes` names a file to choose the card from."""
    if nodes is not None:
        return _among_nodes(question, nodes, output, explain=explain)
    if question.gpu is None:
        return _all_cards(question, output)
    return _one_card(question, question.gpu, output, explain=explain)


def _one_card(
    question: Question, gpu: Gpu, output: Output, *, explain: bool, choice: dict[str, Any] | None = None
) -> int:
    demand = question.on(gpu)
    found = plan(demand)
    if output is Output.TABLE:
        _show(demand, found)
        if explain:
            _show_explanation(demand, found, _manifest(question))
    else:
        body = report(demand, found, alternatives(demand, found))
        body |= _explained(demand, found, _manifest(question)) if explain else {}
        _print_data(body if choice is None else body | {"choice": choice}, output)
    return FITS if isinstance(found, Plan) else DOES_NOT_FIT


def _among_nodes(question: Question, nodes: str, output: Output, *, explain: bool) -> int:
    if not question.auto:
        raise BadInput("--nodes: only where the card is to be chosen: --gpu auto, or gpu.type: auto in a manifest")
    from meditron_operator.cli.choosing import chosen  # noqa: PLC0415 - reading nodes costs the kubernetes package
    from meditron_operator.core.auto import Choice, tell  # noqa: PLC0415

    choice = chosen(question, nodes)
    if isinstance(choice, Choice):
        told = tell(choice)
        if output is Output.TABLE:
            _show_choice(told)
        return _one_card(question, choice.gpu, output, explain=explain, choice=told)
    refusals = [{"gpuType": each.gpu_type, "reason": each.reason} for each in choice]
    if output is Output.TABLE:
        _show_choice({"refusals": refusals})
    else:
        _print_data({"fits": False, "refusals": refusals}, output)
    return DOES_NOT_FIT


def _show_choice(told: dict[str, Any]) -> None:
    from meditron_operator.cli.present.choice import choice_text  # noqa: PLC0415 - as below
    from meditron_operator.cli.present.screen import screen  # noqa: PLC0415

    screen().say(choice_text(told))


def _all_cards(question: Question, output: Output) -> int:
    rows = matrix(question.on, question.gpus)
    if output is Output.TABLE:
        _show_matrix(rows)
    else:
        cells = (cell for row in rows for cell in row.cells)
        body = [{"gpuType": cell.demand.gpu.name} | report(cell.demand, cell.answer) for cell in cells]
        _print_data({"fits": any(row.fits for row in rows), "matrix": body}, output)
    return FITS if any(row.fits for row in rows) else DOES_NOT_FIT


def _print_data(body: dict[str, Any], output: Output) -> None:
    if output is Output.JSON:
        sys.stdout.write(json.dumps(body, indent=2, ensure_ascii=False) + "\n")
        return
    import yaml  # noqa: PLC0415 - only asked for by name

    yaml.safe_dump(body, sys.stdout, sort_keys=False, allow_unicode=True, width=120)


def _manifest(question: Question) -> dict[str, Any] | None:
    """What a manifest must say of the model; None where the catalog says it."""
    if not question.checkpoint.described:
        return None
    from meditron_operator.cli.snippet import model_section  # noqa: PLC0415 - costs pydantic

    return model_section(question)


def _show(demand: Demand, found: Plan | DoesNotFit) -> None:
    from meditron_operator.cli.present import answer as words  # noqa: PLC0415 - rich costs what JSON need not pay
    from meditron_operator.cli.present.bar import memory_bar  # noqa: PLC0415
    from meditron_operator.cli.present.screen import screen  # noqa: PLC0415

    out = screen()
    out.say(words.title(demand))
    parts = found.bytes_per_gpu if isinstance(found, Plan) else _nearest_bytes(found)
    if parts is not None:
        out.say(memory_bar(parts, out.width, plain=out.plain))
    out.say(words.verdict(demand, found))
    out.say(words.steps(found))
    out.say(words.others(alternatives(demand, found)))
    if isinstance(found, Plan):
        out.say(words.refused(_smaller(demand)))


def _show_explanation(demand: Demand, found: Plan | DoesNotFit, manifest: dict[str, Any] | None) -> None:
    from meditron_operator.cli.present import explanation as words  # noqa: PLC0415 - as above
    from meditron_operator.cli.present.screen import screen  # noqa: PLC0415

    out, sum_ = screen(), _sum(demand, found)
    if sum_:
        out.say("")
        out.show(words.terms_table(sum_))
    if isinstance(found, Plan):
        out.say("")
        out.say(words.environment_text(sizing_environment(demand, found)))
        out.say(
            words.pod_text(
                found.host_memory_bytes,
                found.shm_bytes,
                found.ephemeral_storage_bytes,
                found.cpus,
                checkpoint_bytes(demand),
            )
        )
    if manifest is not None:
        out.say(words.manifest_text(manifest))


def _show_matrix(rows: tuple[Row, ...]) -> None:
    from meditron_operator.cli.present.matrix import HOW_TO_READ, matrix_lines  # noqa: PLC0415 - as above
    from meditron_operator.cli.present.screen import screen  # noqa: PLC0415

    out = screen()
    first = rows[0].cells[0].demand
    out.say(f"{first.weights_name}, {first.concurrency} x {first.context_tokens:,} tokens at once")
    for line in matrix_lines(rows):
        out.line(line)
    out.say(HOW_TO_READ)


def _nearest_bytes(found: DoesNotFit) -> Any:
    shortfall = found.refusals[0].shortfall
    return None if shortfall is None else shortfall.bytes_per_gpu


def _sum(demand: Demand, found: Plan | DoesNotFit) -> tuple[Term, ...]:
    """The terms of the plan, or of the refusal that came nearest."""
    fit = best_fit(demand) if isinstance(found, Plan) else _nearest_fit(demand, found)
    return () if fit is None else terms(demand, fit)


def _nearest_fit(demand: Demand, found: DoesNotFit) -> Fit | None:
    nearest = found.refusals[0]
    if nearest.shortfall is None or nearest.gpus is None:
        return None
    settings = next(each for each in PROFILES if each.profile is nearest.shortfall.profile)
    return measure(demand, nearest.gpus, settings)


def _explained(demand: Demand, found: Plan | DoesNotFit, manifest: dict[str, Any] | None) -> dict[str, Any]:
    lines = [
        {
            "name": term.name,
            "formula": term.formula,
            "numbers": term.numbers,
            "value": term.value,
            "unit": term.unit,
            "source": term.source,
        }
        for term in _sum(demand, found)
    ]
    described = {"terms": lines} | ({} if manifest is None else {"manifest": manifest})
    if isinstance(found, DoesNotFit):
        return described
    pod = {
        "memoryBytes": found.host_memory_bytes,
        "shmBytes": found.shm_bytes,
        "ephemeralStorageBytes": found.ephemeral_storage_bytes,
        "cpus": found.cpus,
        "checkpointBytes": checkpoint_bytes(demand),
    }
    return described | {"environment": sizing_environment(demand, found), "pod": pod}


def _smaller(demand: Demand) -> Iterator[tuple[Gpu, DoesNotFit]]:
    """Cards with less memory than the asked one that don't hold the demand at any count, largest first."""
    less = [gpu for gpu in GPUS.values() if gpu.cuda_total_bytes < demand.gpu.cuda_total_bytes]
    for gpu in sorted(less, key=lambda gpu: -gpu.cuda_total_bytes):
        other = plan(replace(demand, gpu=gpu, gpus=None))
        if isinstance(other, DoesNotFit):
            yield gpu, other
