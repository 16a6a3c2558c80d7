"""Who may connect to a model, and to whom it may: expected, computed from the policies, and probed for real."""
