"""Pictures with boxes: detections, samples, galleries, and how the grid sees a picture.

Shape letters: B boxes of one picture, H W grid rows and columns.
"""

from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from yolocourse.detect import Picture
from yolocourse.grid import cell_of
from yolocourse.preprocess import Preprocess
from yolocourse.viz.canvas import Boxes, Canvas, Row, rows, to_image
from yolocourse.viz.style import INK, PALETTE, colour, font

GAP = 10  # pixels between the pictures of a gallery


def annotate(
    picture: Picture,
    found: Boxes | None = None,
    truth: Boxes | None = None,
    names: Sequence[str] | None = None,
    side: int | None = None,
) -> Image.Image:
    """A copy of the picture with coloured boxes and name tags for `found`, black and white dashes for `truth`.

    Boxes are xyxy in pixels of the picture; see `canvas.rows` for their forms and for `names`. side: pixels of the
    longer side of the result; by default small pictures are enlarged by a whole number and others keep their size.
    Where boxes crowd, the first ones, that is the best detections, get their tags and those without a place do not.
    """
    canvas = Canvas(picture, side)
    drawn = rows(found, names)
    for row in rows(truth):
        canvas.dashes(row.box)
    for row in reversed(drawn):  # the best on top
        canvas.box(row.box, colour(row.label))
    canvas.tags(drawn)
    return canvas.image


def gallery(
    pictures: Sequence[Picture],
    found: Sequence[Boxes | None] | None = None,
    truth: Sequence[Boxes | None] | None = None,
    names: Sequence[str] | None = None,
    titles: Sequence[str] | None = None,
    headings: Sequence[str] | None = None,
    columns: int = 4,
    side: int = 220,
) -> Image.Image:
    """Many pictures, annotated, in rows on white: samples of a data set, detections, failures, a contact sheet.

    found, truth, titles: one for each picture; headings: one for each row of `columns` pictures, above it.
    side: pixels of the longer side of each picture. Raises ValueError when there is no picture, or when the lists do
    not fit each other.
    """
    lengths = {name: len(given) for name, given in (("found", found), ("truth", truth), ("titles", titles)) if given}
    if not pictures or any(length != len(pictures) for length in lengths.values()):
        raise ValueError(f"a gallery of {len(pictures)} pictures cannot be made with {lengths}; one for each picture")
    nothing = [None] * len(pictures)
    boxes = zip(pictures, found or nothing, truth or nothing, strict=True)
    tiles = [annotate(picture, drawn, true, names, side) for picture, drawn, true in boxes]
    return tile(tiles, titles, headings, columns)


