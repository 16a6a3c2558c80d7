"""Engines by the name that spec.engine.name uses."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from meditron_operator.core.engines import tgi
from meditron_operator.core.engines.base import Engine

ENGINES: Final[Mapping[str, Engine]] = MappingProxyType({tgi.NAME: tgi.launch})
