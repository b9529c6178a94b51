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
