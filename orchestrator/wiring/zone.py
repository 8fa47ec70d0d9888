"""The machine's own time zone."""

from datetime import UTC, datetime, timedelta, tzinfo


class MachineZone(tzinfo):
    """Local time as the operating system has it, with its changes of the clocks.

    ``datetime`` asks the system for naive times; this makes a zone of its answers.
    """

    def utcoffset(self, when: datetime | None) -> timedelta:
        """How far local time is ahead of UTC."""
        naive = (when or datetime.now(UTC)).replace(tzinfo=None)
        return naive - datetime.fromtimestamp(naive.timestamp(), UTC).replace(tzinfo=None)

    def dst(self, when: datetime | None) -> timedelta:  # noqa: ARG002 - tzinfo's signature
        """Not told apart from the offset."""
        return timedelta(0)

    def tzname(self, when: datetime | None) -> str:
        """The short name that the system has for it."""
        return (when or datetime.now(UTC)).replace(tzinfo=None).astimezone().tzname() or "local"

    def fromutc(self, when: datetime) -> datetime:
        """A UTC time, which has this zone's label, in local time."""
        seconds = when.replace(tzinfo=UTC).timestamp()
        return datetime.fromtimestamp(seconds).replace(tzinfo=self)  # noqa: DTZ006 - local time
