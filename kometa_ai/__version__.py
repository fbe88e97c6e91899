"""The version, written by the release and nowhere else."""

__version__ = "0.1.0"
