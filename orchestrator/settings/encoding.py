"""The transcoding service that the product carries: inside a run, and ``[serve]`` for others."""

from pathlib import Path

from pydantic import Field

from orchestrator.settings.values import Address, BaseUrl, Bytes, Count, Hours, Program, Section


class Encoding(Section):
    """How the transcoding service that the product carries does its work."""

    workers: Count | None = Field(
        None, description="Encodes at once; without it, as many as suit the machine's cores."
    )
    ffmpeg: Program | None = Field(
        None,
        description="The ffmpeg to run, a path or a name on PATH; without it, the bundled one.",
    )
    ffprobe: Program | None = Field(
        None, description="The ffprobe to run; without it, the bundled one."
    )
    local_roots: tuple[Path, ...] = Field(
        (), description="Folders in which file:// destinations may write."
    )
    keep_hours: Hours = Field(
        24.0, description="Hours that outputs without a destination, and idle uploads, are kept."
    )
    min_free: Bytes = Field(
        2 * 2**30, description="Free bytes on its disk below which it takes no new work."
    )
    speech_models: Path | None = Field(
        None,
        description="Folder of Whisper models (CTranslate2) for speech_to_text: speed/, balanced/ "
        "and accuracy/ in it, or one model for all; without it, that output is refused.",
    )
    nice: int = Field(
        5, ge=0, le=19, description="How far ffmpeg steps back for other programs (0: not at all)."
    )


class OrderClient(Section):
    """Who may send orders: the client's secret, and the company that it speaks for."""

    secret: str = Field(repr=False, description="Its secret, as in ${env:EDGE_SECRET}.")
    company: str = Field("1", description="The company in the paths of its calls.")


class Mail(Section):
    """The server that mails about orders go through."""

    server: Address = Field(description="host:port of the SMTP server.")
    sender: str = Field(description="The address that mails come from.")
    starttls: bool = Field(False, description="Whether the connection is secured first.")
    user: str = Field("", description="The user to log in as; without it, nobody logs in.")
    password: str = Field("", repr=False, description="Its password, as in ${env:SMTP_PASSWORD}.")


class ServeConfig(Encoding):
    """The transcoding service for others to use: ``orchestrator serve``."""

    listen: Address = Field("127.0.0.1:8080", description="Address and port to listen at.")
    url: BaseUrl | None = Field(
        None, description="Its URL as clients see it, where a proxy stands before it."
    )
    api_key: str = Field(
        "${env:ORCHESTRATOR_API_KEY}", repr=False, description="The key that clients must show."
    )
    suspended_keys: list[str] = Field(
        [],
        repr=False,
        description="Keys that are good no longer; whoever shows one, or a token from it, is told "
        "that the service is suspended (error 6).",
    )
    data: Path = Field(Path("{state}/serve"), description="Folder of its uploads and outputs.")
    private_sources: bool = Field(
        False,
        description="Whether clients may have it fetch from loopback and private addresses, "
        "and send callbacks there.",
    )
    private_destinations: bool = Field(
        False, description="Whether clients may have it store at such addresses."
    )
    profiles: Path | None = Field(
        None,
        description="Folder of the profiles that /v1/start_encode names; without it, profiles/ "
        "in the data folder.",
    )
    transfers: Path | None = Field(
        None, description="Folder of its transfer methods; without it, transfers/ there."
    )
    max_upload: Bytes | None = Field(
        None, description="The largest upload or download of a source; without it, no limit."
    )
    clients: dict[str, OrderClient] = Field(
        {},
        description="Who may send orders, by client id; without any, the client orchestrator of "
        "company 1, whose secret is the API key.",
    )
    mail: Mail | None = Field(
        None, description="How orders send mail; without it, they say that they can't."
    )
