"""`python -m tests.doubles.tgi`: takes the launcher's place, with its command line and environment."""

import asyncio
import os
import resource
import secrets
import sys
import time

from tests.doubles.tgi.arguments import Arguments
from tests.doubles.tgi.build import World
from tests.doubles.tgi.commandline import BAD_USAGE, CommandLineError
from tests.doubles.tgi.faultbox import FaultBox
from tests.doubles.tgi.launcher import Launcher
from tests.doubles.tgi.logs import Log, level_of
from tests.doubles.tgi.settings import Faults, SettingError, Setup, from_environment

_DESCRIPTORS = 65536


def main() -> int:
    environ = dict(os.environ)
    try:
        arguments = Arguments.of(sys.argv[1:], environ)
        setup, faults = from_environment(Setup, environ), from_environment(Faults, environ)
    except CommandLineError as error:
        (sys.stderr if error.code else sys.stdout).write(str(error))
        return error.code
    except SettingError as error:
        sys.stderr.write(f"error: DOUBLE_{error}\n")
        return BAD_USAGE
    _raise_descriptor_limit()
    log = Log(stream=sys.stdout, now=time.time, as_json=arguments.json_output, level=level_of(environ.get("LOG_LEVEL")))

    async def run() -> int:
        world = World(
            environ=environ,
            log=log,
            faults=FaultBox(faults),
            setup=setup,
            clock=time.monotonic,
            wall=time.time,
            new_seed=lambda: secrets.randbits(64),
        )
        return await Launcher(world, arguments).run()

    return asyncio.run(run())


def _raise_descriptor_limit() -> None:
    """Each connection needs one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main())
