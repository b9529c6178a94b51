"""What a repository may cost."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class GitLimits:
    """Seconds and bytes."""

    ask_s: float = 10.0
    """For the question what a branch is at."""
    deadline_s: float = 300.0
    """For a clone, and as much again for its files."""
    max_repository_bytes: int = 1024 * MIB
    """On disk, of what git fetches."""
    max_files: int = 250_000
    """In the folder that is read, also those that are passed over."""
    max_bytes: int = 1024 * MIB
    """Of all files together."""
    memory_bytes: int = 2048 * MIB
    """Address space of one process of git."""


MAX_FILE_BYTES = 10 * MIB
"""Larger files are not fetched, where the server can leave them out, and are passed over in any case."""
