"""What can go wrong with discovery and its inventory."""

from backend.app.core.errors import Conflict, InvalidInput, NotFound


class DiscoveryNotFound(NotFound):
    code = "discovery.not_found"
    title = "There is no such discovery"


class DiscoveryAlreadyRunning(Conflict):
    code = "discovery.already_running"
    title = "This project is being discovered already"


class TooManyDescriptions(Conflict):
    code = "discovery.too_many_descriptions"
    title = "The project has as many named descriptions as it may have"


class UnknownStrategy(InvalidInput):
    code = "discovery.unknown_strategy"
    title = "There is no such discovery strategy"


class SourceNotFound(NotFound):
    code = "source.not_found"
    title = "The inventory has no such source"


class EndpointNotFound(NotFound):
    code = "endpoint.not_found"
    title = "There is no such endpoint"
