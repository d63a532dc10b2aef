"""Letterbox and stretch: numbers worked out by hand, every kind of picture, bad input."""

import numpy as np
import pytest
import torch
from PIL import Image

from yolocourse.preprocess import Placement, Preprocess, open_picture, to_rgb


# (width, height) of the picture, (H, W) of the input -> inner size and offset, both (x, y); by pencil and paper
@pytest.mark.parametrize(
    "picture, size, inner, offset",
    [
        ((640, 480), 416, (416, 312), (0, 52)),  # 480 * 416 / 640 = 312; (416 - 312) / 2 = 52
        ((480, 640), 416, (312, 416), (52, 0)),
        ((500, 333), 416, (416, 277), (0, 69)),  # 333 * 416 / 500 = 277.06; 139 / 2 = 69.5 -> 69
        ((100, 100), 224, (224, 224), (0, 0)),
        ((200, 100), (320, 224), (224, 112), (0, 104)),  # input 320 high, 224 wide
        ((5000, 1), 416, (416, 1), (0, 207)),  # 0.08 of a pixel high: at least one
    ],
)
def test_letterbox_geometry(picture, size, inner, offset):
    assert Preprocess(size, "letterbox").place(*picture) == Placement(picture, inner, offset)


def test_boxes_of_a_letterbox_by_hand():
    placement = Preprocess(416, "letterbox").place(640, 480)  # scale 0.65, offset (0, 52)
    boxes = torch.tensor([[0.0, 0.0, 640.0, 480.0], [100.0, 200.0, 300.0, 400.0]])
    expected = torch.tensor([[0.0, 52.0, 416.0, 364.0], [65.0, 182.0, 195.0, 312.0]])
    torch.testing.assert_close(placement.to_network(boxes), expected)
    torch.testing.assert_close(placement.to_original(expected), boxes)


def test_boxes_of_a_stretch_by_hand():
    placement = Preprocess((320, 416)).place(208, 640)  # x doubled, y halved
    boxes = torch.tensor([[10.0, 20.0, 30.0, 60.0]])
    torch.testing.assert_close(placement.to_network(boxes), torch.tensor([[20.0, 10.0, 60.0, 30.0]]))
    torch.testing.assert_close(placement.to_original(placement.to_network(boxes)), boxes)


@pytest.mark.parametrize("rule", ["stretch", "letterbox"])
def test_no_boxes(rule):
    assert Preprocess(64, rule).place(9, 7).to_network(torch.zeros(0, 4)).shape == (0, 4)


