// Every unit over time: one strip for each gate and state, painted once; only the cursor moves.

const AXIS = 1.5, TOP = 2.0, LABELS = 8.6;   // in em

function layoutStrips(run, box, em) {
  const n = run.strips.length, gap = 0.42 * em, x = box.x + LABELS * em, width = box.width - (LABELS + 0.9) * em;
  const tall = clamp((box.height - (TOP + AXIS) * em) / n - gap, 1.3 * em, 7 * em);
  const tops = run.strips.map((_, k) => box.y + TOP * em + k * (tall + gap));
  return { x, width, tall, tops, top: box.y, cell: width / run.T, bottom: tops.at(-1) + tall };
}

function stripsHeight(run, em) {
  return (TOP + AXIS + run.strips.length * (run.strips.length > 4 ? 2.4 : run.strips.length > 1 ? 3.3 : 5.5)) * em;
}

// What a strip shows in a mode: the array, its limit, and the decades of a logarithmic scale.
function stripSource(run, strip, { back, scale, delta }) {
  if (back) {
    const { top, floor } = run.flow, log = scale !== "linear" && scale !== "unit";
    return { key: `d:${strip.name}`, limit: top, decades: log ? Math.log10(top / floor) || 1 : 0, range: log ? flowRange(run) : `±${printed(top, true)}` };
  }
  if (delta) {
    const limit = run.delta[strip.name];
    return { key: `delta:${strip.name}`, limit: limit || 1, decades: 0, range: limit ? `Δ ±${printed(limit, true)}` : "no difference" };
  }
  const limit = run.limits[strip.name], log = scale === "log";
  const range = log ? `${strip.gate ? "" : "±"}${printed((limit || 1) / 1e4, true)} … ${printed(limit || 1)}` : limit >= 1000 ? `±${printed(limit)}` : strip.range;
  return { key: strip.name, limit, decades: log ? 4 : 0, range };
}

// What is smaller than the last decade is drawn at the scale's end.
function flowRange({ flow }) {
  return `${flow.clipped ? "≤ " : ""}${printed(flow.floor, true)} … ${printed(flow.top, true)}`;
}

function paintStrips(run, scales, canvas, at, mode, colours) {
  const dpr = devicePixelRatio || 1, { T, H } = run, ink = canvas.getContext("2d");
  canvas.style.cssText = `left:${at.x}px;top:${at.tops[0]}px;width:${at.width}px;height:${at.bottom - at.tops[0]}px`;
  canvas.width = Math.round(at.width * dpr);
  canvas.height = Math.round((at.bottom - at.tops[0]) * dpr);
  const small = document.createElement("canvas"), pixels = small.getContext("2d");
  small.width = T;
  small.height = H;
  return run.strips.map((strip, k) => {
    const { key, limit, decades, range } = stripSource(run, strip, mode), array = run.arrays[key];
    const image = pixels.createImageData(T, H), marks = mode.marks && strip.gate && !mode.back && !mode.delta;
    const most = mode.scale === "unit" && !mode.delta ? unitLimits(run, array) : null;
    let closed = 0, open = 0;
    for (let t = 1; t <= T; t++) {
      for (let u = 0; u < H; u++) {
        const v = array.data[(t - array.first) * array.width + u];
        let rgb;
        if (marks) {
          if (v < 0.1) closed++;
          if (v > 0.9) open++;
          rgb = v < 0.1 ? colours.closed : v > 0.9 ? colours.open[strip.name] : colours.between;
        } else if (!most) rgb = scales.rgb(v, limit, decades);
        else rgb = limit ? scales.rgb(v, most[u], 0) : scales.rgb(v / most[u], 0, 0);
        const place = 4 * (u * T + t - 1);
        image.data[place] = rgb[0];
        image.data[place + 1] = rgb[1];
        image.data[place + 2] = rgb[2];
        image.data[place + 3] = 255;
      }
    }
    pixels.putImageData(image, 0, 0);
    const y = Math.round((at.tops[k] - at.tops[0]) * dpr), tall = Math.round(at.tall * dpr);
    ink.imageSmoothingEnabled = T > canvas.width || H > tall;   // several values a pixel: their mean
    ink.drawImage(small, 0, 0, T, H, 0, y, canvas.width, tall);
    if (at.cell > 7) {
      for (let t = 1; t < T; t++) ink.clearRect(Math.round(t * at.cell * dpr), y, Math.max(1, Math.round(dpr * 0.75)), tall);
    }
    const percent = (count) => `${Math.round((100 * count) / (T * H))} %`;
    if (marks) return `< 0.1: ${percent(closed)} · > 0.9: ${percent(open)}`;
    return most ? "each unit its own" : range;
  });
}

function unitLimits(run, array) {
  return Array.from({ length: run.H }, (_, u) => {
    let most = 0;
    for (let t = 1; t <= run.T; t++) most = Math.max(most, Math.abs(array.data[(t - array.first) * array.width + u]));
    return most || 1e-300;
  });
}

