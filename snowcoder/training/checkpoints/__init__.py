"""Checkpoints that are whole or do not count: written, found again, copied to a bucket and back."""
