"""Formats of captures. One file, one format."""
