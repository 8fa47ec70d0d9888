"""Real FTP and SFTP servers on loopback, that break when a test says so."""

import contextlib
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncssh

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it stands on asyncore, which Python gives up
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import DTPHandler, FTPHandler, TLS_DTPHandler, TLS_FTPHandler
    from pyftpdlib.ioloop import IOLoop
    from pyftpdlib.servers import FTPServer

USER, PASSWORD = "me@home", "p@ss:w"
LOGIN = "me%40home:p%40ss%3Aw"


class Breaks:
    """How many more transfers are to be cut off, and after how many bytes."""

    def __init__(self, times: int = 0, after: int = 0) -> None:
        self.times, self.after = times, after
        self.restarts: list[int] = []


@contextlib.contextmanager
def ftp_server(
    root: Path, breaks: Breaks, *, certificate: Path | None = None, **options: object
) -> Iterator[int]:
    """The port of an FTP server; with ``certificate`` (PEM) of one that insists on TLS."""
    secure = certificate is not None

    class Data(TLS_DTPHandler if secure else DTPHandler):
        def send(self, data):
            if breaks.times and self.tot_bytes_sent >= breaks.after:
                breaks.times -= 1
                self.cmd_channel.close()
                self.close()
                return 0
            return super().send(data)

    class Control(TLS_FTPHandler if secure else FTPHandler):
        def ftp_REST(self, line):  # noqa: N802 - the library's name
            breaks.restarts.append(int(line))
            return super().ftp_REST(line)

    Control.use_sendfile = False  # so that what is sent passes through Data
    authorizer = DummyAuthorizer()
    authorizer.add_user(USER, PASSWORD, str(root), perm="elr")
    Control.authorizer, Control.dtp_handler = authorizer, Data
    for name, value in options.items():
        setattr(Control, name, value)
    if secure:
        Control.certfile, Control.ssl_context = str(certificate), None
        Control.tls_control_required = Control.tls_data_required = True
    loop = IOLoop()
    server = FTPServer(("127.0.0.1", 0), Control, ioloop=loop)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            loop.loop(timeout=0.01, blocking=False)
        server.close_all()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.address[1]
    finally:
        stop.set()
        thread.join()


@contextlib.asynccontextmanager
async def sftp_server(
    root: Path, breaks: Breaks, *, port: int = 0, key: str = "ssh-ed25519"
) -> AsyncIterator[int]:
    """The port of an SFTP server that takes one name and password, with a new host key."""

    class Server(asyncssh.SSHServer):
        def begin_auth(self, username):
            return True

        def password_auth_supported(self):
            return True

        def validate_password(self, username, password):
            return (username, password) == (USER, PASSWORD)

    class Files(asyncssh.SFTPServer):
        def __init__(self, chan):
            super().__init__(chan, chroot=str(root))
            self._chan = chan

        def read(self, file_obj, offset, size):
            breaks.restarts.append(offset)
            if breaks.times and offset >= breaks.after:
                breaks.times -= 1
                self._chan.get_connection().abort()
            return super().read(file_obj, offset, size)

    server = await asyncssh.listen(
        "127.0.0.1",
        port,
        server_factory=Server,
        sftp_factory=Files,
        server_host_keys=[asyncssh.generate_private_key(key)],
    )
    try:
        yield server.get_port()
    finally:
        server.close()
        await server.wait_closed()
