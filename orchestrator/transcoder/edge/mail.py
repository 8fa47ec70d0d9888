"""Mails through a configured SMTP server. The standard library's client, in a thread."""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final
from urllib.parse import unquote

from orchestrator.tls import trusted
from orchestrator.transcoder.callbacks.sender import NotTaken
from orchestrator.transcoder.settings import Smtp, split_address

#: Seconds that each step of a conversation may take.
_PATIENCE: Final = 15.0


class Mailer:
    """Sends the mails of ``callbacks``: letters to ``mailto:`` addresses."""

    def __init__(self, settings: Smtp) -> None:
        self._settings = settings

    async def __call__(self, url: str, body: str) -> None:
        """``body`` begins with the subject. Raises ``NotTaken``."""
        address = unquote(url.removeprefix("mailto:"))
        subject, _, text = body.partition("\n\n")
        message = EmailMessage()
        message["From"], message["To"] = self._settings.sender, address
        message["Subject"], message["Date"] = subject.strip(), formatdate(usegmt=True)
        message["Message-ID"] = make_msgid(domain=self._settings.sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        try:
            await asyncio.to_thread(self._send, message)
        except smtplib.SMTPAuthenticationError as error:
            raise NotTaken("the SMTP server does not take our user and password") from error
        except smtplib.SMTPResponseException as error:
            raise NotTaken(f"the SMTP server answered with {error.smtp_code}") from error
        except (smtplib.SMTPException, ssl.SSLError) as error:
            raise NotTaken("the SMTP server did not take it") from error
        except (OSError, ValueError) as error:
            raise NotTaken("no connection to the SMTP server could be made") from error

    def _send(self, message: EmailMessage) -> None:
        settings = self._settings
        host, port = split_address(settings.server)
        with smtplib.SMTP(host, port, timeout=_PATIENCE) as smtp:
            if settings.starttls:
                smtp.starttls(context=trusted())
            if settings.user:
                smtp.login(settings.user, settings.password.get_secret_value())
            smtp.send_message(message)
