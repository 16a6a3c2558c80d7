"""Stand-ins for what can't be had in a test; each says what it is faithful in and how that was checked."""
