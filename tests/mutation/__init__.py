"""Mutation testing: is there a test that fails for every small change of a rule? Run by hand, `make mutation`."""
