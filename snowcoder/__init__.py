"""snowcoder: pretrain a code language model in three phases of progressively refined data."""

__version__ = "0.1.0"
