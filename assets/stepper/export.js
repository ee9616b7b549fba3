// What is on the screen as a file: SVG and PNG are made here, PDF and GIF by the server's libraries.

const PROPERTIES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "opacity", "font-family", "font-weight", "font-style", "font-variant-numeric", "visibility"];

const FAMILY = "Rnnviz Sans";

// rgb() instead of what only browsers know; a mixed colour resolves to color(srgb r g b / a).
function plainColour(value) {
  return value.replace(/color\(srgb ([\d.e-]+) ([\d.e-]+) ([\d.e-]+)(?: \/ ([\d.]+))?\)/g, (_, r, g, b, a) => {
    const parts = [r, g, b].map((part) => Math.round(255 * part));
    return a === undefined ? `rgb(${parts})` : `rgba(${parts},${a})`;
  });
}

// Our face as CSS that a picture carries along; fetched for the first picture.
let face = null;
function faceOf() {
  face ??= Promise.all([["Regular", "400"], ["Semibold", "600 700"]].map(async ([name, weight]) => {
    const bytes = new Uint8Array(await (await fetch(address(`font/${name}`))).arrayBuffer());
    const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    return `@font-face { font-family: "${FAMILY}"; font-weight: ${weight}; src: url(data:font/woff2;base64,${text}) format("woff2") }`;
  })).then((faces) => faces.join("\n"));
  return face;
}

function address(path) {
  return new URL(`rnnviz/${path}`, new URL(".", location.href));
}

// The picture as a drawing of its own: every style resolved, the strips as an image within it.
function pictureOf(ui, parts, run, style) {
  const { width, tall, at, em } = parts, margin = 1.5 * em, foot = 2.4 * em;
  const drawing = ui.svg.cloneNode(true);
  const from = [ui.svg, ...ui.svg.querySelectorAll("*")], to = [drawing, ...drawing.querySelectorAll("*")];
  const paper = plainColour(getComputedStyle(ui.stage).backgroundColor);
  from.forEach((node, k) => {
    const style = getComputedStyle(node), kept = to[k];
    if (style.display === "none") return void kept.setAttribute("data-gone", "");
    for (const name of PROPERTIES) {
      const value = style.getPropertyValue(name);
      if (value && !(name === "opacity" && value === "1")) kept.setAttribute(name, name === "font-family" ? familyOf(value) : plainColour(value));
    }
    for (const name of ["class", "style", "data-q", "data-node", "data-open", "data-of", "tabindex", "role"]) kept.removeAttribute(name);
  });
  drawing.querySelectorAll("[data-gone]").forEach((node) => node.remove());
  drawing.setAttribute("viewBox", `${-margin} ${-margin} ${width + 2 * margin} ${tall + 2 * margin + foot}`);
  drawing.setAttribute("width", width + 2 * margin);
  drawing.setAttribute("height", tall + 2 * margin + foot);
  drawing.removeAttribute("aria-hidden");
  const strips = el("image", { x: at.x, y: at.tops[0], width: at.width, height: at.bottom - at.tops[0], href: ui.canvas.toDataURL(), preserveAspectRatio: "none", style: "image-rendering:pixelated" });
  const ground = el("rect", { x: -margin, y: -margin, width: width + 2 * margin, height: tall + 2 * margin + foot, fill: paper });
  drawing.prepend(ground, strips);
  const ink = getComputedStyle(ui.stage);
  el("text", { x: 0, y: tall + foot * 0.7, "font-size": 0.85 * em, fill: plainColour(ink.color), "fill-opacity": 0.7, "font-family": familyOf(ink.fontFamily) }, drawing, `${run.caption} · ${ui.step.textContent} · ${ui.unit.textContent}`);
  el("style", {}, drawing, style);
  return drawing;
}

// The page's sans by the name of our own; serif and monospace as they are.
function familyOf(families) {
  const plain = families.replace(/"/g, "'");
  return /serif(?!-)/.test(plain.replace(/sans-serif/g, "")) || /mono/i.test(plain) ? plain : `'${FAMILY}',${plain}`;
}

function textOf(drawing) {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(drawing)}`;
}

async function rasterOf(drawing, wide) {
  const image = new Image(), url = URL.createObjectURL(new Blob([textOf(drawing)], { type: "image/svg+xml" }));
  try {
    image.src = url;
    await image.decode();
    const scale = wide / Number(drawing.getAttribute("width")), canvas = document.createElement("canvas");
    canvas.width = Math.round(wide);
    canvas.height = Math.round(Number(drawing.getAttribute("height")) * scale);
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((done) => canvas.toBlob(done, "image/png"));
  } finally {
    URL.revokeObjectURL(url);
  }
}

function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

async function post(path, body, type, signal) {
  const answer = await fetch(address(path), { method: "POST", body, headers: { "content-type": type }, signal });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.blob();
}

async function save(kind, stem, { picture: drawn, each, seconds, told }) {
  const style = await faceOf(), picture = () => drawn(style);
  if (kind === "SVG") return void download(new Blob([textOf(picture())], { type: "image/svg+xml" }), `${stem}.svg`);
  if (kind === "PNG") {
    const drawing = picture();
    return void download(await rasterOf(drawing, Math.max(1920, Number(drawing.getAttribute("width")) * 2)), `${stem}.png`);
  }
  const bar = told(kind === "PDF" ? "Making the PDF …" : "Drawing the frames …");
  try {
    if (kind === "PDF") {
      download(await post("pdf", textOf(picture()), "image/svg+xml", bar.signal), `${stem}.pdf`);
      return void bar.done();
    }
    const frames = [], began = performance.now();
    const cancelled = new Promise((done) => bar.signal.addEventListener("abort", done));
    await each(async (k, n) => {
      const png = await Promise.race([rasterOf(picture(), 1280), cancelled]);
      if (bar.signal.aborted) return false;
      frames.push(new Uint32Array([png.size]), png);
      const left = ((performance.now() - began) / (k + 1)) * (n - k - 1);
      bar.tell((0.8 * (k + 1)) / n, `Frame ${k + 1} of ${n} · about ${Math.ceil(left / 1000)} s left`);
      return !bar.signal.aborted;
    });
    if (bar.signal.aborted) return void bar.done("Cancelled; nothing was saved.");
    bar.tell(0.85, "Encoding the animation …");
    const delay = Math.round(clamp(1000 * seconds, 40, 2000));
    download(await post(`gif?delay=${delay}&last=${delay + 1200}`, new Blob(frames), "application/octet-stream", bar.signal), `${stem.replace(/_t\d+/, "")}.gif`);
    bar.done();
  } catch (problem) {
    bar.done(problem.name === "AbortError" ? "Cancelled; nothing was saved." : `Not saved: ${problem.message}`);
  }
}
