"""Colours and letters."""

from PIL import Image, ImageDraw

from yolocourse.viz.style import PALETTE, colour, dash, font, is_light, rgb


def test_a_class_has_one_colour_and_its_neighbours_others():
    assert len(set(PALETTE)) == 8
    assert [colour(i) for i in range(8)] == list(PALETTE)
    assert colour(8) == colour(0) and dash(8) != dash(0)
    assert len({(colour(i), dash(i)) for i in range(32)}) == 32  # told apart in charts


def test_letters_read_on_every_colour():
    def luminance(paint):  # WCAG 2, written out
        parts = [(c / 255) / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb(paint)]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    assert luminance("#ffffff") == 1 and is_light("#ffffff") and not is_light("#000000")
    for paint in PALETTE:
        letters = 0.0 if is_light(paint) else 1.0
        light, dark = sorted((luminance(paint), letters), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, paint  # what WCAG asks of text


def test_the_font_has_letters_beyond_ascii():
    def shape(letter):
        image = Image.new("L", (40, 40))
        ImageDraw.Draw(image).text((5, 5), letter, 255, font(20))
        return image.tobytes()

    missing = shape("\U0010ffff")
    assert all(shape(letter) != missing for letter in "aéßñλЖ")
    assert font(20).getlength("street lamp") > font(10).getlength("street lamp") > 20
