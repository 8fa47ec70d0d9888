"""The null API: ``python -m benchmarks.null.server`` prints its URL and serves until ended.

It reads each request to its end and answers at once; every task is completed
when it is asked for. It checks nothing: it is there to cost as little as can be.
"""

import asyncio
import itertools
from typing import cast
from urllib.parse import parse_qs

import orjson

from benchmarks.harness import on_loop

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


class NullApi(asyncio.Protocol):
    """One connection."""

    numbers = itertools.count(1)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._waiting = b""

    def data_received(self, data: bytes) -> None:
        """Answer every request that is there as a whole."""
        self._waiting += data
        while (head_end := self._waiting.find(_END)) >= 0:
            head = self._waiting[:head_end]
            body_end = head_end + len(_END) + _length(head)
            if len(self._waiting) < body_end:
                return
            body = self._waiting[head_end + len(_END) : body_end]
            self._waiting = self._waiting[body_end:]
            self._answer(head.split(b" ", 2)[1], body)

    def _answer(self, path: bytes, body: bytes) -> None:
        method = path.rpartition(b"/")[2].decode()
        answer = orjson.dumps({"error": 0, **self._fields(method, body)})
        self._transport.write(_HEAD % (len(answer), answer))

    def _fields(self, method: str, body: bytes) -> dict[str, object]:
        port = self._transport.get_extra_info("sockname")[1]
        url = f"http://127.0.0.1:{port}"
        match method:
            case "access_token":
                return {"token": "session", "expire": "2099-12-31 23:59:59"}
            case "create_task":
                return {"task_token": f"{next(self.numbers):032x}", "upload_url": f"{url}/upload"}
            case "start_encode2":
                return {"status_url": f"{url}/v1/status"}
            case _:
                tokens = parse_qs(body.decode())["task_tokens"][0].split(",")
                return {"statuses": dict.fromkeys(tokens, _COMPLETED)}


_COMPLETED = {"status": "completed", "percent": 100, "error": 0, "videos": [], "images": []}


def _length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(_LENGTH)
    return int(lower[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0


async def main() -> None:
    """Serve on a free port of the loopback."""
    server = await asyncio.get_running_loop().create_server(NullApi, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    on_loop(main())
