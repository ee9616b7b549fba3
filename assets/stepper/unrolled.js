// The same cell copied along time, and folded back into its loop.

const COPIES = 5;

function drawUnrolled(run, scales, parent, box, em) {
  const half = (COPIES - 1) / 2, mid = box.x + box.width / 2, spread = box.width / (COPIES + 0.35);
  const w = Math.min(8 * em, spread * 0.66), h = clamp(box.height - 9.2 * em, 4.5 * em, 8 * em), y = box.y + 3.1 * em + h / 2;
  // Folded, the cell stands alone and takes the room that there is.
  const grown = clamp((box.height - 0.6 * em) / (h + 7 * em), 1, 1.6), folded = box.y + (3.1 * em + h / 2) * grown;
  const order = [...run.states].sort((a, b) => (a === "h") - (b === "h"));   // c above h, as inside the cell
  const lines = order.length > 1 ? [-0.3, 0.3] : [0];

  const shared = el("g", { class: "shared" }, parent), sharedY = box.y + box.height - 1.3 * em;
  const ties = Array.from({ length: COPIES }, () => el("path", { class: "tie" }, shared));
  el("rect", { x: mid - 11 * em, y: sharedY - 1.1 * em, width: 22 * em, height: 2.2 * em, rx: 0.4 * em, class: "block thin" }, shared);
  math(shared, mid, sharedY + 0.38 * em, 1.1 * em, "W, U, b: the same weights at every step", { anchor: "middle" });

  // Folded, each state leaves the cell and comes back to it, one step later.
  const loop = el("g", { class: "loop" }, parent), side = (w / 2) * grown;
  const beside = mid + side + (3.4 + 2.2 * (order.length - 1) + 1) * em;
  const turns = order.map((state, k) => {
    const out = side + (3.4 + 2.2 * (order.length - 1 - k)) * em, high = (0.16 + 0.2 * (order.length - 1 - k)) * h * grown;
    const points = [[side, -high], [out, -high], [out, high], [side + 0.9 * em, high]].map(([dx, dy]) => [mid + dx, folded + dy]);
    const g = el("g", { class: "wire" }, loop), d = rounded(points, 1.1 * em);
    g.style.setProperty("--q", `var(--q-${state})`);
    const part = { state, casing: el("path", { d, class: "casing" }, g), fluid: el("path", { d, class: "fluid" }, g) };
    const s = 0.62 * em;
    el("path", { d: `M${1.2 * s},${-s}L${-0.4 * s},0L${1.2 * s},${s}Z`, class: "arrow", transform: `translate(${points[3]})` }, g);
    part.number = label(g, beside, folded + (0.35 + (k - (order.length - 1) / 2) * 1.7) * em, 1.1 * em, "", { name: "number", weight: 600 });
    return part;
  });
  label(loop, beside, folded + (0.35 + (order.length + 1) * 0.85) * em, 0.95 * em, "one step later", { name: "soft" });

  const links = Array.from({ length: COPIES + 1 }, () => order.map((state) => {
    const g = el("g", { class: "wire" }, parent);
    g.style.setProperty("--q", `var(--q-${state})`);
    return { state, g, casing: el("path", { class: "casing" }, g), fluid: el("path", { class: "fluid" }, g), number: label(g, 0, 0, 0.85 * em, "", { anchor: "middle", name: "number" }) };
  }));
  const copies = Array.from({ length: COPIES }, () => {
    const g = el("g", { class: "copy" }, parent);
    const inlet = tube(g, "x", `M0,${h / 2 + 1.9 * em}L0,${h / 2}`), outlet = tube(g, "h", `M0,${-h / 2}L0,${-h / 2 - 1.7 * em}`);
    el("rect", { x: -w / 2, y: -h / 2, width: w, height: h, rx: 0.7 * em, class: "body box" }, g);
    const step = w / (run.strips.length + 1), bars = run.strips.map((strip, k) => {
      const x = -w / 2 + step * (k + 1), hue = el("g", {}, g);
      hue.style.setProperty("--q", `var(--q-${strip.name})`);
      math(hue, x, h / 2 - 0.55 * em, 0.95 * em, strip.name, { anchor: "middle", name: "hue" });
      return el("rect", { x: x - 0.3 * em, width: 0.6 * em, rx: 0.1 * em, class: "mini" }, hue);
    });
    return {
      g, bars, inlet, outlet,
      x: label(g, 0, h / 2 + 3 * em, 1.15 * em, "", { anchor: "middle", name: "mono" }),
      top: label(g, 0, -h / 2 - 2.2 * em, 0.92 * em, "", { anchor: "middle", name: "number", weight: 600 }),
      time: label(g, 0, -h / 2 + 1.15 * em, 0.82 * em, "", { anchor: "middle", name: "soft" }),
    };
  });

  function tube(g, name, d) {
    const wire = el("g", { class: "wire" }, g);
    wire.style.setProperty("--q", `var(--q-${name})`);
    return { casing: el("path", { d, class: "casing", "stroke-width": 0.5 * em }, wire), fluid: el("path", { d, class: "fluid", "stroke-width": 0.28 * em }, wire) };
  }
  function flow(part, v, limit, decades) {
    const size = Math.abs(placed(v, limit, decades));
    part.fluid.setAttribute("stroke-width", (0.16 + 0.5 * size) * em);
    part.casing.setAttribute("stroke-width", (0.38 + 0.5 * size) * em);
    part.fluid.style.stroke = scales.css(v, limit, decades);
  }

  // `apart` runs from 0, folded, to 1, unrolled.
  function update({ t, unit, back, apart }) {
    const decades = back ? Math.log10(run.flow.top / run.flow.floor) || 1 : 0, mark = back ? "d:" : "";
    const limitOf = (name) => (back ? run.flow.top : run.limits[name]);
    const xOf = (k) => mid + (k - half) * spread * apart;
    copies.forEach(({ g, bars, inlet, outlet, x, top, time }, k) => {
      const at = t + k - half, there = at >= 1 && at <= run.T;
      g.setAttribute("transform", `translate(${xOf(k)},${folded + (y - folded) * apart}) scale(${1 + (grown - 1) * (1 - apart)})`);
      g.style.opacity = !there ? 0 : k === half ? 1 : apart;
      if (k !== half) g.style.visibility = there && apart > 0 ? "" : "hidden";
      g.classList.toggle("now", k === half);
      ties[k].setAttribute("d", `M${xOf(k) - w * 0.3},${y + h / 2}L${mid + (k - half) * 3.4 * em},${sharedY - 1.1 * em}`);
      ties[k].style.opacity = there ? apart : 0;
      if (!there) return;
      write(x, back ? "" : inputOf(run, at));
      write(time, apart < 0.5 ? "t" : `t = ${at}`);
      const h_t = valueOf(run, `${mark}h`, at, unit);
      write(top, printed(h_t, back));
      flow(outlet, back ? valueOf(run, "d:h>h_out", at, unit) : h_t, limitOf("h"), decades);
      flow(inlet, 0, 1, 0);
      run.strips.forEach((strip, j) => {
        const v = valueOf(run, mark + strip.name, at, unit), base = h / 2 - 1.8 * em, room = h - 3.6 * em;
        const size = Math.max(Math.abs(placed(v, limitOf(strip.name), decades)) * room, 1);
        bars[j].setAttribute("y", base - size);
        bars[j].setAttribute("height", size);
        bars[j].classList.toggle("minus", v < 0);
      });
    });
    links.forEach((parts, k) => {
      const from = t + k - half - 1, there = from >= 0 && from <= run.T;
      const a = k === 0 ? xOf(0) - spread * 0.62 : xOf(k - 1) + w / 2, b = k === COPIES ? xOf(COPIES - 1) + spread * 0.62 : xOf(k) - w / 2;
      parts.forEach((part, j) => {
        part.g.style.opacity = there ? apart : 0;
        part.g.style.visibility = there && apart > 0 ? "" : "hidden";
        if (!there) return;
        const line = y + lines[j] * h, v = valueOf(run, mark + part.state, from, unit);
        for (const path of [part.casing, part.fluid]) path.setAttribute("d", `M${a},${line}L${Math.max(a, b)},${line}`);
        flow(part, v, limitOf(part.state), decades);
        part.number.setAttribute("x", (a + b) / 2);
        part.number.setAttribute("y", line - 0.75 * em);
        part.number.textContent = b - a > 3.6 * em ? `${part.state} ${printed(v, back)}` : "";
      });
    });
    loop.style.opacity = 1 - apart;
    shared.style.opacity = apart;
    for (const part of turns) {
      const v = valueOf(run, mark + part.state, t, unit);
      flow(part, v, limitOf(part.state), decades);
      part.number.textContent = `${back ? "∂L/∂" : ""}${part.state} = ${printed(v, back)}`;
    }
  }
  return { update };
}
