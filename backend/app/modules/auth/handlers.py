"""What identity does when it hears of something: the handlers of its parts."""

from backend.app.modules.auth.recovery import handlers as recovery

__all__ = ["recovery"]
