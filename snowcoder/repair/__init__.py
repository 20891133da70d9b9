"""Repair: a model writes patches for bugs whose place is known, and compilers and tests say what they are worth."""