def tile(
    tiles: Sequence[Image.Image],
    titles: Sequence[str] | None = None,
    headings: Sequence[str] | None = None,
    columns: int = 4,
) -> Image.Image:
    """Pictures of any sizes side by side, as they are, in rows of `columns` on white; texts as for `gallery`."""
    columns = min(columns, len(tiles))
    lines = [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    head, title = (26 if headings else 0), (20 if titles else 0)
    heights = [head + title + max(image.height for image in line) + GAP for line in lines]
    cell = max(image.width for image in tiles) + GAP
    sheet = Image.new("RGB", (columns * cell + GAP, sum(heights) + GAP), "white")
    draw, y = ImageDraw.Draw(sheet), GAP
    for i, (line, height) in enumerate(zip(lines, heights, strict=True)):
        if headings:
            draw.text((GAP, y), headings[i], INK, font(16, bold=True))
        for j, image in enumerate(line):
            x = GAP + j * cell
            if titles:
                draw.text((x, y + head), _shortened(titles[i * columns + j], cell - GAP, font(13)), INK, font(13))
            sheet.paste(image, (x, y + head + title))
        y += height
    return sheet


def grid(
    picture: Picture,
    cells: int | tuple[int, int],
    found: Boxes | None = None,
    names: Sequence[str] | None = None,
    side: int | None = None,
) -> Image.Image:
    """The grid over a picture; each cell that holds a box's centre, and so answers for it, in the box's colour.

    cells: rows and columns (H, W), or one number for both. found, names, side: as for `annotate`.
    """
    canvas = Canvas(picture, side)
    H, W = (cells, cells) if isinstance(cells, int) else cells
    drawn = rows(found, names)
    responsible = {_cell(row, canvas.original, H, W): colour(row.label) for row in reversed(drawn)}
    for (i, j), paint in responsible.items():
        canvas.cell(H, W, i, j, paint)
    canvas.grid(H, W)
    for row in reversed(drawn):
        canvas.box(row.box, colour(row.label))
    for row in drawn:
        canvas.dot(row.box, colour(row.label))
    canvas.tags(drawn)
    return canvas.image


def cell_boxes(
    picture: Picture,
    cells: int | tuple[int, int],
    cell: tuple[int, int],
    boxes: Tensor,
    confidences: Sequence[float] | Tensor,
    side: int | None = None,
) -> Image.Image:
    """Every box that one cell predicts, each in its own colour: the surer, the thicker.

    cells: rows and columns (H, W), or one number; cell: its row and column, from 0. boxes (B, 4) xyxy in pixels of the
    picture, confidences (B,) from 0 to 1. Raises ValueError for a cell outside the grid.
    """
    canvas = Canvas(picture, side)
    H, W = (cells, cells) if isinstance(cells, int) else cells
    if not (0 <= cell[0] < H and 0 <= cell[1] < W):
        raise ValueError(f"cell {tuple(cell)} is outside the grid of {H} rows and {W} columns, counted from 0")
    canvas.cell(H, W, *cell, PALETTE[4])
    canvas.grid(H, W)
    confidences = torch.as_tensor(confidences).tolist()
    drawn = [Row(tuple(box), i, f"{c:.2f}") for i, (box, c) in enumerate(zip(boxes.tolist(), confidences, strict=True))]
    for i in sorted(range(len(drawn)), key=lambda i: confidences[i]):  # the surest on top
        canvas.box(drawn[i].box, colour(i), max(1, round(3 * canvas.line * confidences[i])))
        canvas.dot(drawn[i].box, colour(i))
    canvas.tags(sorted(drawn, key=lambda row: row.text, reverse=True))
    return canvas.image


def resizing(picture: Picture, size: int | tuple[int, int], found: Boxes | None = None, side: int = 280) -> Image.Image:
    """A picture as it is, stretched, and letterboxed to the network's input, boxes taken along.

    size: of the network's input, as for `Preprocess`; side: pixels of the longer side of each of the three drawings.
    """
    image = to_image(picture)
    boxes = torch.tensor([row.box for row in rows(found)]).reshape(-1, 4)
    pictures, drawn = [image], [boxes]
    for rule in ("stretch", "letterbox"):
        pixels, placement = Preprocess(size, rule)(image)
        pictures.append(pixels)
        drawn.append(placement.to_network(boxes))
    sizes = [f"{each.width} x {each.height}" for each in map(to_image, pictures)]
    titles = [f"{name}: {size}" for name, size in zip(("original", "stretch", "letterbox"), sizes, strict=True)]
    return gallery(pictures, drawn, titles=titles, columns=3, side=side)


def _cell(row: Row, size: tuple[int, int], H: int, W: int) -> tuple[int, int]:
    """Row and column of the cell that holds a box's centre."""
    x, y = (row.box[0] + row.box[2]) / 2 / size[0] * W, (row.box[1] + row.box[3]) / 2 / size[1] * H
    i, j = cell_of(torch.tensor([x, y, 0.0, 0.0]), H, W)
    return int(i), int(j)


def _shortened(text: str, width: int, face: ImageFont.FreeTypeFont) -> str:
    """The text, cut off with "..." where it is wider than `width` pixels."""
    if face.getlength(text) <= width:
        return text
    while text and face.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."
