"""Speech to text: Whisper models on this machine, run by ``faster-whisper``.

Needs the extra ``speech`` and models that the owner of the machine has put into
a folder; nothing is ever downloaded.
"""

from orchestrator.transcoder.speech.asked import Asked
from orchestrator.transcoder.speech.speech import Speech, Spoken

__all__ = ["Asked", "Speech", "Spoken"]
