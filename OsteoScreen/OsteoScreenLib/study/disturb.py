"""Random disturbances of training images: framing, tone, pathology-like shadows, hardware, labels, shutters, blur and noise.

Every function takes and gives float32 images (rows, columns) in [0, 1], bone bright. The strengths were chosen from what
radiographs are known to vary in, never from particular files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.simulate.texture import spectral_noise, stretch


@dataclass(frozen=True)
class Framing:
    """How far an image may be moved when it is framed anew (fractions of its size, degrees)."""

    zoom: tuple[float, float] = (0.75, 1.45)
    shift: float = 0.08
    degrees: float = 9.0
    stretch: float = 0.12
    aspect: tuple[float, float] = (0.75, 1.3)
    bend: float = 0.025


@dataclass(frozen=True)
class Frame:
    """Where each pixel of a newly framed image comes from.

    map_x, map_y : float32 (rows, columns), source pixels. outside : grey value beyond the image, None repeats its edge.
    """

    map_x: np.ndarray
    map_y: np.ndarray
    outside: float | None

    def apply(self, image: np.ndarray) -> np.ndarray:
        """The image framed anew."""
        import cv2

        if self.outside is None:
            framed = cv2.remap(image, self.map_x, self.map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        else:
            framed = cv2.remap(
                image, self.map_x, self.map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=self.outside
            )
        return np.clip(framed, 0, 1)

    def apply_to_mask(self, mask: np.ndarray) -> np.ndarray:
        """A mask (rows, columns) framed in the same way, bool; nothing lies beyond the image."""
        import cv2

        framed = cv2.remap(mask.astype(np.float32), self.map_x, self.map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        inside: np.ndarray = framed > 0.5
        return inside


def random_frame(shape: tuple[int, int], rng: np.random.Generator, framing: Framing, size: int) -> Frame:
    """Crop or widen, shift, tilt, stretch and bend an image of `shape`; the longer side of the result is `size`."""
    import cv2

    pixels = shape[0] * shape[1]
    aspect = float(np.exp(rng.uniform(*np.log(framing.aspect)))) * shape[1] / shape[0]
    rows, columns = (size, max(8, round(size * aspect))) if aspect < 1 else (max(8, round(size / aspect)), size)
    zoom = float(np.exp(rng.uniform(*np.log(framing.zoom))))
    angle = np.radians(rng.normal(0, framing.degrees / 2))
    scale = float(np.sqrt(pixels / (rows * columns))) / zoom
    along, across = scale * np.exp(rng.uniform(-framing.stretch, framing.stretch, 2))
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    y, x = (y - (rows - 1) / 2) * along, (x - (columns - 1) / 2) * across
    shift = rng.normal(0, framing.shift / 2, 2) * shape
    map_y = (np.cos(angle) * y + np.sin(angle) * x + (shape[0] - 1) / 2 + shift[0]).astype(np.float32)
    map_x = (-np.sin(angle) * y + np.cos(angle) * x + (shape[1] - 1) / 2 + shift[1]).astype(np.float32)
    if framing.bend:
        knots = rng.normal(0, framing.bend * max(shape), (2, 4, 4)).astype(np.float32)
        map_y += cv2.resize(knots[0], (columns, rows), interpolation=cv2.INTER_CUBIC)
        map_x += cv2.resize(knots[1], (columns, rows), interpolation=cv2.INTER_CUBIC)
    repeated = rng.random() < 0.6
    outside = None if repeated else float(rng.choice(np.array([0.0, 0.0, rng.random(), 1.0])))
    return Frame(map_x, map_y, outside)


def reframe(image: np.ndarray, rng: np.random.Generator, framing: Framing, size: int) -> np.ndarray:
    """Crop or widen, shift, tilt, stretch and bend; the longer side of the result is `size`."""
    return random_frame((image.shape[0], image.shape[1]), rng, framing, size).apply(image)


def tone(image: np.ndarray, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """A random monotone grey scale: power, sigmoid or smooth random curve, then a window that may cut both ends."""
    kind = rng.integers(4)
    if kind == 0:
        image = image ** np.float32(np.exp(rng.normal(0, 0.5 * strength)))
    elif kind == 1:
        steep, middle = 1 + rng.uniform(1, 6) * strength, rng.uniform(0.3, 0.7)
        image = stretch(1 / (1 + np.exp(-steep * (image - middle))))
    elif kind == 2:
        steps = np.exp(rng.normal(0, 0.8 * strength, 7))
        curve = np.concatenate([[0], np.cumsum(steps)]) / steps.sum()
        image = np.interp(image, np.linspace(0, 1, curve.size), curve).astype(np.float32)
    low, high = rng.uniform(-0.1, 0.15) * strength, 1 + rng.uniform(-0.2, 0.1) * strength
    return np.clip((image - low) / (high - low), 0, 1).astype(np.float32)


def equalise(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Multi-scale processing as consoles do it: the coarse picture is compressed and the detail lifted."""
    import cv2

    coarse = cv2.GaussianBlur(image, (0, 0), max(image.shape) * rng.uniform(0.04, 0.2))
    kept = rng.uniform(0.2, 0.9)
    return np.clip(0.5 + kept * (coarse - 0.5) + rng.uniform(1, 1.8) * (image - coarse), 0, 1)