@pytest.mark.parametrize("rule", ["stretch", "letterbox"])
@pytest.mark.parametrize("width, height", [(300, 200), (90, 211), (1000, 30)])
def test_a_painted_square_arrives_where_its_box_says(rule, width, height):
    image = Image.new("RGB", (width, height), "black")
    box = (width // 4, height // 4, 3 * width // 4, 3 * height // 4)
    image.paste("white", box)
    pixels, placement = Preprocess((192, 224), rule, fill=0.0)(image)
    assert pixels.shape == (3, 192, 224)
    ys, xs = torch.nonzero(pixels[0] > 0.5, as_tuple=True)
    found = torch.tensor([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]).float()
    expected = placement.to_network(torch.tensor(box).float())
    assert (found - expected).abs().max() <= 1


def test_values_and_bars():
    image = torch.full((3, 50, 100), 255, dtype=torch.uint8)
    pixels, placement = Preprocess(64, "letterbox", fill=0.25)(image)  # inner 64 x 32, at (0, 16)
    assert placement.offset == (0, 16)
    assert pixels.dtype == torch.float32
    assert (pixels[:, 16:48] == 1).all()
    assert (pixels[:, :16] == 0.25).all() and (pixels[:, 48:] == 0.25).all()


def test_pillow_image_and_tensor_give_the_same_pixels():
    array = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    from_pillow, _ = Preprocess(64)(Image.fromarray(array))
    from_tensor, _ = Preprocess(64)(torch.from_numpy(array).permute(2, 0, 1))
    assert torch.equal(from_pillow, from_tensor)


def test_a_picture_of_the_networks_size_is_not_touched():
    array = np.random.default_rng(1).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    for rule in ("stretch", "letterbox"):
        pixels, _ = Preprocess((64, 96), rule)(Image.fromarray(array))
        assert torch.equal((pixels * 255).round().byte(), torch.from_numpy(array).permute(2, 0, 1))


def test_shrinking_averages_instead_of_skipping():
    stripes = torch.zeros(3, 256, 256, dtype=torch.uint8)
    stripes[:, :, ::2] = 255  # every other column white: grey from far away
    pixels, _ = Preprocess(32)(stripes)
    assert (pixels - 0.5).abs().max() < 0.02


@pytest.mark.parametrize("side, nearest", [(400, "384 and 416"), (1, "32 and 64"), (417, "416 and 448")])
def test_size_must_be_a_multiple_of_32(side, nearest):
    with pytest.raises(ValueError, match=f"{side} is not a multiple of 32.*{nearest}"):
        Preprocess(side)
    with pytest.raises(ValueError, match=nearest):
        Preprocess((416, side))


@pytest.mark.parametrize("size", [416.0, "416", (416, 416.0), (416, 416, 3)])
def test_size_must_be_whole_numbers(size):
    with pytest.raises(ValueError, match="whole number of pixels or two"):
        Preprocess(size)


@pytest.mark.parametrize("size", [0, -32])
def test_size_must_be_positive(size):
    with pytest.raises(ValueError, match=f"{size} is not a multiple of 32"):
        Preprocess(size)


def test_bad_settings():
    with pytest.raises(ValueError, match="'squash'.*stretch, letterbox"):
        Preprocess(416, "squash")
    with pytest.raises(ValueError, match="128"):
        Preprocess(416, fill=128)


@pytest.mark.parametrize("bad", [torch.zeros(3, 8, 8), torch.zeros(8, 8, 3).byte(), torch.zeros(1, 3, 8, 8).byte()])
def test_bad_tensors(bad):
    with pytest.raises(ValueError, match=r"uint8 tensor of shape \(3, height, width\)"):
        Preprocess(32)(bad)


def test_empty_picture():
    with pytest.raises(ValueError, match="0 x 8 pixels"):
        Preprocess(32)(torch.zeros(3, 8, 0, dtype=torch.uint8))


def test_dict_and_back():
    for preprocess in (Preprocess(), Preprocess((320, 416), "letterbox", 0.25)):
        assert Preprocess.from_dict(preprocess.to_dict()) == preprocess


# Kinds of pictures -------------------------------------------------------------------------------------------------


def test_grey_palette_and_one_bit():
    grey = Image.new("L", (4, 3), 128)
    assert to_rgb(grey).getpixel((0, 0)) == (128, 128, 128)
    assert to_rgb(Image.new("RGB", (4, 3), (10, 200, 30)).quantize(4)).getpixel((1, 1)) == (10, 200, 30)
    assert to_rgb(Image.new("1", (4, 3), 1)).getpixel((0, 0)) == (255, 255, 255)


def test_transparent_parts_are_white():
    image = Image.new("RGBA", (4, 3), (0, 0, 0, 0))
    image.putpixel((1, 1), (200, 10, 20, 255))
    assert to_rgb(image).getpixel((0, 0)) == (255, 255, 255)
    assert to_rgb(image).getpixel((1, 1)) == (200, 10, 20)
    assert to_rgb(Image.new("LA", (2, 2), (0, 0))).getpixel((0, 0)) == (255, 255, 255)


def test_palette_with_a_transparent_colour(tmp_path):
    image = Image.new("P", (4, 3), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.putpixel((2, 2), 1)
    image.save(tmp_path / "p.png", transparency=0)
    opened = open_picture(tmp_path / "p.png")
    assert opened.getpixel((0, 0)) == (255, 255, 255) and opened.getpixel((2, 2)) == (255, 0, 0)


def test_sixteen_bits_are_scaled_not_cut_off(tmp_path):
    values = np.array([[0, 257 * 100, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    opened = open_picture(tmp_path / "deep.png")
    assert [opened.getpixel((x, 0)) for x in range(3)] == [(0, 0, 0), (100, 100, 100), (255, 255, 255)]
    assert to_rgb(Image.fromarray(values.astype(np.int32))).getpixel((1, 0)) == (100, 100, 100)


def test_cmyk():
    assert to_rgb(Image.new("CMYK", (2, 2), (0, 255, 255, 0))).getpixel((0, 0)) == (255, 0, 0)


def test_floating_point_pictures_are_refused(tmp_path):
    image = Image.new("F", (2, 2), 0.5)
    with pytest.raises(ValueError, match="floating-point"):
        to_rgb(image)
    image.save(tmp_path / "f.tiff")
    with pytest.raises(ValueError, match=r"f\.tiff.*floating-point"):
        open_picture(tmp_path / "f.tiff")


def test_exif_orientation(tmp_path):
    image = Image.new("RGB", (40, 20), "blue")
    image.paste("red", (0, 0, 20, 20))  # left half red
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera stood on its side: turn by 90 degrees clockwise to view
    image.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    opened = open_picture(tmp_path / "turned.jpg")
    assert opened.size == (20, 40)
    top, bottom = opened.getpixel((10, 5)), opened.getpixel((10, 35))
    assert top[0] > 200 and top[2] < 60 and bottom[2] > 200 and bottom[0] < 60  # left has become top
    assert open_picture(tmp_path / "turned.jpg", upright=False).size == (40, 20)


# Files that are none -----------------------------------------------------------------------------------------------


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.jpg: no such picture"):
        open_picture(tmp_path / "nowhere.jpg")
    with pytest.raises(ValueError, match="is a folder"):
        open_picture(tmp_path)


def test_files_that_are_no_pictures(tmp_path):
    text = tmp_path / "text.jpg"
    text.write_text("this is not a picture")
    with pytest.raises(ValueError, match=r"text\.jpg: not a picture"):
        open_picture(text)
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"empty\.png"):
        open_picture(tmp_path / "empty.png")


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "bmp"])
def test_cut_off_files(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / f"half.{suffix}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=rf"half\.{suffix}"):
        open_picture(path)


def darknets_resize(image, width, height):
    """Darknet's resize_image, in loops: (h, w, 3) -> (height, width, 3); first across, then down."""
    h, w, _ = image.shape
    part, result = np.zeros((h, width, 3)), np.zeros((height, width, 3))
    for c in range(width):
        x = c * (w - 1) / (width - 1)
        left = min(int(x), w - 2) if w > 1 else 0
        part[:, c] = (
            image[:, -1] if c == width - 1 else (1 - x + left) * image[:, left] + (x - left) * image[:, left + 1]
        )
    for r in range(height):
        y = r * (h - 1) / (height - 1)
        above = int(y)
        result[r] = (1 - y + above) * part[above]
        if r < height - 1:
            result[r] += (y - above) * part[above + 1]
    return result


@pytest.mark.parametrize("size", [(50, 40), (33, 70), (300, 100), (64, 64)])
def test_darknet_letterbox_pixel_for_pixel(size):
    rng = np.random.default_rng(0)
    width, height = size
    array = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    pixels, placement = Preprocess((64, 96), "darknet")(Image.fromarray(array))
    w, h = placement.inner
    x, y = (96 - w) // 2, (64 - h) // 2
    expected = np.full((64, 96, 3), 0.5)
    expected[y : y + h, x : x + w] = darknets_resize(array / 255, w, h)
    np.testing.assert_allclose(pixels.permute(1, 2, 0).numpy(), expected, atol=2e-5)


def test_darknet_boxes_by_hand():
    """correct_region_boxes: 100 x 30 in 64 x 64 is 64 x 19 at y = 22 for the picture, and at 22.5 for boxes."""
    placement = Preprocess(64, "darknet").place(100, 30)
    assert placement.inner == (64, 19) and placement.offset == (0.0, 22.5)
    # Darknet: y = (0.5 - (64 - 19) / 2 / 64) / (19 / 64) * 30 for a centre in the middle; h = 0.25 * 64 / 19 * 30
    box = placement.to_original(torch.tensor([[16.0, 24.0, 48.0, 40.0]]))
    centre, height = (0.5 - 45 / 2 / 64) / (19 / 64) * 30, 0.25 * 64 / 19 * 30
    torch.testing.assert_close(box, torch.tensor([[25.0, centre - height / 2, 75.0, centre + height / 2]]))
