"""What can go wrong when a timeline is read."""

from backend.app.core.errors import NotFound


class TimelineNotFound(NotFound):
    code = "timeline.not_found"
    title = "Nothing with that id has a timeline here"
