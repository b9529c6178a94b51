"""Frameworks whose routes are found in source code. One file, one framework."""

from backend.app.core.registry import Registry
from backend.app.modules.endpoints.discovery.source import Framework

frameworks: Registry[Framework] = Registry("source_framework", __name__)
