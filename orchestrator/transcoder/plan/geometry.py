"""How a source's picture is fitted into an output's frame. Pure arithmetic.

Three spaces: the source as *shown* (square pixels, turned upright), the output
as *displayed*, and the output's own pixels, which are square unless a client
asks for a frame and an aspect ratio that disagree.
"""

from dataclasses import dataclass
from fractions import Fraction

from orchestrator.query import Gif, Mp4, Stream, Thumbnail, Thumbnails, Webm
from orchestrator.query.values import MAX_SIDE
from orchestrator.transcoder.ports import MediaError

#: Width and height as shown, in square pixels; halves of a pixel matter here.
Shown = tuple[Fraction, Fraction]

#: Outputs and streams whose frame a query sets.
Framed = Mp4 | Webm | Gif | Stream

#: Chroma of 4:2:0 covers two by two pixels.
EVEN = 2
_NEARLY_SQUARE = Fraction(1, 100)
#: What rounding to even sides may enlarge a picture by without being an upscale.
_ROUNDING = Fraction(1, 100)


@dataclass(frozen=True, slots=True)
class Fit:
    """A frame of ``width`` by ``height``, and the picture scaled for it.

    Where the picture is larger it is cropped, where it is smaller it gets bars;
    both around the middle. ``sar`` is the shape of the frame's pixels.
    """

    width: int
    height: int
    picture_width: int
    picture_height: int
    sar: Fraction = Fraction(1)

    def filters(self, color_range: str, scaling: str = "") -> str:
        """ffmpeg's filters from any picture to this frame; the range is ``tv`` or ``pc``.

        ``scaling`` are further options of the scaler, each with a colon before it.
        """
        size = f"{self.picture_width}:{self.picture_height}"
        steps = (f"scale={size}:out_range={color_range}{scaling}", self.placed)
        shape = f"setsar={self.sar.numerator}/{self.sar.denominator}"
        return ",".join((*filter(None, steps), shape))

    @property
    def placed(self) -> str:
        """The filter that crops the scaled picture or adds bars; "" where it fills the frame."""
        size = f"{self.width}:{self.height}"
        if self.picture_width > self.width or self.picture_height > self.height:
            return f"crop={size}"
        if self.picture_width < self.width or self.picture_height < self.height:
            # pad counts its offsets in whole chroma samples, as crop does.
            return f"pad={size}:(ow-iw)/2:(oh-ih)/2"
        return ""

    @property
    def unplaced(self) -> "Fit":
        """The picture as it is scaled, without crop and bars."""
        return _scaled(self.picture_width, self.picture_height, self.sar)


def turned(shown: Shown, degrees: int) -> Shown:
    """A picture's size after a turn by a multiple of 90 degrees."""
    return (shown[1], shown[0]) if degrees % 180 else shown


def fit_image(image: Thumbnail | Thumbnails, shown: Shown) -> Fit:
    """The frame of a still image: exactly as asked for, the picture scaled or cropped into it."""
    width, height = (_near(side, 1) for side in _sides(image, shown, shown[0] / shown[1]))
    if image.resize_mode == "scale":
        return _scaled(width, height)
    return _cropped(shown, width, height, Fraction(1), upscale=False)


def fit_video(film: Framed, shown: Shown, *, upscale: bool, own_size: bool = False) -> Fit:
    """The frame of a video, with even sides. ``shown`` is before the query's own turn.

    ``own_size`` ignores the sides asked for and takes the source's. Raises
    ``MediaError`` where a side that follows from the other is out of bounds.
    """
    source = turned(shown, film.rotate or 0)
    aspect = film.aspect_ratio or source[0] / source[1]
    if own_size:
        sides = _inside(source, aspect)
        both = False
    else:
        sides = _sides(film, source, aspect)
        both = film.resolution is None and None not in film.box
    width, height = _near(sides[0], EVEN), _near(sides[1], EVEN)
    sar = _pixel_shape(aspect, width, height) if film.aspect_ratio and both else Fraction(1)
    if film.resize_mode == "scale":
        return _scaled(width, height, sar)
    return _cropped(source, width, height, sar, upscale=upscale)


def taller(fit: Fit, film: Framed, shown: Shown) -> bool:
    """Whether a frame has more lines than the source: the documents' test for upscaling."""
    source = turned(shown, film.rotate or 0)
    return fit.height > -(-source[1] // EVEN) * EVEN


def _sides(
    asked: Framed | Thumbnail | Thumbnails, source: Shown, aspect: Fraction
) -> tuple[Fraction, Fraction]:
    """Both sides of the frame, not rounded yet."""
    width, height = asked.box
    if asked.resolution is not None:
        lies = source[0] >= source[1]
        width, height = (None, asked.resolution) if lies else (asked.resolution, None)
    if width is not None and height is not None:
        return Fraction(width), Fraction(height)
    if width is not None:
        return Fraction(width), width / aspect
    if height is not None:
        return height * aspect, Fraction(height)
    return _inside(source, aspect)


def _inside(source: Shown, aspect: Fraction) -> tuple[Fraction, Fraction]:
    """The largest frame of an aspect ratio that needs no more pixels than the source has."""
    if aspect >= source[0] / source[1]:
        return source[0], source[0] / aspect
    return source[1] * aspect, source[1]


def _near(side: Fraction, step: int) -> int:
    """The whole number of steps next to ``side``, at least one, in pixels."""
    pixels = max(1, round(side / step)) * step
    if pixels > MAX_SIDE:
        raise MediaError(f"a side of the frame would be {pixels} pixels; {MAX_SIDE} are the most")
    return pixels


def _pixel_shape(aspect: Fraction, width: int, height: int) -> Fraction:
    sar = aspect * height / width
    if abs(sar - 1) < _NEARLY_SQUARE:
        return Fraction(1)
    # What is written into the stream are two small numbers, neither of them 0.
    return sar.limit_denominator(255) if sar > 1 else 1 / (1 / sar).limit_denominator(255)


def _scaled(width: int, height: int, sar: Fraction = Fraction(1)) -> Fit:
    return Fit(width, height, width, height, sar)


def _cropped(source: Shown, width: int, height: int, sar: Fraction, *, upscale: bool) -> Fit:
    """Fill the frame and crop; where that would enlarge the picture, add bars instead."""
    across, down = width * sar / source[0], height / source[1]
    fills = max(across, down)
    if fills <= 1 + _ROUNDING or upscale:
        wide = max(width, _near(source[0] * fills / sar, EVEN))
        high = max(height, _near(source[1] * fills, EVEN))
    else:
        fits = min(across, down, Fraction(1))
        wide = min(width, _near(source[0] * fits / sar, EVEN))
        high = min(height, _near(source[1] * fits, EVEN))
    return Fit(width, height, wide, high, sar)
