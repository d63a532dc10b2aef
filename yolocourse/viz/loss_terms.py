"""The detection loss on a picture: where each term comes from, and what every box is told.

Shape letters: A anchors, H W grid rows and columns.
"""

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from yolocourse.detect import Picture
from yolocourse.viz.canvas import Boxes, Canvas, rows
from yolocourse.viz.style import INK, PALETTE, font, rgb

NOTHING, LEFT_ALONE, RESPONSIBLE = range(3)
ROLE_COLOURS = ("#777777", PALETTE[4], PALETTE[0])
WRITTEN = 0.03  # of the largest cell: less is not written into a cell


def cell_amounts(
    picture: Picture, amounts: Tensor, found: Boxes | None = None, truth: Boxes | None = None, caption: str = "",
    side: int = 320,
) -> Image.Image:  # fmt: skip
    """A picture whose cells are the darker vermilion the more of something comes from them, such as of a loss term.

    amounts: (H, W), or (A, H, W), which is summed over the anchors; not negative; written into the cells. found: boxes
    to draw in blue, truth: in dashes, both in pixels of the picture. caption: a line below. side: pixels of the
    picture's longer side.
    Raises ValueError for amounts of another form.
    """
    if amounts.dim() not in (2, 3) or not bool((amounts >= 0).all()):
        raise ValueError(f"amounts must be (H, W) or (A, H, W) and not negative, got shape {tuple(amounts.shape)} with "
                         f"a lowest value of {amounts.min():g}")  # fmt: skip
    cells = amounts.sum(0) if amounts.dim() == 3 else amounts
    H, W = cells.shape
    canvas, most = Canvas(picture, side), max(float(cells.max()), 1e-9)
    canvas.draw.rectangle([0, 0, *canvas.size], (255, 255, 255, 165))
    canvas.grid(H, W)
    width, height = canvas.size[0] / W, canvas.size[1] / H
    for i, line in enumerate(cells.tolist()):
        for j, amount in enumerate(line):
            corners = [round(j * width), round(i * height), round((j + 1) * width), round((i + 1) * height)]
            canvas.draw.rectangle(corners, (*rgb(PALETTE[1]), round(220 * amount / most)))
    for row in rows(truth):
        canvas.dashes(row.box)
    for row in rows(found):
        canvas.box(row.box, PALETTE[0])
    face = font(max(9, round(min(width, height) / 3.4)), bold=True)
    for i, line in enumerate(cells.tolist()):
        for j, amount in enumerate(line):
            if amount > WRITTEN * most:
                text = f"{amount:.2f}" if amount < 9.995 else f"{amount:.0f}"
                style = {"anchor": "mm", "stroke_width": 2, "stroke_fill": "white"}
                canvas.draw.text(((j + 0.5) * width, (i + 0.5) * height), text, "black", face, **style)
    return _under(canvas.image, caption)


def roles(
    picture: Picture, kinds: Tensor, boxes: Tensor, truth: Boxes | None = None, caption: str = "", side: int = 448
) -> Image.Image:
    """What every box of every cell is told: a dot for each anchor of each cell, and frames around all but the told.

    kinds (A, H, W): NOTHING, LEFT_ALONE or RESPONSIBLE; boxes (A, H, W, 4) xyxy in pixels of the picture; truth: in
    dashes. caption: a line below. Raises ValueError when the two do not fit.
    """
    if boxes.shape != (*kinds.shape, 4):
        raise ValueError(f"kinds {tuple(kinds.shape)} need boxes {(*kinds.shape, 4)}, not {tuple(boxes.shape)}")
    A, H, W = kinds.shape
    canvas = Canvas(picture, side)
    canvas.draw.rectangle([0, 0, *canvas.size], (255, 255, 255, 165))
    canvas.grid(H, W)
    for row in rows(truth):
        canvas.dashes(row.box)
    for kind in (LEFT_ALONE, RESPONSIBLE):
        for box in boxes[kinds == kind].tolist():
            canvas.box(box, ROLE_COLOURS[kind], 2)
    width, height = canvas.size[0] / W, canvas.size[1] / H
    radius = min(width / A, height) / 3
    for a, i, j in torch.cartesian_prod(torch.arange(A), torch.arange(H), torch.arange(W)).tolist():
        x, y = (j + (a + 0.5) / A) * width, (i + 0.86) * height
        kind = int(kinds[a, i, j])
        r = radius if kind else 0.45 * radius
        canvas.draw.ellipse([x - r, y - r, x + r, y + r], ROLE_COLOURS[kind], INK if kind else None)
    return _under(canvas.image, caption)


def _under(image: Image.Image, caption: str) -> Image.Image:
    """The picture with a line of text below, where there is one."""
    if not caption:
        return image
    sheet = Image.new("RGB", (image.width, image.height + 26), "white")
    sheet.paste(image)
    ImageDraw.Draw(sheet).text((4, image.height + 13), caption, INK, font(13), "lm")
    return sheet
