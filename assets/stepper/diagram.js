// The cell as a diagram, drawn from its graph: the same nodes and edges that a test evaluates.

const SIGN = { times: "×", plus: "+", flip: "1 −", tanh: "tanh", sigmoid: "σ", relu: "ReLU", identity: "id" };

function drawDiagram(run, scales, parent, box, em) {
  const { nodes, graph } = run, [W, H] = graph.size;
  const sx = (x) => box.x + (x / W) * box.width, sy = (y) => box.y + (y / H) * box.height;
  const readers = Object.fromEntries(graph.edges.map((edge) => [edge.source, edge.target]));
  const place = (name) => nodes[name].at ?? place(readers[name]);
  // A gate is a block with a level; a state is what an operation yields.
  const isGate = (node) => run.strips.some((s) => s.name === node.name) && !run.states.includes(node.name);

  const [left, top, right, bottom] = graph.body;
  el("rect", { x: sx(left), y: sy(top), width: sx(right) - sx(left), height: sy(bottom) - sy(top), rx: em, class: "body" }, parent);

  const wires = [], parts = [];
  const layer = el("g", {}, parent);
  for (const edge of graph.edges) {
    const from = nodes[edge.source], to = nodes[edge.target];
    if (!from.at) continue;
    let points = [from.at];
    for (const leg of edge.route.split(" ").filter(Boolean)) {
      const [x, y] = points.at(-1), at = Number(leg.slice(1));
      points.push(leg[0] === "V" ? [x, at] : [at, y]);
    }
    points.push(place(edge.target));
    points = points.map(([x, y]) => [sx(x), sy(y)]);
    const output = to.op === "leave" && !to.name.endsWith("_next");
    if (output) points = points.slice(-2);   // it branches off the line that goes on
    const d = rounded(points, 0.7 * em), vector = Boolean(edge.weight);
    const g = el("g", { class: `wire ${vector ? "vector" : ""} ${edge.direct ? "direct" : ""}` }, layer);
    g.style.setProperty("--q", `var(--q-${from.like})`);
    g.dataset.q = from.like;
    if (output) el("path", { d: `M${points[0][0]},${points[0][1] - 0.9 * em}L${points[1]}`, class: "halo", "stroke-width": 1.5 * em }, g);
    const casing = el("path", { d, class: "casing" }, g);
    const fluid = el("path", { d, class: "fluid" }, g);
    el("title", {}, g, `${sayNode(run, from.name)} → ${sayNode(run, to.name)}`);
    wires.push({ edge, g, casing, fluid, vector, stage: to.stage, from });
    if (to.op === "leave" || from.op === "enter") arrow(g, points, to.op === "leave", em);
  }

  for (const node of graph.nodes) {
    if (!node.at) continue;
    const [x, y] = [sx(node.at[0]), sy(node.at[1])];
    const under = el("g", { transform: `translate(${x},${y})`, class: "under" }, parent);   // a faint node hides its wires
    const g = el("g", { class: `node ${node.op}`, transform: `translate(${x},${y})` }, parent);
    g.style.setProperty("--q", `var(--q-${node.like})`);
    g.dataset.q = node.name.replace(/_(prev|next|out)$/, "");
    g.dataset.node = node.name;
    const part = { node, g, stage: node.stage, under };
    if (node.op === "enter" || node.op === "leave") border(part);
    else if (isGate(node)) block(part);
    else if (node.op === "affine") sum(part);
    else circle(part);
    parts.push(part);
  }

  function plate(part, w, h, rx, name) {
    const shape = { x: -w / 2, y: -h / 2, width: w, height: h, rx };
    el("rect", shape, part.under);
    el("rect", { ...shape, class: name }, part.g);
  }
  function block(part) {
    const w = 5.5 * em, h = 4.3 * em;
    plate(part, w, h, 0.5 * em, "block");
    part.level = el("rect", { x: -w / 2 + 2, width: w - 4, class: "level" }, part.g);
    part.gate = !run.limits[part.node.name];
    part.height = h - 4;
    math(part.g, 0, -0.35 * em, 1.75 * em, part.node.name, { anchor: "middle", name: "hue" });
    part.sign = label(part.g, w / 2 - 0.4 * em, -h / 2 + 1.05 * em, 0.8 * em, "", { anchor: "end", name: "soft" });
    part.number = label(part.g, 0, 1.35 * em, 1.05 * em, "", { anchor: "middle", name: "number", weight: 600 });
    part.click = part.node.name;
  }
  function sum(part) {
    const size = 0.95 * em, w = Math.max(5.4 * em, mathWidth(part.node.label, size) + 1.1 * em), h = 3.2 * em;
    plate(part, w, h, 0.3 * em, "block thin");
    math(part.g, 0, -0.2 * em, size, part.node.label, { anchor: "middle" });
    part.number = label(part.g, 0, 1.1 * em, 0.95 * em, "", { anchor: "middle", name: "number", weight: 600 });
    part.click = part.node.block;
  }
  function circle(part) {
    const { node } = part, sign = SIGN[node.op], wide = sign.length > 3;
    const w = (wide ? 4 : 2.1) * em;
    plate(part, w, 2.1 * em, 1.05 * em, "op");
    const big = sign.length === 1;
    label(part.g, 0, (big ? 0.5 : 0.33) * em, (big ? 1.5 : 0.95) * em, sign, { anchor: "middle", name: "sign" });
    const side = node.at[0] > 0.7 * W ? -1 : 1;   // beside it, away from the border
    part.number = label(part.g, side * (w / 2 + 0.3 * em), -0.75 * em, 0.88 * em, "", { name: "number soft", anchor: side < 0 ? "end" : "start" });
    if (node.label) el("title", {}, part.g, node.label.replace(/[{}_]/g, ""));
    part.click = run.strips.some((s) => s.name === node.name) ? node.name : null;
  }
  function border(part) {
    const { node } = part, base = node.name.replace(/_(prev|next|out)$/, "");
    if (base === "x") {
      part.symbol = math(part.g, 0.8 * em, -0.1 * em, 1.25 * em, "x_t", { name: "hue" });
      part.number = label(part.g, 2.5 * em, -0.1 * em, 1.1 * em, "", { name: "number", weight: 600 });
      return;
    }
    const up = node.op === "leave" && !node.name.endsWith("_next"), entering = node.op === "enter";
    const anchor = entering ? "start" : "end", x = up ? -0.9 * em : 0;
    const y = up ? 1.1 * em : -2.35 * em;
    part.symbols = [false, true].map((back) => {
      const sub = entering ? "t−1" : "t";
      const text = !back ? `${base}_{${sub}}` : entering ? `∂L/∂${base}_{${sub}}` : up ? "from L" : "from t+1";
      return math(part.g, x, y, (back ? 1.05 : 1.25) * em, text, { anchor, name: `hue ${back ? "back" : "forth"}` });
    });
    if (up) return;
    part.number = label(part.g, x + (entering ? 1.15 : 0) * em, -0.95 * em, 1.0 * em, "", { anchor, name: "number", weight: 600 });
    if (entering) part.chip = el("rect", { x, y: -1.75 * em, width: 0.85 * em, height: 0.85 * em, rx: 0.12 * em, class: "chip" }, part.g);
  }

  // t, unit and direction are the picture's; everything else is looked up.
  function update({ t, unit, stage, back }) {
    const flow = run.flow, decades = Math.log10(flow.top / flow.floor) || 1;
    for (const { edge, g, casing, fluid, vector, stage: own } of wires) {
      const key = back ? wireKey(edge) : edge.source, known = run.arrays[key] && !(vector && !back);
      const v = known ? valueOf(run, key, t, unit) : 0;
      const limit = back ? flow.top : run.limits[edge.source.replace("_prev", "")] ?? 1;
      const size = known ? Math.abs(placed(v, limit, back ? decades : 0)) : 0;
      const width = vector && !back ? 0.22 : 0.16 + 0.5 * size;
      casing.setAttribute("stroke-width", (width + (vector && !back ? 0 : 0.22)) * em);
      fluid.setAttribute("stroke-width", known ? width * em : 0);
      fluid.style.stroke = known ? scales.css(v, limit, back ? decades : 0) : "";
      g.classList.toggle("dim", stage > 0 && own !== stage);
      g.classList.toggle("still", back && known && v === 0);
    }
    for (const part of parts) {
      const { node, g, number, level } = part, name = node.name.replace("_out", "");
      const lit = stage === 0 || node.stage === stage || feeds(node.name, stage);
      g.classList.toggle("dim", !lit);
      if (node.op === "leave" && !number) part.symbols[1].classList.toggle("gone", !valueOf(run, `d:${name}>${node.name}`, t, unit));
      if (node.name === "x") write(number, back || !inputOf(run, t) ? "" : `= ${quoted(run, t)}`);
      else if (number) {
        const key = back ? (node.op === "leave" ? `d:${name.replace("_next", "")}>${name}` : `d:${name}`) : name;
        const v = valueOf(run, key, t, unit);
        write(number, printed(v, back));
        if (part.chip) part.chip.style.fill = back ? scales.css(v, flow.top, decades) : scales.css(v, run.limits[name.replace("_prev", "")]);
      }
      const held = heldAt(run, name, t, unit);
      g.classList.toggle("held", held);
      if (part.sign) write(part.sign, held ? "held" : SIGN[node.op]);
      if (level) {
        const v = valueOf(run, (back ? "d:" : "") + name, t, unit);
        const along = back ? placed(v, flow.top, decades) : placed(v, run.limits[name]);
        const tall = part.height, half = part.gate && !back ? tall : tall / 2;
        const h = Math.abs(along) * half;
        level.setAttribute("height", h);
        level.setAttribute("y", part.gate && !back ? tall / 2 - h : along > 0 ? -h : 0);
      }
    }
  }
  // A vector's wire shows, backward, what reaches the sum it leads to.
  function wireKey(edge) {
    return edge.weight ? `d:${edge.target}` : `d:${edge.source}>${edge.target}`;
  }
  const fed = new Set(graph.edges.map((edge) => `${edge.source} ${nodes[edge.target].stage}`));
  function feeds(name, stage) {
    return fed.has(`${name} ${stage}`);
  }
  return { update, parts, wires };
}

function quoted(run, t) {
  return run.symbols.length ? `“${inputOf(run, t)}”` : inputOf(run, t);
}

function sayNode(run, name) {
  const node = run.nodes[name];
  return (node.label || name.replace("_prev", "_{t−1}").replace(/_(next|out)$/, "_t")).replace(/[{}_]/g, "");
}

// At the border: where the wire ends, pointing along it; turned round in backward mode.
function arrow(g, points, leaving, em) {
  const [a, b] = leaving ? points.slice(-2) : points.slice(0, 2);
  const at = leaving ? b : a, turn = (Math.atan2(b[1] - a[1], b[0] - a[0]) * 180) / Math.PI;
  const [x, y] = leaving ? at : [at[0] + Math.sign(b[0] - a[0]) * 0.9 * em, at[1] + Math.sign(b[1] - a[1]) * 0.9 * em];
  const s = 0.62 * em;
  el("path", { d: `M${-1.2 * s},${-s}L${0.4 * s},0L${-1.2 * s},${s}Z`, class: leaving ? "arrow forth" : "arrow back", transform: `translate(${x},${y}) rotate(${leaving ? turn : turn + 180})` }, g);
}
