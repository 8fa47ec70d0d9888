"""``/v1/download/<key>/<name>``: outputs without a destination, for as long as they are kept."""

import time

from aiohttp import web

from orchestrator.transcoder.storage import Storage
from orchestrator.transcoder.tasks import TaskStore


class Downloads:
    """Serves outputs, ranges included. ``keep`` is in seconds after the task's end."""

    def __init__(self, tasks: TaskStore, storage: Storage, keep: float) -> None:
        self._tasks, self._storage, self._keep = tasks, storage, keep

    def routes(self) -> list[web.RouteDef]:
        """What to add to the application's router."""
        return [web.get("/v1/download/{key:[0-9A-Za-z_-]+}/{path:.+}", self._send)]

    async def _send(self, request: web.Request) -> web.StreamResponse:
        task = await self._tasks.by_key(request.match_info["key"])
        if task is None:
            raise web.HTTPNotFound(text="there is no such output\n")
        if task.ended is not None and task.ended + self._keep < time.time():
            raise web.HTTPGone(text="this output was kept for a while and is gone now\n")
        file = self._storage.find(task.key, request.match_info["path"])
        if file is None:
            raise web.HTTPNotFound(text="there is no such output\n")
        return web.FileResponse(file, headers={"X-Content-Type-Options": "nosniff"})
