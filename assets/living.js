// The living picture on the home page. It draws a recorded run and computes nothing the record does not
// hold: the only arithmetic here is geometry, colour and time. It never writes to the server.

const STEP_MS = 400;      // 2.5 characters a second: slow enough to read a changing digit
const END_MS = 2600;      // the finished run rests before it starts again
const GLIDE_MS = 60;      // time constant of the cursor's approach to its step
const FUTURE = 0.16;      // opacity of what has not happened yet

const STRIPS = [
  { id: "f", name: "forget gate" },
  { id: "i", name: "input gate" },
  { id: "g", name: "candidate" },
  { id: "o", name: "output gate" },
  { id: "c", name: "cell state", apart: true },
  { id: "h", name: "hidden state" },
];

// An equation is a list of terms [symbol, value, what it does] and of operators (plain strings).
// `c0` is the cell state one step earlier.
const EQUATIONS = [
  [["c", "c", "memory now"], "=", ["f", "f", "keep"], "·", ["c′", "c0", "memory before"], "+",
   ["i", "i", "write"], "·", ["g", "g", "candidate"]],
  [["h", "h", "what is read"], "=", ["o", "o", "read"], "·", "tanh(", ["c", "c", "memory now"], ")"],
];

const digits = (x) => x.toFixed(2).replace("-", "−");
const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

// Streamlit calls the default export on mount, on new data and on a theme change, for the same element:
// an unchanged record leaves the picture alone, wherever it stands.
const instances = new WeakMap();

export default function ({ data, parentElement }) {
  const json = new TextDecoder().decode(data), root = parentElement.querySelector(".living");
  let instance = instances.get(parentElement);
  if (instance?.json !== json || instance.root !== root) {
    instance?.stop();
    instance = { json, root, stop: start(root, JSON.parse(json)) };
    instances.set(parentElement, instance);
  }
  return () => {
    instance.stop();
    instances.delete(parentElement);
  };
}

