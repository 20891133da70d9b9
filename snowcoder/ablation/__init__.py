"""Ablations: runs that differ in one thing, each made by the commands that a user would type."""
