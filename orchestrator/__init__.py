"""Batch orchestration engine for media transcoding."""

__version__ = "0.1.0"
