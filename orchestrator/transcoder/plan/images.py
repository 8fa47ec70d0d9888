"""Still images in ffmpeg's words: which frames they are, and how they are written.

The frame of a moment is the one that a player shows then: the last one that
began at or before it. ffmpeg's ``fps`` filter picks that one when it rounds
times up to its own grid; its default picks frames half an interval away.
"""

import math
from fractions import Fraction

from orchestrator.query import Thumbnail, Thumbnails
from orchestrator.transcoder.plan.geometry import Fit
from orchestrator.transcoder.plan.marks import untagged_matrix, watchable
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.streams import VideoStream

#: More images of one source are a slip of the client's: half a day, one a second.
MOST_IMAGES = 43_200

#: Where ffmpeg writes interval thumbnails, inside the output's folder.
IMAGE_NAMES = "thumb_%04d"

#: mjpeg's scale is 2 (best) to 31; without a quality, close to its best.
_BEST_JPEG, _WORST_JPEG, _DEFAULT_JPEG = 2, 31, 3

#: A grid so wide that only its first point matters.
_ONCE = "fps=fps=1/1000000:round=up:start_time=0"


def painted(fit: Fit, image: Thumbnail | Thumbnails, video: VideoStream) -> str:
    """The filters from a decoded frame to the image's pixels.

    Images have no marks for HDR that everybody reads: it becomes SDR. JPEG is
    always BT.601 (https://www.w3.org/Graphics/JPEG/jfif3.pdf), whatever the video.
    """
    assumed = untagged_matrix(video)
    come = f":in_color_matrix={assumed}" if assumed else ""
    to_jpg = ":out_color_matrix=smpte170m" if image.image_format == "jpg" else ""
    # Frames of images may have odd sides, which only whole pixels can be placed in.
    go = "" if fit.placed else to_jpg
    if to_sdr := watchable(video):
        again = f"scale=in_color_matrix=bt709:out_range=pc{go}"
        scaled = ",".join((fit.unplaced.filters("tv"), *to_sdr, again))
    else:
        scaled = fit.unplaced.filters("pc", come + go)
    if not fit.placed:
        return f"{scaled},{pixels(image)}"
    last = f"scale=out_range=pc{to_jpg}," if to_jpg else ""
    return f"{scaled},format=gbrp,{fit.placed},{last}{pixels(image)}"


def frame_shown(paint: str, lead: float) -> str:
    """The frame shown ``lead`` seconds after the seek; needs a pass that is ``nearby``."""
    if not lead:
        return f"{_ONCE},{paint}"
    return rf"fps=fps=1/{lead:.6f}:round=up:start_time=0,select=eq(n\,1),{paint}"


def frame_numbered(paint: str, number: int) -> str:
    """The frame of a number, counted from the source's first, which is 0."""
    return rf"select=eq(n\,{number}),{paint}"


def frames_apart(paint: str, interval: float) -> str:
    """The frames shown at 0, one interval, two intervals, and so on."""
    apart = Fraction(str(interval))
    return f"fps=fps={apart.denominator}/{apart.numerator}:round=up:start_time=0,{paint}"


def image_options(image: Thumbnail | Thumbnails, most: int | None) -> tuple[str, ...]:
    """The options of an image file, or of a numbered row of ``most`` of them."""
    limit = ("-frames:v", str(most)) if most else ()
    names = ("-start_number", "1") if isinstance(image, Thumbnails) else ("-update", "1")
    return (*codec(image), "-fps_mode", "passthrough", *limit, "-f", "image2", *names)


def image_count(images: Thumbnails, seconds: float | None) -> int | None:
    """How many images a picture of that length gives. Raises ``MediaError`` for too many."""
    if seconds is None:
        return None
    count = max(1, math.ceil(Fraction(str(seconds)) / Fraction(str(images.interval))))
    if count > MOST_IMAGES:
        raise MediaError(
            f"an interval of {images.interval:g} s gives {count} images of this source; "
            f"{MOST_IMAGES} are the most"
        )
    return count


def cells(images: Thumbnails) -> Thumbnails:
    """The images as they are written at first: those of a sprite lose nothing before it."""
    if not images.sprite:
        return images
    return images.model_copy(update={"image_format": "png", "quality": None})


def pixels(image: Thumbnail | Thumbnails) -> str:
    """The filter that makes a frame what the image's encoder takes."""
    # Straight from luma to rgb24, ffmpeg takes a way that makes pixels too dark by 2 of 255.
    return "format=yuvj420p" if image.image_format == "jpg" else "format=gbrp,format=rgb24"


def codec(image: Thumbnail | Thumbnails) -> tuple[str, ...]:
    """The options of the image's encoder."""
    if image.image_format == "png":
        return ("-c:v", "png")
    scale = _DEFAULT_JPEG
    if image.quality is not None:
        scale = _WORST_JPEG - round((_WORST_JPEG - _BEST_JPEG) * (image.quality - 1) / 99)
    return ("-c:v", "mjpeg", "-q:v", str(scale))
