"""Runs generated programs: no network, no files of the host but a read-only Python, limits on all they can use up."""
