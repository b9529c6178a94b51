"""What can go wrong with a job that a person handles."""

from backend.app.core.errors import InvalidTransition, NotFound


class JobNotFound(NotFound):
    code = "job.not_found"
    title = "There is no such job"


class JobNotCancellable(InvalidTransition):
    code = "job.not_cancellable"
    title = "Only a pending or running job can be cancelled"


class JobNotRetryable(InvalidTransition):
    code = "job.not_retryable"
    title = "Only a dead or cancelled job can be retried"
