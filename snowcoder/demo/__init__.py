"""The whole job on this machine, small, each stage by the command that a user would type."""
