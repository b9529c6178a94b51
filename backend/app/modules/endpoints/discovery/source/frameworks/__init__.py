"""Frameworks whose routes are found in source code. One file, one framework."""
