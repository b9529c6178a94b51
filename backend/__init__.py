"""Touchstone: a self-hosted API quality platform."""

__version__ = "0.1.0"
