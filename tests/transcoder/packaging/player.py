"""A page that plays, and what is needed to look at it in a real browser."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlencode

import pytest

PACKAGES = ("hls.js@1.7.4", "shaka-player@5.2.12", "playwright-core@1.65.1")
SCRIPTS = ("hls.js/dist/hls.min.js", "shaka-player/dist/shaka-player.compiled.js")

#: Plays ``?url`` with ``?player`` and says in ``window.told`` how it ended.
PAGE = """\
<!doctype html><video muted></video>
<script src="hls.min.js"></script><script src="shaka-player.compiled.js"></script>
<script>
const asked = new URLSearchParams(location.search), url = asked.get("url");
const video = document.querySelector("video"), errors = [];
window.state = () => JSON.stringify({at: video.currentTime, ready: video.readyState, errors});
function tell(more) {
  window.told = {at: video.currentTime, duration: video.duration, width: video.videoWidth,
    frames: video.getVideoPlaybackQuality().totalVideoFrames, errors, ...more};
}
video.onended = () => tell({ended: true});
video.onerror = () => tell({error: video.error.message});
if (asked.get("player") === "hls") {
  const player = new Hls();
  player.on(Hls.Events.ERROR, (_, data) => {
    errors.push(data.details);
    if (data.fatal) tell({error: data.details});
  });
  player.loadSource(url);
  player.attachMedia(video);
  video.play().catch((error) => errors.push(error.message));
} else {
  const player = new shaka.Player();
  const failed = (error) => tell({error: `shaka ${error.code} ${error.data}`});
  player.addEventListener("error", (event) => failed(event.detail));
  const key = asked.get("key");
  if (key) player.configure({drm: {clearKeys: {[asked.get("kid")]: key}}});
  player.attach(video).then(() => player.load(url)).then(() => video.play()).catch(failed);
}
</script>
"""


def page(base: str, player: str, url: str, **more: str) -> str:
    """The address of the page that plays ``url`` with ``hls`` or ``shaka``."""
    return f"{base}/player.html?{urlencode({'player': player, 'url': url, **more})}"


def browser() -> str:
    """Chromium; skips the test where it, or node, is not installed."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("Chromium is not installed: no browser to play in")
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed: no players to play with")
    return found


def install(folder: Path) -> None:
    """Install the players and the browser's driver, unless they are there."""
    stamp = folder / "installed"
    if stamp.exists() and stamp.read_text() == " ".join(PACKAGES):
        return
    (folder / "package.json").write_text('{"private": true}')
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock")
    command = ["npm", "install", *options, *PACKAGES]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    stamp.write_text(" ".join(PACKAGES))


def put_player(modules: Path, folder: Path) -> None:
    """The page and the players' scripts, for a server to serve."""
    (folder / "player.html").write_text(PAGE)
    for script in SCRIPTS:
        shutil.copy(modules / "node_modules" / script, folder)


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A server of a folder's files on the loopback address; gives its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def play(modules: Path, profile: Path, pages: Sequence[str]) -> list[dict[str, Any]]:
    """What each page said at its end, played one after another."""
    script = Path(__file__).with_name("play.mjs")
    command = ["node", script, modules, browser(), profile, *pages]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
