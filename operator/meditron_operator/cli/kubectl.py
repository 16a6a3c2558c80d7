"""Completion of `kubectl meditron …`: kubectl asks the program `kubectl_complete-meditron` for it."""

import os
import shlex
import sys
from typing import Final

from meditron_operator.cli.main import main

_NO_FILES: Final = ":4"  # to kubectl: these are all, don't add names of files


def complete() -> None:
    """The words typed so far are the arguments, the last of them unfinished; one proposal a line."""
    *typed, last = sys.argv[1:] or [""]
    os.environ["_MEDITRON_COMPLETE"] = "complete_bash"
    os.environ["COMP_WORDS"] = f"{shlex.join(['meditron', *typed])} {last}"
    os.environ["COMP_CWORD"] = str(len(typed) + 1)
    sys.argv = ["meditron"]
    try:
        main()
    except SystemExit:
        print(_NO_FILES)  # noqa: T201 - the answer
