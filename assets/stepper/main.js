// The stepper: one run, one cursor. It never asks the server; after a pause it reports where it stands, so
// that the page's link does.

const PAUSE_MS = 250;       // of stillness before the link follows
const GLIDE_MS = 45;        // time constant of the cursor's approach to its step
const FOLD_MS = 450;        // the copies slide together or apart
const REST_MS = 2400;       // the finished run rests before it starts again
const SPEEDS = [["0.5", "½ a second"], ["1", "1 a second"], ["2.5", "2.5 a second"], ["5", "5 a second"], ["15", "15 a second"], ["60", "60 a second"]];
const SCALES = [["auto", "scale: by mode"], ["linear", "scale: linear"], ["log", "scale: logarithmic"], ["unit", "scale: each unit"]];
const VIEWS = [["cell", "Cell"], ["unrolled", "Unrolled"], ["loop", "Loop"]];

const instances = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".stepper");
  let instance = instances.get(parentElement);
  if (!instance || instance.root !== root) {
    instance?.stop();
    instance = stepper(root);
    instances.set(parentElement, instance);
  }
  instance.feed(data, (value) => setStateValue("cursor", value));
  return () => {
    instance.stop();
    instances.delete(parentElement);
  };
}

function sameBytes(a, b) {
  if (a === b) return true;
  if (!a || a.length !== b.length) return false;
  for (let k = 0; k < a.length; k++) if (a[k] !== b[k]) return false;
  return true;
}