function start(root, run) {
  const chars = Array.from(run.text);
  const T = chars.length, H = run.units, last = T - 1;
  const ui = build(root, run, chars);
  const ctx = ui.canvas.getContext("2d");
  const full = document.createElement("canvas");   // every cell once, in full colour
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const abort = new AbortController();
  const on = (target, type, fn) => target.addEventListener(type, fn, { signal: abort.signal });

  // `chosen` is where the run stands; `shown` differs from it only while a paused picture is hovered.
  let chosen = still.matches ? T >> 1 : 0, shown = chosen, unit = run.unit;
  let at = shown;                                   // the cursor's gliding position, in steps
  let playing = !still.matches, hovered = false, focused = false, onScreen = false;
  let timer = 0, frame = 0, before = 0, box = null;

  const value = (id, t) => id === "c0" ? run.values.c[t][unit] : column(run, id, t)[unit];

  function measure() {
    const width = ui.plot.clientWidth, dpr = devicePixelRatio || 1;
    if (!width) return;
    const em = parseFloat(getComputedStyle(ui.chart).fontSize);
    const row = Math.max(1, Math.round((Math.max(34, 2.25 * em) * dpr) / H)) / dpr;   // whole pixels: no blur
    const tall = row * H, gap = Math.round(0.5 * em);
    let y = 0;
    const tops = STRIPS.map(({ apart }) => {
      if (apart) y += gap;
      const top = y;
      y += tall + gap;
      return top;
    });
    box = { width, dpr, row, tall, tops, height: y - gap, cell: width / T };
    ui.canvas.style.height = `${box.height}px`;
    ui.chart.style.setProperty("--cell", `${box.cell}px`);
    ui.chart.style.setProperty("--row", `${row}px`);
    tops.forEach((top, k) => { ui.labels[k].style.top = `${top + tall / 2}px`; });
    for (const canvas of [ui.canvas, full]) {
      canvas.width = Math.round(width * dpr);
      canvas.height = Math.round(box.height * dpr);
    }
    paintFull();
    mark();
    draw();
  }

  function paintFull() {
    const { dpr, row, tops, cell } = box, pen = full.getContext("2d");
    STRIPS.forEach(({ id }, k) => chars.forEach((_, t) => {
      const x = Math.round(t * cell * dpr);
      const w = Math.round((t + 1) * cell * dpr) - x - Math.max(1, Math.round(dpr));   // a seam per step
      column(run, id, t).forEach((v, u) => {
        pen.fillStyle = shade(run, id, v);
        pen.fillRect(x, Math.round((tops[k] + u * row) * dpr), w, Math.round(row * dpr));
      });
    }));
  }

  function draw() {
    if (!box) return;
    const { dpr, cell } = box, { width, height } = ui.canvas;
    const now = Math.min(width, Math.round((at + 1) * cell * dpr));
    ctx.clearRect(0, 0, width, height);
    ctx.globalAlpha = FUTURE;
    ctx.drawImage(full, 0, 0);
    ctx.globalAlpha = 1;
    ctx.clearRect(0, 0, now, height);
    ctx.drawImage(full, 0, 0, now, height, 0, 0, now, height);
    ui.cursor.style.transform = `translateX(${Math.round(at * cell * dpr) / dpr}px)`;
  }

  // A frame is asked for only while the cursor is on its way; between two steps nothing runs.
  function glide(time) {
    const dt = before ? time - before : 16;
    before = time;
    at += (shown - at) * (1 - Math.exp(-dt / GLIDE_MS));
    if (Math.abs(shown - at) * (box?.cell ?? 0) < 0.3) at = shown;   // what is left cannot be seen
    draw();
    frame = at === shown ? 0 : requestAnimationFrame(glide);
  }

  function show(t) {
    shown = t;
    ui.chars.forEach((el, k) => {
      el.className = k < t ? "past" : k > t ? "future" : "now";
    });
    write();
    if (still.matches || !onScreen) {
      at = t;
      draw();
    } else if (!frame && at !== t) {
      before = 0;
      frame = requestAnimationFrame(glide);
    }
  }

  function choose(t) {
    chosen = clamp(t, 0, last);
    show(chosen);
  }

  function write() {
    for (const { id, number, chip } of ui.terms) {
      const v = value(id, shown);
      number.textContent = digits(v);
      chip.style.background = shade(run, id === "c0" ? "c" : id, v);
    }
    ui.step.textContent = `step ${shown + 1} of ${T}`;
    ui.unit.textContent = `unit ${unit + 1} · H = ${H}`;
    const said = EQUATIONS.map((parts) => {
      const spell = (of) => parts.map((part) => (typeof part === "string" ? part : of(part))).join(" ");
      return `${spell(([symbol]) => symbol)}: ${spell(([, id]) => digits(value(id, shown)))}`;
    }).join("; ");
    const ch = chars[shown] === " " ? "space" : chars[shown];
    ui.chart.setAttribute("aria-valuenow", shown + 1);
    ui.chart.setAttribute("aria-valuetext", `Step ${shown + 1} of ${T}, character ${ch}. Unit ${unit + 1}. ${said}.`);
  }

  function mark() {
    box?.tops.forEach((top, k) => {
      ui.rings[k].style.top = ui.ticks[k].style.top = `${top + unit * box.row}px`;
    });
  }

  function follow(u) {
    unit = clamp(u, 0, H - 1);
    mark();
    write();
  }

  // One place decides whether time passes: asked to, seen, and not being looked at closely.
  function update() {
    const runs = playing && onScreen && !hovered && !focused && !document.hidden;
    clearTimeout(timer);
    if (runs) timer = setTimeout(tick, chosen === last ? END_MS : STEP_MS);
    root.dataset.state = runs ? "playing" : "paused";
    ui.button.setAttribute("aria-label", runs ? "Pause the run" : "Play the run");
    ui.button.title = runs ? "Pause (Space)" : "Play (Space)";
  }

  function tick() {
    choose(chosen === last ? 0 : chosen + 1);
    update();
  }

  function pause() {
    playing = false;
    update();
  }

  // Space and the button turn what is happening now into its opposite.
  function toggle() {
    playing = root.dataset.state !== "playing";
    if (playing) hovered = focused = false;         // an explicit wish outranks hover and focus
    choose(shown);
    update();
  }

  const place = (event) => {
    const area = ui.canvas.getBoundingClientRect(), y = event.clientY - area.top;
    const k = box.tops.findIndex((top) => y >= top && y < top + box.tall);
    return {
      t: clamp(Math.floor(((event.clientX - area.left) / area.width) * T), 0, last),
      unit: k < 0 ? null : clamp(Math.floor((y - box.tops[k]) / box.row), 0, H - 1),
    };
  };

  let pointed = null, dragging = false;
  on(ui.plot, "pointerdown", (event) => {
    if (event.button !== 0) return;
    const { t, unit: u } = place(event);
    dragging = true;
    ui.plot.setPointerCapture(event.pointerId);
    if (u !== null) follow(u);
    choose(t);
    pause();                                        // a chosen moment stays until Play is pressed
  });
  on(ui.plot, "pointermove", (event) => {
    const { t } = place(event);
    if (t === pointed || (!dragging && event.pointerType === "touch")) return;
    pointed = t;
    if (dragging || playing) choose(t); else show(t);
  });
  for (const type of ["pointerup", "pointercancel"]) on(ui.plot, type, () => { dragging = false; });
  on(ui.plot, "pointerleave", () => { pointed = null; show(chosen); });

  for (const part of [ui.chart, ui.equations]) {
    on(part, "pointerenter", (event) => { hovered = event.pointerType !== "touch"; update(); });
    on(part, "pointerleave", () => { hovered = false; update(); });
  }
  on(ui.chart, "focus", () => { focused = true; update(); });
  on(ui.chart, "blur", () => { focused = false; update(); });
  on(ui.button, "click", toggle);

  const keys = {
    ArrowRight: () => choose(shown + 1), ArrowLeft: () => choose(shown - 1),
    ArrowDown: () => follow(unit + 1), ArrowUp: () => follow(unit - 1),
    Home: () => choose(0), End: () => choose(last),
  };
  on(root, "keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.key === " " && event.target !== ui.button) toggle();   // the button has its own Space
    else if (keys[event.key]) { keys[event.key](); pause(); }
    else return;
    event.preventDefault();
    event.stopPropagation();                        // a page's own shortcuts must not act a second time
  });

  on(document, "visibilitychange", update);
  const resize = new ResizeObserver(measure);
  resize.observe(ui.plot);
  const watch = new IntersectionObserver(([entry]) => {
    onScreen = entry.isIntersecting;
    update();
  }, { threshold: 0.15 });
  watch.observe(root);
  show(shown);
  measure();
  update();

  return () => {
    abort.abort();
    resize.disconnect();
    watch.disconnect();
    clearTimeout(timer);
    cancelAnimationFrame(frame);
  };
}

