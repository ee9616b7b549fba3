"""Build the two faces of Rnnviz Sans from Adobe's Source Sans 3 and Google's Noto Sans Math.

vl-convert sets a whole line in a serif face when its own lacks one glyph of it, so the face used for
exported figures must hold every sign the figures use. Source Sans 3 lacks a few (ₜ, ⊙, ∇, ␣): the
subscript letters are made from its superscript ones, the signs are taken from Noto Sans Math. "Source" is
a reserved font name, so the result has another one.

Needs fonttools and brotli, and the npm packages `source-sans@3.52.0` and `@fontsource/noto-sans-math@5.3.0`:
    python build.py source-sans/TTF noto-sans-math/files/noto-sans-math-latin-400-normal.woff2
"""

import sys
from pathlib import Path

from fontTools import subset
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

FAMILY = "Rnnviz Sans"
RANGES = [(0x20, 0x17F), (0x2B0, 0x2E3), (0x300, 0x30A), (0x370, 0x3FF), (0x1D2C, 0x1D6A), (0x2000, 0x206F),
          (0x2070, 0x209F), (0x20A0, 0x20BF), (0x2100, 0x214F), (0x2150, 0x215E), (0x2190, 0x21FF),
          (0x2200, 0x22FF), (0x2300, 0x23FF), (0x2500, 0x25FF), (0x2713, 0x2717)]  # fmt: skip
SIGNS = "⊙⊗⊕⊖∇∈∉∝∘∥⊤⊥∧∨∩∪∀∃∑∏⟨⟩‖∂ℝℓ␣▼▽▲△▶◀◇◆■□●○⇒⇐↦∼≡≪≫½"
SUBSCRIPTS = {"ₐ": "ᵃ", "ₑ": "ᵉ", "ₒ": "ᵒ", "ₓ": "ˣ", "ₕ": "ʰ", "ₖ": "ᵏ", "ₗ": "ˡ", "ₘ": "ᵐ", "ₙ": "ⁿ",
              "ₚ": "ᵖ", "ₛ": "ˢ", "ₜ": "ᵗ", "ᵢ": "ⁱ", "ⱼ": "ʲ", "ᵣ": "ʳ", "ᵤ": "ᵘ", "ᵥ": "ᵛ"}  # fmt: skip


def add(font: TTFont, char: str, source: TTFont, source_char: str, drop: int = 0) -> None:
    """Copy the outline of `source_char` into `font` as `char`, moved down by `drop` units."""
    origin = source.getBestCmap()[ord(source_char)]
    name = f"uni{ord(char):04X}"
    recording = DecomposingRecordingPen(source.getGlyphSet())
    source.getGlyphSet()[origin].draw(recording)
    pen = TTGlyphPen(None)
    recording.replay(TransformPen(pen, (1, 0, 0, 1, 0, -drop)))
    font.setGlyphOrder([*font.getGlyphOrder(), name])
    font["glyf"][name] = pen.glyph()
    width, _ = source["hmtx"][origin]
    font["hmtx"][name] = (width, getattr(font["glyf"][name], "xMin", 0))
    for table in font["cmap"].tables:
        if table.isUnicode():
            table.cmap[ord(char)] = name


def build(source: Path, signs: TTFont, style: str) -> TTFont:
    """Subset, complete and rename one face."""
    font = TTFont(source)
    options = subset.Options(hinting=False, layout_features=["kern", "ccmp", "locl", "mark", "mkmk"])
    options.name_IDs = ["*"]
    options.notdef_outline = True
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[code for low, high in RANGES for code in range(low, high + 1)])
    subsetter.subset(font)
    glyf, names = font["glyf"], font.getBestCmap()
    drop = glyf[names[ord("⁰")]].yMin - glyf[names[ord("₀")]].yMin
    for char, superscript in SUBSCRIPTS.items():
        if ord(char) not in font.getBestCmap():
            add(font, char, font, superscript, drop)
    for char in SIGNS:
        if ord(char) not in font.getBestCmap():
            add(font, char, signs, char)
    name = font["name"]
    licence = name.getDebugName(13)
    credit = f"{name.getDebugName(0)} Signs: {signs['name'].getDebugName(0)}"
    name.names = []
    file = f"{FAMILY.replace(' ', '')}-{style}"
    records = {0: credit, 3: file, 4: f"{FAMILY} {style}", 5: "Version 1.0", 6: file, 13: licence,
               14: "https://openfontlicense.org", 16: FAMILY, 17: style}  # fmt: skip
    records |= {1: FAMILY, 2: "Regular"} if style == "Regular" else {1: f"{FAMILY} {style}", 2: "Regular"}
    for key, text in records.items():
        name.setName(text, key, 3, 1, 0x409)
    return font


if __name__ == "__main__":
    folder, signs_file = Path(sys.argv[1]), sys.argv[2]
    for style in ("Regular", "Semibold"):
        face = build(folder / f"SourceSans3-{style}.ttf", TTFont(signs_file), style)
        for flavor, extension in ((None, "ttf"), ("woff2", "woff2")):
            face.flavor = flavor
            face.save(Path(__file__).parent / f"RnnvizSans-{style}.{extension}")
