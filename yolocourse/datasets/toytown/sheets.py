"""Contact sheets: all classes with their names, and every slice with its boxes."""

from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFont

from yolocourse.datasets.toytown.art import ART
from yolocourse.datasets.toytown.classes import COARSE, FINE, NEVER_BOXED
from yolocourse.datasets.toytown.dataset import ToyTownScenes, draw_thing, test_slices
from yolocourse.datasets.toytown.pen import SUPERSAMPLE, Pen
from yolocourse.datasets.toytown.scene import outline

_PAPER, _INK = (214, 226, 217), (46, 42, 54)
_COLOURS = 256  # of a sheet's palette: a third of the file, and the eye misses little


def _sprite(name: str, seed: str, width: int, height: int) -> Image.Image:
    x0, y0, x1, y1 = ART[name].bounds
    pen = Pen(ART[name].bounds, min(width / (x1 - x0), height / (y1 - y0)) * 0.96)
    ART[name].draw(pen, Random(seed))
    return pen.canvas.reduce(SUPERSAMPLE)


def class_sheet(variants: int = 5, cell: tuple[int, int] = (112, 78)) -> Image.Image:
    """Every kind of thing that Toy Town draws, several of each, in two columns, in the order of the coarse classes.

    A star marks what no ordinary scene shows (NEVER_BOXED); in brackets the class of kinds that are none themselves.
    """
    names = sorted(ART, key=lambda name: COARSE.index(ART[name].coarse))
    label, (width, height) = 122, cell
    half = label + variants * width
    rows = -(-len(names) // 2)
    sheet = Image.new("RGB", (2 * half + 10, rows * (height + 8) + 8), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for k, name in enumerate(names):
        left, top = (k // rows) * (half + 10), 8 + k % rows * (height + 8)
        star = " *" if name in NEVER_BOXED else ""
        draw.text(
            (left + 6, top + height // 2 - 14), name.replace("bicycle-built-", "bicycle-built-\n") + star, _INK, font
        )
        if name not in FINE:
            draw.text((left + 6, top + height // 2 + 2), f"({ART[name].coarse})", (96, 92, 104), font)
        for v in range(variants):
            sprite = _sprite(name, f"sheet/{name}/{v}", width - 6, height)
            at = (left + label + v * width + (width - sprite.width) // 2, top + height - sprite.height)
            sheet.paste(sprite, at, sprite)
    return sheet


def things_sheet(columns: int = 9, size: int = 96) -> Image.Image:
    """One classification picture of every fine class."""
    rows = -(-len(FINE) // columns)
    sheet = Image.new("RGB", (columns * (size + 6) + 6, rows * (size + 22) + 4), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(10)
    for k, name in enumerate(FINE):
        left, top = 6 + k % columns * (size + 6), 4 + k // columns * (size + 22)
        sheet.paste(draw_thing(name, Random(f"sheet/{name}"), size)[0], (left, top))
        draw.text((left, top + size + 2), name, _INK, font)
    return sheet


def scenes_sheet(scenes: ToyTownScenes, columns: int = 4, size: int = 224, boxes: bool = True) -> Image.Image:
    """All pictures of a set, boxes in white (orange: difficult), each at its own size in a cell of `size`."""
    rows = -(-len(scenes) // columns)
    sheet = Image.new("RGB", (columns * (size + 4) + 4, rows * (size + 4) + 4), _PAPER)
    for k in range(len(scenes)):
        picture = scenes[k][0]
        if boxes:
            picture = outline(picture, scenes.records(k))
        if picture.width > size:
            picture = picture.resize((size, size), Image.Resampling.LANCZOS)
        sheet.paste(picture, (4 + k % columns * (size + 4), 4 + k // columns * (size + 4)))
    return sheet


def write_sheets(folder: str | Path, seed: int = 7) -> list[Path]:
    """Writes classes.png, things.png and one PNG per test slice into `folder`; returns their paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sheets = {"classes": class_sheet(), "things": things_sheet()}
    for name, scenes in test_slices(8, seed).items():
        if name == "scale":
            scenes.count = 5
            sheets[name] = scenes_sheet(scenes, columns=5, size=416).reduce(2)
        else:
            sheets[name] = scenes_sheet(scenes)
    paths = []
    for name, sheet in sheets.items():
        paths.append(folder / f"{name}.png")
        sheet.quantize(_COLOURS, dither=Image.Dither.NONE).save(paths[-1], optimize=True)
    return paths
