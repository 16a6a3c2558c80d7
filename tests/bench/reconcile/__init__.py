"""How fast deployments are reconciled, beside other ways to build an operator: `make bench`."""
