"""What is wrong with the files of a checkpoint."""


class CheckpointError(Exception):
    """The file can't be used; `str()` is one line that says what is wrong and what would be right."""