function stepper(root) {
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const abort = new AbortController();
  const on = (target, type, act) => target.addEventListener(type, act, { signal: abort.signal });
  const ui = furniture(root);
  let bytes = null, run = null, scales = null, report = () => {}, reported = "";
  let s = null;                       // the settings: t, unit, stage, back, view, scale, speed, marks, delta, open
  let playing = false, hovered = false, onScreen = true, scrubbing = false;
  let timer = 0, pause = 0, frame = 0, beat = 0, before = 0, place = 1, apart = 1, recording = false;
  let parts = null;                   // what is drawn: see drawPicture

  function feed(data, send) {
    report = send;
    if (sameBytes(bytes, data)) return void restyle();
    bytes = data.slice();             // the socket's buffer is not ours to keep
    const first = !run;
    run = readRecord(bytes);
    scales = scalesOf(run);
    if (first) {
      s = { stage: 0, back: false, view: "cell", scale: "auto", speed: "2.5", marks: false, delta: false, open: null, ...run.start };
      s.unit -= 1;
      apart = s.view === "loop" ? 0 : 1;
      playing = Boolean(run.start.playing) && !still.matches;
      reported = JSON.stringify(standing());
    }
    s.t = clamp(s.t, 1, run.T);
    s.unit = clamp(s.unit, 0, run.H - 1);
    s.stage = clamp(s.stage, 0, run.stages.length);
    if (!run.equations[s.open]) s.open = null;
    s.delta = s.delta && Object.keys(run.delta).length > 0;
    place = s.t;
    for (const [name, colour] of Object.entries(run.colours)) if (typeof colour === "string") root.style.setProperty(`--q-${name}`, colour);
    ui.fill(run);
    layout();
    sync();
  }

  // ── what is drawn ────────────────────────────────────────────────────────────────────────────────────

  function layout() {
    if (!run || !ui.stage.clientWidth) return;
    parts = drawPicture(run, scales, ui, s, root);
    repanel();
    parts.strip.mark(s.unit);
    draw();
  }

  function repanel() {
    const focused = parts.panel?.querySelector(":focus")?.dataset.open;
    parts.panel?.remove();
    parts.panel = el("g", { class: "panel" });
    parts.figure.after(parts.panel);
    parts.number = drawPanel(run, scales, parts.panel, parts.panelBox, parts.em, s);
    if (focused) parts.panel.querySelector(`[data-open="${CSS.escape(focused)}"]`)?.focus();
  }

  // One step's picture: numbers, wires, levels. The strips stay as they were painted.
  function draw() {
    if (!parts) return;
    parts.drawing.update({ ...s, apart });
    parts.number(s.t, s.unit);
    parts.strip.move(place, s.t);
    parts.strip.stress(run.stages[s.stage - 1]?.equations);
    write(parts.headline, headlineOf(run, s));
    ui.time.value = s.t;
    ui.time.style.setProperty("--at", run.T > 1 ? (s.t - 1) / (run.T - 1) : 0);
    write(ui.step, `t = ${s.t} / ${run.T}`);
    write(ui.unit, `unit ${s.unit + 1} / ${run.H}`);
    ui.time.setAttribute("aria-valuetext", spokenOf(run, s));
  }

  // Marks have the theme's own colours; all else follows it by itself.
  function restyle() {
    if (s?.marks && parts) paintStrips(run, scales, ui.canvas, parts.at, s, inksOf(ui, run));
  }

  // ── time ─────────────────────────────────────────────────────────────────────────────────────────────

  function glide(now) {
    const dt = before ? now - before : 16, to = s.t;
    before = now;
    place += (to - place) * (1 - Math.exp(-dt / GLIDE_MS));
    if (Math.abs(to - place) * parts.at.cell < 0.4) place = to;
    parts.strip.move(place, s.t);
    frame = place === to ? 0 : requestAnimationFrame(glide);
  }

  function go(t, { jump = false } = {}) {
    s.t = clamp(t, 1, run.T);
    if (still.matches || !onScreen || jump) place = s.t;
    else if (!frame && place !== s.t) {
      before = 0;
      frame = requestAnimationFrame(glide);
    }
    draw();
    settle();
  }

  const forth = () => (s.back ? -1 : 1);
  const atEnd = () => s.t === (s.back ? 1 : run.T);

  // One place decides whether time passes: asked to, seen, and not being looked at closely.
  function sync() {
    const runs = playing && onScreen && !hovered && !document.hidden;
    clearTimeout(timer);
    cancelAnimationFrame(beat);
    if (runs) timer = setTimeout(tick, atEnd() ? REST_MS : 1000 / Number(s.speed));
    root.dataset.state = runs ? "playing" : "paused";
    ui.play.setAttribute("aria-label", playing ? "Pause" : "Play");
    ui.press("stages", String(s.stage));
    ui.press("views", s.view);
    ui.press("directions", s.back ? "back" : "forth");
    ui.set({ speed: s.speed, scale: s.scale, marks: s.marks, delta: s.delta });
    root.classList.toggle("is-back", s.back);
    settle();
  }

  let due = 0;
  function tick() {
    const now = performance.now(), every = 1000 / Number(s.speed);
    const steps = due ? Math.max(1, Math.round((now - due) / every)) : 1;   // a slow frame skips, time does not
    due = now;
    go(atEnd() ? (s.back ? run.T : 1) : s.t + forth() * Math.min(steps, 4), { jump: Number(s.speed) > 10 });
    if (atEnd()) due = 0;
    clearTimeout(timer);
    if (every < 17 && !atEnd()) beat = requestAnimationFrame(tick);   // a timer would miss every other frame
    else timer = setTimeout(tick, atEnd() ? REST_MS : every);
  }

  function stopPlaying() {
    playing = false;
    sync();
  }

  function toggle() {
    playing = root.dataset.state !== "playing";
    if (playing) {
      hovered = false;                // an explicit wish outranks hovering
      due = 0;
      if (atEnd()) go(s.back ? run.T : 1, { jump: true });
    }
    sync();
  }

  // ── where it stands, for the link ────────────────────────────────────────────────────────────────────

  function standing() {
    return { t: s.t, unit: s.unit + 1, stage: s.stage, back: s.back, view: s.view, scale: s.scale };
  }

  function settle() {
    clearTimeout(pause);
    if (root.dataset.state === "playing" || recording || run.start.silent) return;
    pause = setTimeout(() => {
      const now = standing(), text = JSON.stringify(now);
      if (text === reported) return;
      reported = text;
      report(now);
    }, PAUSE_MS);
  }

  // ── what one can do ──────────────────────────────────────────────────────────────────────────────────

  function change(settings, how = "panel") {
    Object.assign(s, settings);
    if (how === "all") layout();
    else if (how === "panel") repanel();
    draw();
    sync();
  }

  function substep(by) {
    const n = run.stages.length, next = s.stage + by;
    if (next > n && s.t < run.T) { s.stage = 1; go(s.t + 1); }
    else if (next < 1 && s.stage > 0 && s.t > 1) { s.stage = n; go(s.t - 1); }
    else s.stage = clamp(next, by < 0 && s.stage ? 1 : 0, n);
    change({});
  }

  function view(name) {
    if (name === s.view) return;
    const folding = s.view !== "cell" && name !== "cell" && !still.matches, from = apart;
    s.view = name;
    const to = name === "loop" ? 0 : 1;
    if (!folding) {
      apart = to;
      change({}, "all");
      return;
    }
    const began = performance.now();
    const slide = (now) => {
      const k = clamp((now - began) / FOLD_MS, 0, 1), ease = k * k * (3 - 2 * k);
      apart = from + (to - from) * ease;
      draw();
      if (k < 1) requestAnimationFrame(slide);
    };
    requestAnimationFrame(slide);
    change({});
  }

  const follow = (unit) => {
    s.unit = clamp(unit, 0, run.H - 1);
    parts.strip.mark(s.unit);
    change({});
  };
  const ends = { Home: () => go(1), End: () => go(run.T) };
  const keys = {
    ArrowRight: () => go(s.t + 1), ArrowLeft: () => go(s.t - 1),
    ArrowDown: () => follow(s.unit + 1), ArrowUp: () => follow(s.unit - 1),
    "Shift+ArrowRight": () => substep(1), "Shift+ArrowLeft": () => substep(-1),
    b: () => direction(!s.back), B: () => direction(!s.back), p: present, P: present, ...ends,
  };

  // The page's own switch; it brings the link along.
  function present() {
    document.querySelector(".st-key-present input")?.click();
  }

  function direction(back) {
    change({ back }, "all");
  }

  on(document, "keydown", (event) => {
    if (!run || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const path = event.composedPath(), inside = path.includes(root), field = path[0];
    if (field.matches?.("select, textarea, input:not([type=range])")) return;
    if (!inside && document.activeElement !== document.body) return;
    // Out of focus only what the page itself does not need: it scrolls with Space, Home, End, up and down.
    const key = (event.shiftKey && event.key.startsWith("Arrow") ? "Shift+" : "") + event.key;
    if (!inside && !presenting() && !/ArrowLeft|ArrowRight|^[bBpP]$/.test(key)) return;
    if (key === "Escape" && presenting()) present();
    else if (key === " " && field.matches?.("button")) return;         // it has its own Space
    else if (key === " " && !field.dataset?.open) toggle();
    else if (/^(Enter| )$/.test(key) && field.dataset?.open) change({ open: field.dataset.open });
    else if (keys[key]) { playing = false; keys[key](); sync(); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  const pointed = (event) => {
    const area = ui.canvas.getBoundingClientRect(), { at } = parts, y = event.clientY - area.top + at.tops[0];
    const k = at.tops.findIndex((top) => y >= top && y < top + at.tall), x = (event.clientX - area.left) / area.width;
    if (x < 0 || x > 1 || event.clientY < area.top - 2.2 * parts.em || event.clientY > area.bottom + 4) return null;
    return {
      t: clamp(Math.floor(x * run.T) + 1, 1, run.T), strip: run.strips[k],
      unit: k < 0 ? null : clamp(Math.floor(((y - at.tops[k]) / at.tall) * run.H), 0, run.H - 1),
    };
  };
  on(ui.stage, "pointerdown", (event) => {
    const spot = event.button === 0 && parts && pointed(event);
    if (!spot) return;
    scrubbing = true;
    ui.stage.setPointerCapture(event.pointerId);
    if (spot.unit !== null) follow(spot.unit);
    playing = false;
    go(spot.t);
    sync();
  });
  on(ui.stage, "pointermove", (event) => {
    const spot = parts && pointed(event);
    if (scrubbing && spot) go(spot.t, { jump: true });
    tell(spot);
  });
  for (const type of ["pointerup", "pointercancel"]) on(ui.stage, type, () => { scrubbing = false; });
  on(ui.stage, "pointerleave", () => tell(null));

  function tell(spot) {
    if (!parts) return;
    const { key } = spot?.strip ? stripSource(run, spot.strip, s) : {};
    parts.readout.textContent = key ? `${spot.strip.title} ${s.back ? "∂L/∂" : s.delta ? "Δ" : ""}${spot.strip.name}, unit ${spot.unit + 1}, step ${spot.t}: ${printed(valueOf(run, key, spot.t, spot.unit), s.back || s.delta)}` : "";
  }

  // Symbol, wire, term and strip of one quantity light up together.
  on(ui.stage, "pointerover", (event) => hot(event.target.closest?.("[data-q]")?.dataset.q));
  on(ui.stage, "pointerout", () => hot(null));
  function hot(q) {
    for (const node of ui.svg.querySelectorAll(".hot")) node.classList.remove("hot");
    if (q) for (const node of ui.svg.querySelectorAll(`[data-q="${CSS.escape(q)}"]`)) node.classList.add("hot");
  }
  on(ui.svg, "click", (event) => {
    const name = event.target.closest("[data-open]")?.dataset.open ?? event.target.closest("[data-node]")?.dataset.node;
    if (!name || !run.equations[name]) return;
    const stage = run.stages.findIndex((one) => one.equations.includes(name)) + 1;
    change({ open: name, stage: s.stage && run.stages[s.stage - 1].equations.includes(name) ? s.stage : stage });
  });

  on(ui.stage, "pointerenter", (event) => { hovered = event.pointerType !== "touch"; sync(); });
  on(ui.stage, "pointerleave", () => { hovered = false; due = 0; sync(); });
  on(ui.play, "click", toggle);
  on(ui.foot, "click", (event) => {
    const act = { first: ends.Home, previous: keys.ArrowLeft, next: keys.ArrowRight, last: ends.End }[event.target.closest("[data-go]")?.dataset.go];
    if (act) { playing = false; act(); sync(); }
    const kind = event.target.closest("[data-save]")?.dataset.save;
    if (kind) saving(kind);
  });
  on(ui.time, "input", () => { playing = false; go(Number(ui.time.value), { jump: true }); sync(); });
  on(root, "click", (event) => {
    const button = event.target.closest("button[data-value]"), group = button?.parentElement.dataset.name, value = button?.dataset.value;
    if (group === "stages") change({ stage: Number(value), open: null });
    if (group === "views") view(value);
    if (group === "directions") direction(value === "back");
  });
  on(ui.foot, "change", (event) => {
    const { name, value, checked, type } = event.target;
    if (!name) return;
    change({ [name]: type === "checkbox" ? checked : value }, name === "speed" ? "none" : "all");
  });

  // ── files ────────────────────────────────────────────────────────────────────────────────────────────

  const picture = (style) => pictureOf(ui, parts, run, style);
  function saving(kind) {
    const stem = `${run.cell.toLowerCase()}_t${s.t}_unit${s.unit + 1}${s.back ? "_backward" : ""}`;
    const kept = { t: s.t };
    const each = async (frameOf) => {
      playing = false;
      recording = true;
      sync();
      for (let k = 0; k < run.T; k++) {
        s.t = s.back ? run.T - k : k + 1;
        place = s.t;
        draw();
        if ((await frameOf(k, run.T)) === false) break;
      }
      s.t = kept.t;
      place = s.t;
      recording = false;
      draw();
      settle();
    };
    save(kind, stem, { picture, each, seconds: 1 / Number(s.speed), told: ui.progress });
  }

  // ── life ─────────────────────────────────────────────────────────────────────────────────────────────

  on(document, "visibilitychange", sync);
  on(window, "resize", () => layout());
  const resize = new ResizeObserver(() => { if (parts?.width !== ui.stage.clientWidth) layout(); });
  resize.observe(ui.stage);
  const watch = new IntersectionObserver(([entry]) => { onScreen = entry.isIntersecting; if (run) sync(); }, { threshold: 0.05 });
  watch.observe(root);
  on(still, "change", () => { if (still.matches) stopPlaying(); });

  function stop() {
    abort.abort();
    resize.disconnect();
    watch.disconnect();
    clearTimeout(timer);
    clearTimeout(pause);
    cancelAnimationFrame(frame);
    cancelAnimationFrame(beat);
  }
  return { root, feed, stop };
}
