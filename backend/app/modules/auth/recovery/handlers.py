"""How a mail leaves."""

import structlog

from backend.app.core.message_hub import hub
from backend.app.core.runner import JobContext
from backend.app.extensions.mail import mailer_of, message_of
from backend.app.modules.auth.events import MailRequested
from backend.app.modules.auth.recovery.service import LetterService

log = structlog.get_logger(module_id="auth")


@hub.on(MailRequested, queue="outgoing", attempts=12)
async def send_mail(event: MailRequested, job: JobContext) -> None:
    """No transaction is open while the server is spoken to. Twelve attempts are some 20 minutes."""
    if event.to is None:
        return
    async with job.transaction() as context:
        letter = await LetterService(context).write(event, job.job_id)
    if letter is None:
        log.info("mail.dropped", template=event.template)
        return
    # Each attempt is a message of its own: a mailbox that drops doubles would keep the one whose token died.
    message_id = f"{job.job_id}.{job.attempt}".lower()
    message = message_of(
        letter, sender=job.settings.mail.sender, to=event.to, sent_at=job.clock(), message_id=message_id
    )
    await mailer_of(job.settings).send(message)
