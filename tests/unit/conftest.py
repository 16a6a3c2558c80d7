"""What all unit tests share."""

import structlog
from hypothesis import settings

# Plain log lines: structlog's own default draws every traceback with all its variables, for seconds.
structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)])

# On a busy machine a slow example says nothing of the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
