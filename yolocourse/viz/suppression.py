"""What non-maximum suppression leaves of a picture's boxes, and what is right about it.

Shape letters: K candidates, B truths.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision.ops import batched_nms

from yolocourse.boxes import iou
from yolocourse.detect import Picture
from yolocourse.viz.pictures import annotate
from yolocourse.viz.style import INK, PALETTE, font

RIGHT, DOUBLE, WRONG = 0, 1, 4  # colours of the palette: blue, vermilion, orange


class Verdict(NamedTuple):
    """What became of the boxes of one picture."""

    boxes: Tensor  # (k, 4) those that stayed, xyxy, best score first
    kinds: Tensor  # (k,) RIGHT, DOUBLE (a thing that a better box has found already) or WRONG
    missed: Tensor  # (B,) bool: truths that no box found

    @property
    def right(self) -> int:
        return int((self.kinds == RIGHT).sum())

    @property
    def doubles(self) -> int:
        return int((self.kinds == DOUBLE).sum())

    @property
    def wrong(self) -> int:
        return int((self.kinds == WRONG).sum())


def judge(found: Mapping[str, Tensor], truth: Mapping[str, Tensor], nms_threshold: float) -> Verdict:
    """Suppresses within each class, then compares with the truth at IoU 0.5, best score first, as VOC does.

    found: boxes (K, 4) xyxy, scores (K,), labels (K,), not yet suppressed; truth: boxes (B, 4), labels (B,).
    """
    boxes, labels = found["boxes"], found["labels"]
    keep = batched_nms(boxes, found["scores"], labels, nms_threshold)
    true_boxes = torch.as_tensor(truth["boxes"]).as_subclass(Tensor)
    overlap = iou(boxes[keep], true_boxes)  # (k, B)
    overlap[labels[keep][:, None] != truth["labels"][None]] = 0
    missed = torch.ones(len(true_boxes), dtype=torch.bool)
    kinds = []
    for row in overlap:
        best = int(row.argmax()) if len(row) else -1
        if best < 0 or row[best] < 0.5:
            kinds.append(WRONG)
        else:
            kinds.append(RIGHT if missed[best] else DOUBLE)
            missed[best] = False
    return Verdict(boxes[keep], torch.tensor(kinds, dtype=torch.long), missed)


def suppression(
    picture: Picture, found: Mapping[str, Tensor], truth: Mapping[str, Tensor], nms_threshold: float, side: int = 520
) -> Image.Image:
    """The picture with the boxes that stay: blue right, vermilion double, orange wrong; dashes around what was missed.

    See `judge` for the arguments. Below the picture the four counts. side: pixels of its longer side.
    """
    verdict = judge(found, truth, nms_threshold)
    missed = torch.as_tensor(truth["boxes"]).as_subclass(Tensor)[verdict.missed]
    # `annotate` colours by label; without names and scores it writes the number, so the tag is left out by giving "".
    drawn = annotate(picture, {"boxes": verdict.boxes, "labels": verdict.kinds}, missed, [""] * (WRONG + 1), side)
    face = font(min(15, side // 32), bold=True)
    sheet = Image.new("RGB", (drawn.width, drawn.height + 30), "white")
    sheet.paste(drawn)
    draw, x = ImageDraw.Draw(sheet), 6
    counts = ((verdict.right, "right", PALETTE[RIGHT]), (verdict.doubles, "double", PALETTE[DOUBLE]),
              (verdict.wrong, "wrong", PALETTE[WRONG]), (int(verdict.missed.sum()), "missed", INK))  # fmt: skip
    for count, word, paint in counts:
        text = f"{count} {word}"
        draw.rectangle([x, drawn.height + 9, x + 11, drawn.height + 20], paint)
        draw.text((x + 17, drawn.height + 15), text, INK, face, "lm")
        x += 17 + int(face.getlength(text)) + side // 24
    return sheet
