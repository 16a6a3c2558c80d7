"""`make demo`: the operator's main job, shown on a testbed of its own. `python -m tests.demo --help`."""
