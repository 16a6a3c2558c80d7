"""The operator, killed with -9 before and after each of its writes, and started again: the same end as without."""
