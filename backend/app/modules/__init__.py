"""The domain modules, from the ground up: a module imports only modules that stand before it."""

MODULES = (
    "auth",
    "events",
    "jobs",
    "projects",
    "endpoints",
    "scans",
    "labs",
    "anomalies",
)
PARTS = ("endpoints.uploads",)
"""Parts of modules with a router and handlers of their own that their module does not name."""
