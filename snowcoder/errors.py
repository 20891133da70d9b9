"""The two kinds of failure a reader can act on. Anything else that escapes is a bug in snowcoder."""


class SnowcoderError(Exception):
    """Shown as one message without a trace; `exit_code` becomes the exit status of the command."""

    exit_code = 1


class UserError(SnowcoderError):
    """The user's mistake: says what is wrong, where, and what to do."""

    exit_code = 2


class OperationError(SnowcoderError):
    """The world failed (network, disk, a process): names the host, rank, shard or step."""

    exit_code = 1