// Fill a fresh copy of the component's template. The record's text reaches the page through textContent only.
function build(root, run, chars) {
  root.replaceChildren(root.parentNode.querySelector("template").content.cloneNode(true));
  const find = (name) => root.querySelector(`.${name}`);
  const make = (tag, name, parent, text = "") => {
    const el = document.createElement(tag);
    el.className = name;
    el.textContent = text;
    parent.append(el);
    return el;
  };
  for (const id of ["f", "i", "g", "o", "c"]) root.style.setProperty(`--${id}`, run.colors[id]);
  find("chart").setAttribute("aria-valuemax", chars.length);
  find("chart").setAttribute("aria-label",
    `An LSTM with ${run.units} units reads “${run.text}” one character at a time. Time step`);
  find("seed").textContent = `LSTM · seed ${run.seed}`;

  const labels = STRIPS.map(({ id, name }) => {
    const limit = run.limits[id], label = make("div", "label", find("side"));
    make("span", "symbol", label, id).dataset.of = id;
    make("span", "name", label, name);
    const range = make("span", "range", label);
    make("span", "", range, limit ? digits(-limit) : "0");
    make("i", "ramp", range).style.background = `linear-gradient(to right, ${scale(run, id)})`;
    make("span", "", range, limit ? digits(limit) : "1");
    return label;
  });

  // Every number gets the width of its longest reading, so that nothing moves when digits change.
  const longest = Math.max(...Object.values(run.limits).map((limit) => digits(-limit).length));
  find("equations").style.setProperty("--signed", `${longest - 0.5}ch`);
  const terms = [];
  for (const parts of EQUATIONS) {
    const row = make("div", "equation", find("equations"));
    for (const part of parts) {
      const operator = typeof part === "string";
      const [symbol, id, meaning] = operator ? [part] : part;
      const term = make("div", operator ? "operator" : "term", row);
      const top = make("span", "symbol", term, symbol), number = make("span", "number", term, symbol);
      if (operator) continue;
      top.dataset.of = id[0];
      number.dataset.of = id;
      terms.push({ id, number, chip: make("i", "chip", term) });
      make("span", "meaning", term, meaning);
    }
  }
  return {
    labels, terms, chart: find("chart"), plot: find("plot"), canvas: find("plot").querySelector("canvas"),
    chars: chars.map((ch) => make("span", "", find("chars"), ch === " " ? "␣" : ch)),
    rings: STRIPS.map(() => make("i", "ring", find("column"))),
    ticks: STRIPS.map(() => make("i", "tick", find("margin"))),
    cursor: find("cursor"), button: find("play"), equations: find("equations"),
    step: find("step"), unit: find("unit"),
  };
}

// All H units of one strip at step t. States hold the initial one first, so step t made number t + 1.
function column(run, id, t) {
  return run.values[id][id === "c" || id === "h" ? t + 1 : t];
}

// Values with a limit are signed and symmetric about 0; the others are gates in [0, 1].
function scale(run, id) {
  return run.colors[run.limits[id] ? "signed" : "gate"];
}

function shade(run, id, v) {
  const limit = run.limits[id], stops = scale(run, id).split(",").map(rgb);
  const along = clamp(limit ? (v / limit + 1) / 2 : v, 0, 1) * (stops.length - 1);
  const k = Math.min(Math.floor(along), stops.length - 2);
  return `rgb(${stops[k].map((low, j) => Math.round(low + (stops[k + 1][j] - low) * (along - k))).join(",")})`;
}

function rgb(hex) {
  const n = parseInt(hex.trim().slice(1), 16);
  return [n >> 16, (n >> 8) & 255, n & 255];
}
