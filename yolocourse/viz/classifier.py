"""A classifier drawn: its best guesses for pictures, and what its layers respond to.

Shape letters: N pictures, T classes, K channels, H W rows and columns of a map.
"""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from yolocourse.detect import Picture
from yolocourse.viz.canvas import to_image
from yolocourse.viz.pictures import tile
from yolocourse.viz.style import FAINT, INK, PALETTE, font

LINE, BAR = 20, 150  # pixels: height of a guess, length of a bar that stands for 1
GREY = (128, 128, 128)


def guesses(
    pictures: Sequence[Picture], probabilities: Tensor, labels: Sequence[int], names: Sequence[str], count: int = 5,
    columns: int = 3, side: int = 110,
) -> Image.Image:  # fmt: skip
    """Pictures with their `count` likeliest classes under them as bars: blue where right, else grey, with the name.

    probabilities (N, T), labels: the N right classes, written above in bold. side: pixels of a picture's longer side.
    Raises ValueError unless there is a row and a label for each picture.
    """
    if not len(pictures) == len(probabilities) == len(labels):
        raise ValueError(
            f"{len(pictures)} pictures, {len(probabilities)} rows of probabilities and {len(labels)} labels; "
            "one of each is needed for a picture"
        )
    tiles = []
    for picture, row, label in zip(pictures, probabilities, labels, strict=True):
        image = to_image(picture)
        scale = side / max(image.size)
        image = image.resize([max(1, round(scale * each)) for each in image.size], Image.Resampling.BICUBIC)
        sheet = Image.new("RGB", (side + BAR + 44, max(side, LINE * (count + 1))), "white")
        sheet.paste(image)
        draw = ImageDraw.Draw(sheet)
        draw.text((side + 8, 0), names[int(label)], INK, font(14, bold=True))
        best = row.topk(min(count, len(row)))
        for i, (share, k) in enumerate(zip(best.values.tolist(), best.indices.tolist(), strict=True), 1):
            top = i * LINE
            paint = PALETTE[5] if k == int(label) else FAINT
            draw.rectangle([side + 8, top + 1, side + 8 + round(BAR * share), top + LINE - 3], paint)
            draw.text((side + 12, top), f"{names[k]} {share:.2f}", INK, font(13))
        tiles.append(sheet)
    return tile(tiles, columns=columns)


def heat(channel: Tensor, side: int) -> Image.Image:
    """One map (H, W), the lowest value dark and the highest bright, enlarged to `side` pixels without smoothing."""
    values = channel.detach().float().cpu().numpy()
    low, high = values.min(), values.max()
    shares = (values - low) / (high - low) if high > low else np.zeros_like(values)
    pixels = (matplotlib.colormaps["viridis"](shares)[..., :3] * 255).round().astype(np.uint8)
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST)


def feature_maps(picture: Picture, stages: Mapping[str, Tensor], count: int = 5, side: int = 104) -> Image.Image:
    """A picture, and for each stage a row with the `count` of its channels that tell its places apart most.

    stages: title -> maps (K, H, W) of that picture. "Most": by the standard deviation over the places, divided by the
    mean size of the channel's values, so that a channel that is loud everywhere does not win.
    """
    image = to_image(picture).resize((side, side), Image.Resampling.BICUBIC)
    tiles, titles = [], []
    for maps in stages.values():
        places = maps.detach().float().flatten(1)  # (K, H*W)
        contrast = places.std(dim=1) / (places.abs().mean(dim=1) + 1e-6)
        chosen = contrast.topk(min(count, len(places))).indices.sort().values.tolist()
        tiles += [image, *(heat(maps[k], side) for k in chosen)]
        tiles += [Image.new("RGB", (side, side), "white")] * (count - len(chosen))
        titles += ["the picture", *(f"channel {k}" for k in chosen), *[""] * (count - len(chosen))]
    return tile(tiles, titles, list(stages), columns=count + 1)


def window(picture: Picture, centre: tuple[float, float], reach: int, side: int = 96) -> Image.Image:
    """What lies in a square of `reach` pixels around (x, y) of the picture, grey beyond it, enlarged to `side`."""
    image = to_image(picture)
    left, top = round(centre[0] - reach / 2), round(centre[1] - reach / 2)
    cut = Image.new("RGB", (reach, reach), GREY)
    cut.paste(image, (-left, -top))
    return cut.resize((side, side), Image.Resampling.NEAREST if reach < side else Image.Resampling.BICUBIC)
