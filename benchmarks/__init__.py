"""Measurements against peers and limits, each a module that runs alone: see README.md."""
