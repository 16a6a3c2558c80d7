"""Meditron operator: serves the medical model Meditron on a hospital's own GPU cluster."""

__version__ = "0.1.0"