function drawStrips(run, parent, box, at, em, ranges, back) {
  const labels = run.strips.map((strip, k) => {
    const mid = at.tops[k] + at.tall / 2, g = el("g", { class: "strip-label" }, parent);
    g.dataset.q = strip.name;
    const symbol = math(g, box.x, mid + 0.5 * em, 1.65 * em, strip.name, { name: "hue" });
    symbol.style.setProperty("--q", `var(--q-${strip.name})`);
    label(g, box.x + 1.75 * em, mid - 0.1 * em, 0.95 * em, back ? `∂L/∂${strip.name}` : strip.title);
    label(g, box.x + 1.75 * em, mid + 1.0 * em, 0.74 * em, ranges[k], { name: "soft" });
    const frame = el("rect", { x: at.x - 1, y: at.tops[k] - 1, width: at.width + 2, height: at.tall + 2, class: "strip-frame" }, parent);
    frame.dataset.q = strip.name;
    return g;
  });
  drawInput(run, parent, at, em);
  drawAxis(run, parent, at, em);

  const veil = el("rect", { y: at.tops[0] - 1, height: at.bottom - at.tops[0] + 2, class: "veil" }, parent);
  const cursor = el("g", { class: "cursor" }, parent), wide = Math.max(at.cell, 3);
  const tab = Math.max(wide, 1.9 * em);
  el("rect", { x: (at.cell - tab) / 2, y: at.top + 0.1 * em, width: tab, height: 1.75 * em, rx: 0.3 * em, class: "tab" }, cursor);
  const current = label(cursor, at.cell / 2, at.top + 1.35 * em, (run.symbols.length ? 1.15 : 0.85) * em, "", { anchor: "middle", name: "current", weight: 600 });
  el("rect", { x: (at.cell - wide) / 2 - 1, y: at.top + 1.7 * em, width: wide + 2, height: at.bottom - at.top - 1.7 * em + 3, rx: 2, class: "column" }, cursor);
  const rings = at.tops.map(() => el("rect", { x: (at.cell - wide) / 2, width: wide, class: "ring" }, cursor));
  const ticks = at.tops.map(() => el("path", { class: "tick" }, parent));

  function mark(unit) {
    const row = at.tall / run.H;
    rings.forEach((ring, k) => {
      ring.setAttribute("y", at.tops[k] + unit * row - (row < 3 ? (3 - row) / 2 : 0));
      ring.setAttribute("height", Math.max(row, 3));
      const y = at.tops[k] + (unit + 0.5) * row, s = 0.36 * em;
      ticks[k].setAttribute("d", `M${at.x - 0.7 * em},${y - s}l${1.3 * s},${s}l${-1.3 * s},${s}Z`);
    });
  }
  // `place` glides; the letter in the tab is that of the step itself.
  function move(place, t) {
    const x = at.x + (place - 1) * at.cell;
    cursor.setAttribute("transform", `translate(${x},0)`);
    if (back) {
      veil.setAttribute("x", at.x - 1);
      veil.setAttribute("width", Math.max(0, x - at.x));
    } else {
      veil.setAttribute("x", x + at.cell + 1);
      veil.setAttribute("width", Math.max(0, at.x + at.width - x - at.cell));
    }
    const text = run.symbols.length ? inputOf(run, t) : String(t);
    write(current, text);
  }
  // A sub-step's own strips keep their names in full colour.
  function stress(names) {
    labels.forEach((g, k) => g.classList.toggle("dim", Boolean(names) && !names.includes(run.strips[k].name)));
  }
  return { mark, move, stress };
}

// The input above the strips, aligned: characters, or a curve.
function drawInput(run, parent, at, em) {
  const g = el("g", { class: "input" }, parent);
  g.dataset.q = "x";
  if (run.symbols.length) {
    const size = Math.min(1.15 * em, at.cell * 1.5), every = Math.ceil((0.75 * em) / size);
    run.symbols.forEach((symbol, k) => {
      if (k % every) return;
      label(g, at.x + (k + 0.5) * at.cell, at.top + 1.35 * em, Math.max(size, 0.75 * em), symbol === " " ? "␣" : symbol, { anchor: "middle", name: "mono" });
    });
    return;
  }
  const x = run.arrays.x, most = run.limits.x || 1;
  for (let d = 0; d < Math.min(x.width, 4); d++) {
    const points = Array.from({ length: run.T }, (_, k) =>
      `${at.x + (k + 0.5) * at.cell},${at.top + (0.95 - (0.75 * x.data[k * x.width + d]) / most) * em}`);
    el("polyline", { points: points.join(" "), class: "curve" }, g);
  }
}

function drawAxis(run, parent, at, em) {
  const about = Math.max(1, Math.round(run.T / Math.max(4, at.width / (5 * em))));
  const every = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500].find((n) => n >= about) ?? 1000;
  for (let t = every; t <= run.T; t += every) {
    label(parent, at.x + (t - 0.5) * at.cell, at.bottom + 1.15 * em, 0.8 * em, String(t), { anchor: "middle", name: "soft" });
  }
  label(parent, at.x - 0.7 * em, at.bottom + 1.15 * em, 0.8 * em, "step t", { anchor: "end", name: "soft" });
}
