"""Every way to undo an engaged kill switch, tried by everybody, on a cluster made for it."""
