"""The real Argo CD beside a testbed."""
