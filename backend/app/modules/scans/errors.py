"""What can go wrong with scans and findings."""

from backend.app.core.errors import Conflict, InvalidTransition, NotFound


class ScanNotFound(NotFound):
    code = "scan.not_found"
    title = "There is no such scan"


class ScanAlreadyRunning(Conflict):
    code = "scan.already_running"
    title = "A scan of this project is queued or running"


class NoEndpoints(Conflict):
    code = "scan.no_endpoints"
    title = "Nothing is known of this API yet: discover it first with POST /projects/{project_id}/endpoints/scan"


class NoBaseUrl(Conflict):
    code = "scan.no_base_url"
    title = "Neither the project nor the description of the API says where it runs: set the project's base_url"


class CredentialsElsewhere(Conflict):
    code = "scan.credentials_elsewhere"
    title = "The described API is not on the origin that the project's credentials are for: set the project's base_url"


class ScanEnded(InvalidTransition):
    code = "scan.ended"
    title = "The scan has ended already"


class FindingNotFound(NotFound):
    code = "finding.not_found"
    title = "There is no such finding"


class InvalidFindingTransition(InvalidTransition):
    code = "finding.invalid_transition"
