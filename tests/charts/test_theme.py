"""Colours: every thing has one, each can be read on its ground, and none needs full colour vision."""

import itertools

import numpy as np
import pytest

from rnnviz.charts import theme
from rnnviz.engine import CELLS

MODES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
# Machado, Oliveira & Fernandes 2009, A physiologically-based model for simulation of color vision
# deficiency, severity 1.0; for linear RGB.
VISION = {
    "full": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
# CIE 1976 colour difference: 2.3 is just noticeable side by side in a large patch; thin lines apart from
# each other need several times that.
APART = 10


def linear(colour):
    v = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def contrast(a, b):
    """WCAG 2.1, 1 to 21."""
    light, dark = sorted((float(XYZ[1] @ linear(colour)) for colour in (a, b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def lab(colour, vision):
    ratio = XYZ @ np.clip(VISION[vision] @ linear(colour), 0, 1) / (XYZ @ np.ones(3))
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def too_close(colours, vision):
    return {
        (a, b): round(float(distance), 1)
        for a, b in itertools.combinations(colours, 2)
        if (distance := np.linalg.norm(lab(colours[a], vision) - lab(colours[b], vision))) < APART
    }


def test_the_measures_are_right():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # WCAG's well-known near miss
    np.testing.assert_allclose(lab("#ffffff", "full"), [100, 0, 0], atol=0.01)
    np.testing.assert_allclose(lab("#ff0000", "full"), [53.24, 80.09, 67.20], atol=0.02)
    for vision in VISION:  # grey stays grey
        np.testing.assert_allclose(VISION[vision].sum(1), 1, atol=1e-5)
    red_green = {"red": "#a03000", "green": "#606000"}
    assert not too_close(red_green, "full")
    assert too_close(red_green, "deuteranopia")


def test_everything_in_a_registered_cell_has_a_place():
    for spec in CELLS.values():
        assert spec.name in theme.CELL
        for name in (*spec.gate_names, *spec.state_names):
            assert name in theme.QUANTITY
        places = [theme.QUANTITY[name] for name in (*spec.gate_names, *spec.state_names, "x")]
        assert len(set(places)) == len(places), f"two quantities of {spec.name} share a colour"
    assert len({theme.CELL[name] for name in CELLS}) == len(CELLS)


@MODES
def test_palettes_are_long_enough_and_of_different_colours(dark):
    colours = theme.palette(dark)["category"]
    assert len(colours) >= 10
    assert len({colour.lower() for colour in colours}) == len(colours)
    assert max(*theme.QUANTITY.values(), *theme.CELL.values()) < len(colours)


@MODES
@pytest.mark.parametrize("name", theme.QUANTITY)
def test_a_quantity_stands_out_from_the_ground(name, dark):
    ground = theme.palette(dark)["background"]
    assert contrast(theme.quantity_colour(name, dark), ground) >= 3


@MODES
@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_stands_out_from_the_ground(cell, dark):
    colours = theme.palette(dark)
    assert contrast(colours["category"][theme.CELL[cell]], colours["background"]) >= 3


@MODES
def test_words_can_be_read(dark):
    colours = theme.palette(dark)
    assert contrast(colours["text"], colours["background"]) >= 7
    assert contrast(theme.vega_config(dark)["title"]["subtitleColor"], colours["background"]) >= 4.5
    assert contrast(theme.SCREEN["text"]["color"], colours["background"]) >= 3


@MODES
@pytest.mark.parametrize("vision", VISION)
def test_cells_are_told_apart(vision, dark):
    category = theme.palette(dark)["category"]
    assert too_close({cell: category[theme.CELL[cell]] for cell in CELLS}, vision) == {}


@MODES
@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("cell", CELLS)
def test_a_cells_quantities_are_told_apart(cell, vision, dark):
    spec = CELLS[cell]
    names = (*spec.gate_names, *spec.state_names)
    assert too_close({name: theme.quantity_colour(name, dark) for name in names}, vision) == {}


@pytest.mark.parametrize("vision", VISION)
def test_below_and_above_zero_are_told_apart(vision):
    ends = {k: stop for k, stop in enumerate(theme.DIVERGING) if k in (0, 1, 3, 5, 6)}
    assert too_close(ends, vision) == {}


@MODES
def test_charts_and_exports_take_the_same_list(dark):
    colours, config = theme.palette(dark), theme.vega_config(dark)
    assert config["range"]["category"] == colours["category"]
    assert config["background"] == colours["background"]
    for name, place in theme.QUANTITY.items():
        assert theme.quantity_colour(name, dark) == colours["category"][place]
        assert theme.quantity_colour(name, dark) in theme.css_colour(name)
    assert theme.quantity_colour("unheard of", dark) == theme.quantity_colour("h", dark)


def test_a_domain_puts_each_name_at_its_place():
    places = {"a": 0, "b": 3, "c": 1, "d": 3}
    for names in (["a"], ["b"], ["c", "b"], ["a", "c", "d"]):
        domain = theme.domain(places, names)
        assert [domain.index(name) for name in names] == [places[name] for name in names]
        assert len(set(domain)) == len(domain)
        assert not set(domain) & set(places) - set(names)
    assert theme.domain(places, []) == ["–0"]
    for names in (list(theme.CELL), ["x", "h"], list("ifgoch"), list("rznh")):
        table = theme.CELL if names[0] in theme.CELL else theme.QUANTITY
        domain = theme.domain(table, names)
        assert [domain.index(name) for name in names] == [table[name] for name in names]
