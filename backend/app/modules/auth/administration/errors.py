"""What can go wrong with the users of the installation."""

from backend.app.core.errors import Conflict, NotFound


class UserNotFound(NotFound):
    code = "user.not_found"
    title = "There is no such user"


class LastAdministrator(Conflict):
    code = "user.last_administrator"
    title = "The installation has an administrator: make somebody else one first"
