"""Whatever the training loop does besides updates: saves, validation, metrics, stopping, going back."""
