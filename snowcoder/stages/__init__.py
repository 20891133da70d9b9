"""What every stage does, written once: up to date or not, lock, make step by step, vouch by a manifest."""