def shading(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Heel effect, scatter and uneven exposure: a slow additive field."""
    field = spectral_noise(rng, image.shape, 2.5) - np.float32(0.5)
    return np.clip(image + rng.uniform(0, 0.35) * field, 0, 1).astype(np.float32)


def opacities(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Disease-like shadows: a few soft clouds, nodules, or most of one side or of the bases white."""
    rows, columns = np.mgrid[: 1 : complex(image.shape[0]), : 1 : complex(image.shape[1])].astype(np.float32)
    veil = np.zeros_like(image)
    kind = rng.integers(4)
    if kind == 0:
        side = columns if rng.random() < 0.5 else 1 - columns
        veil = 1 / (1 + np.exp(-(side - rng.uniform(0.5, 0.65)) * rng.uniform(15, 60)))
        if rng.random() < 0.4:
            veil = veil * (rows > rng.uniform(0, 0.5))
    elif kind == 1:
        veil = 1 / (1 + np.exp(-(rows - rng.uniform(0.5, 0.8) + 0.1 * np.cos(6 * columns)) * rng.uniform(15, 60)))
    else:
        for _ in range(int(rng.integers(1, 12))):
            centre = rng.uniform(0.15, 0.85, 2)
            radius = rng.uniform(0.02, 0.05) if kind == 2 else rng.uniform(0.05, 0.25)
            distance = np.hypot((rows - centre[0]) / rng.uniform(0.6, 1.6), columns - centre[1]) / radius
            veil = np.maximum(veil, np.exp(-(distance ** rng.uniform(2, 5))))
    texture = 0.5 + 0.5 * spectral_noise(rng, image.shape, 1.0) if rng.random() < 0.7 else 1.0
    veil = veil * texture * rng.uniform(0.2, 0.95)
    return (
        (image + veil * (np.float32(np.percentile(image, rng.uniform(80, 97))) - image) * (veil > 0))
        .astype(np.float32)
        .clip(0, 1)
    )


def hardware(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Tubes, leads, clips and implants: a few bright or outlined curves and blobs."""
    import cv2

    image = image.copy()
    rows, columns = image.shape
    for _ in range(int(rng.integers(1, 5))):
        grey = float(np.clip(image.mean() + rng.uniform(0.1, 0.7), 0, 1))
        if rng.random() < 0.6:
            steps = np.cumsum(rng.normal(0, 0.08, (12, 2)) + rng.normal(0, 0.06, 2), axis=0) + rng.uniform(0.1, 0.9, 2)
            points = (steps * (columns, rows)).astype(np.int32)
            cv2.polylines(image, [points], False, grey, int(rng.integers(1, 3)), cv2.LINE_AA)
        else:
            centre = (int(rng.uniform(0, columns)), int(rng.uniform(0, rows)))
            axes = (int(rng.uniform(1, 0.07 * columns)) + 1, int(rng.uniform(1, 0.07 * rows)) + 1)
            cv2.ellipse(image, centre, axes, float(rng.uniform(0, 180)), 0, 360, grey, -1 if rng.random() < 0.5 else 1)
    return image


def label(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Side markers and burned-in text near the border: bright or dark letters, sometimes on a plate."""
    import cv2

    plate = (image * 255).astype(np.uint8)
    rows, columns = plate.shape
    for _ in range(int(rng.integers(1, 4))):
        text = "".join(rng.choice(np.array(list("RLAPOXCHEST0123456789 ")), int(rng.integers(1, 7))))
        grey = int(rng.choice(np.array([0, 255, int(rng.integers(256))])))
        row = int(rows * rng.choice([rng.uniform(0.05, 0.2), rng.uniform(0.85, 0.98)]))
        column = int(columns * rng.choice([rng.uniform(0.0, 0.15), rng.uniform(0.75, 0.95)]))
        if rng.random() < 0.3:
            cv2.rectangle(plate, (column - 2, row - 9), (column + 8 * len(text), row + 3), 255 - grey, -1)
        cv2.putText(plate, text, (column, row), cv2.FONT_HERSHEY_SIMPLEX, float(rng.uniform(0.2, 0.5)), grey, 1)
    return plate.astype(np.float32) / 255


def shutters(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Collimation: black, white or grey margins, straight or slightly tilted, on one to four sides."""
    import cv2

    rows, columns = image.shape
    widest = 0.3 if rng.random() < 0.4 else 0.14
    reach = rng.uniform(0, widest, 4) * (rng.random(4) < 0.6)
    tilt = rng.normal(0, 0.01, 4)
    corners = np.array(
        [
            [reach[0] + tilt[0], reach[1] + tilt[1]],
            [1 - reach[2] + tilt[2], reach[1] - tilt[1]],
            [1 - reach[2] - tilt[2], 1 - reach[3] + tilt[3]],
            [reach[0] - tilt[0], 1 - reach[3] - tilt[3]],
        ]
    )
    mask = np.zeros((rows, columns), np.float32)
    cv2.fillConvexPoly(mask, (corners * (columns, rows)).astype(np.int32), 1.0)
    open_field = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 4)) if rng.random() < 0.5 else mask
    margin = float(rng.choice(np.array([0.0, 0.0, 1.0, rng.random()])))
    return (open_field * image + (1 - open_field) * margin).astype(np.float32)


def grain(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur or sharpening, then white or coloured noise."""
    import cv2

    if rng.random() < 0.5:
        soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.6))
        image = soft if rng.random() < 0.6 else image + rng.uniform(0.3, 1.5) * (image - soft)
    amount = float(rng.choice([0.0, 0.01, 0.03, 0.06]))
    speckle = amount * rng.standard_normal(image.shape)
    return np.clip(image + speckle, 0, 1).astype(np.float32)


def disturb(
    image: np.ndarray, rng: np.random.Generator, framing: Framing, size: int, diseased: float = 0.35, shut: float = 0.35
) -> np.ndarray:
    """One newly framed and disturbed copy. diseased, shut : how often opacities are laid over it, and margins round it."""
    image = reframe(image, rng, framing, size)
    if rng.random() < diseased:
        image = opacities(image, rng)
    if rng.random() < 0.3:
        image = hardware(image, rng)
    if rng.random() < 0.4:
        image = shading(image, rng)
    if rng.random() < 0.5:
        image = equalise(image, rng)
    image = tone(image, rng)
    if rng.random() < shut:
        image = shutters(image, rng)
    if rng.random() < 0.4:
        image = label(image, rng)
    return grain(image, rng)
