"""Ranks started and watched: as processes of this machine, or as tasks of a Slurm job."""
