"""The page's own scripts post frames and an SVG, and get a GIF and a PDF back, at a deep link too."""

import io
import urllib.error
import urllib.request

import pytest
from PIL import Image
from playwright.sync_api import Page

from tests.e2e.browser import settle
from tests.e2e.serve import Server
from tests.test_export import pdf_faces

GIF = """async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 160 })
  const pen = canvas.getContext("2d"), parts = []
  for (let k = 0; k < 5; k++) {
    pen.fillStyle = "white"; pen.fillRect(0, 0, 320, 160)
    pen.fillStyle = "#0072B2"; pen.fillRect(60 * k, 20, 50, 50)
    pen.fillStyle = "#1a1f2b"; pen.font = "20px sans-serif"; pen.fillText(`t = ${k}`, 20, 120)
    const png = await new Promise(done => canvas.toBlob(done, "image/png"))
    const length = new DataView(new ArrayBuffer(4)); length.setUint32(0, png.size, true)
    parts.push(length.buffer, png)
  }
  const address = new URL("rnnviz/gif?delay=200&last=1500", document.baseURI)
  const answer = await fetch(address, { method: "POST", body: new Blob(parts) })
  const made = await answer.blob()
  const image = new Image(); image.src = URL.createObjectURL(made); await image.decode()
  return { status: answer.status, headers: Object.fromEntries(answer.headers), type: made.type,
    size: [image.naturalWidth, image.naturalHeight], bytes: [...new Uint8Array(await made.arrayBuffer())] }
}"""

PDF = """async () => {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="300" height="100">
    <text x="10" y="50" font-family="RnnvizSans, sans-serif">h₁ = σ(a)</text></svg>`
  const answer = await fetch(new URL("rnnviz/pdf", document.baseURI), { method: "POST", body: svg })
  return { status: answer.status, type: answer.headers.get("content-type"),
    bytes: [...new Uint8Array(await answer.arrayBuffer())] }
}"""


@pytest.mark.parametrize("address", ["/", "/flow"])
def test_the_page_gets_a_gif_and_a_pdf(page: Page, address: str) -> None:
    page.goto(address)
    settle(page)
    got = page.evaluate(GIF)
    assert (got["status"], got["type"], got["size"]) == (200, "image/gif", [320, 160])
    assert got["headers"]["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in got["headers"]["content-security-policy"]
    image = Image.open(io.BytesIO(bytes(got["bytes"])))
    assert (image.format, image.n_frames, image.info["loop"]) == ("GIF", 5, 0)
    for k in range(5):
        image.seek(k)
        assert image.info["duration"] == (1500 if k == 4 else 200)
        picture = image.convert("RGB")
        assert picture.getpixel((60 * k + 25, 40)) == (0x00, 0x72, 0xB2)
        assert picture.getpixel((60 * ((k + 2) % 5) + 25, 40)) == (255, 255, 255)
    got = page.evaluate(PDF)
    assert (got["status"], got["type"]) == (200, "application/pdf")
    assert bytes(got["bytes"]).startswith(b"%PDF")
    assert pdf_faces(bytes(got["bytes"])) == {"RnnvizSans-Regular"}


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "said"),
    [
        ("/rnnviz/gif?delay=5&last=20", b"", {}, 400, "delay is 5 ms; allowed: 20 to 10000 ms."),
        ("/rnnviz/pdf", b"<svg>", {}, 400, "The SVG is not well-formed"),
        ("/rnnviz/pdf", b"", {"Origin": "http://a.example"}, 403, 'Origin is "http://a.example"; allowed'),
        (
            "/rnnviz/pdf",
            b" " * (9 << 20),
            {},
            413,
            "The body is 9437184 bytes; allowed: 8388608 bytes (8 MB).",
        ),
        ("/rnnviz/gif?delay=20&last=20", b" " * (65 << 20), {}, 413, "The body is 68157440 bytes; allowed"),
    ],
)
def test_a_refusal_reaches_who_asked(
    server: Server, path: str, body: bytes, headers: dict[str, str], status: int, said: str
) -> None:
    before = len(server.log())
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(urllib.request.Request(server.url + path, body, headers), timeout=30)
    with answer.value as error:
        assert (error.code, error.headers.get_content_type()) == (status, "text/plain")
        assert error.headers["X-Content-Type-Options"] == "nosniff"
        assert said in error.read().decode()
    assert "Traceback" not in server.log()[before:]
