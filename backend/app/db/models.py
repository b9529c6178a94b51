"""Every table of the application, whoever declares it."""

import functools
import importlib
from pathlib import Path

from sqlalchemy import MetaData

from backend.app.db.base import Base

_APP = Path(__file__).parents[1]


@functools.cache
def metadata() -> MetaData:
    """The tables of the outbox, of idempotency keys, and of the `models.py` of each module and its parts."""
    importlib.import_module("backend.app.db.outbox")
    importlib.import_module("backend.app.db.idempotency")
    for path in sorted(_APP.glob("modules/**/models.py")):
        importlib.import_module(".".join(("backend.app", *path.relative_to(_APP).with_suffix("").parts)))
    return Base.metadata
