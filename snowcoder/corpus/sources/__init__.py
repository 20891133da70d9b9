"""Repositories of source code: folders, git repositories and archives, read as bytes and never executed."""
