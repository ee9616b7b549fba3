// The equations with the numbers of one unit, the sums behind them opened, and what flows back into it.

function drawPanel(run, scales, parent, box, em, { stage, open, back, unit }) {
  const live = [], huge = Object.values(run.limits).some((limit) => limit >= 1000);
  return back ? backward() : forward();

  function forward() {
    const names = stage ? run.stages[stage - 1].equations : Object.keys(run.equations);
    // The one that was asked for, or the first that has a sum.
    const opened = stage ? (names.includes(open) ? open : names.find((name) => sumsOf(run, name).length)) : null;
    const sums = opened ? sumsOf(run, opened) : [];
    const roomy = sums.length ? 0.46 : 1;
    const size = Math.min(1.35 * em, (box.height * roomy) / (2.85 * names.length));
    let y = box.y;
    for (const name of names) {
      equation(name, box.x, y, size, name === opened);
      y += 2.85 * size;
    }
    if (sums.length) table(opened, sums, y + 0.35 * em);
    return update;
  }

  // Each term is a column: its symbol, and its number beneath.
  function equation(name, x, y, size, isOpen) {
    const tokens = run.equations[name], columns = tokens.map((token) => {
      const symbol = token.op ?? token.symbol, number = huge ? "−1.23·10⁻⁹⁹" : "−0.000", signed = token.signed ? 1.1 : 0;
      return Math.max(mathWidth(symbol, size), token.op ? 0 : widthOf(number, `600 ${0.88 * size}px ${SANS}`)) + (signed + 0.32) * size;
    });
    const total = columns.reduce((a, b) => a + b), fit = Math.min(1, box.width / total), s = size * fit;
    const opens = sumsOf(run, name).length && stage, title = run.strips.find((strip) => strip.name === name).title;
    const g = el("g", opens ? { class: "equation", role: "button", tabindex: 0, "aria-label": `Open the sum of the ${title}` } : { class: "equation", "aria-hidden": "true" }, parent);
    g.dataset.q = name;
    g.dataset.open = name;
    g.classList.toggle("opened", isOpen);
    if (isOpen) el("rect", { x: x - 0.7 * s, y: y + 0.25 * s, width: 0.16 * s, height: 2.2 * s, rx: 0.08 * s, class: "mark" }, g);
    tokens.forEach((token, k) => {
      const w = columns[k] * fit, lead = (token.signed ? 1.1 : 0) * s, mid = x + lead + (w - lead - 0.32 * s) / 2;
      const top = y + 1.1 * s, under = y + 2.3 * s;
      if (token.op) {
        math(g, mid, top, s, token.op.replace("·", "⊙"), { anchor: "middle" });
        math(g, mid, under, s, token.op, { anchor: "middle", name: "soft" });
      } else {
        const key = typeof token.of === "string" ? token.of.replace("_prev", "") : null;
        const hue = key && run.limits[key] !== undefined ? key : token.symbol.includes("x_t") ? "x" : "";
        const symbol = math(g, mid, top, s, token.symbol, { anchor: "middle", q: hue, name: hue && hue.length === 1 ? "hue" : "" });
        if (hue) symbol.style.setProperty("--q", `var(--q-${run.nodes[hue]?.like ?? hue})`);
        if (token.signed) math(g, x + 0.55 * s, top, s, "+", { anchor: "middle" });
        const sign = token.signed ? label(g, x + 0.55 * s, under, s, "", { anchor: "middle", name: "soft" }) : null;
        const number = label(g, mid, under, 0.88 * s, "", { anchor: "middle", name: `number${k ? "" : " result"}`, weight: 600 });
        number.dataset.of = `${name}:${k}`;
        if (!k) number.style.setProperty("--q", `var(--q-${name})`);
        live.push((t, u) => {
          const v = termOf(run, token.of, t, u);
          write(number, printed(sign ? Math.abs(v) : v));
          if (sign) write(sign, v < 0 && printed(v)[0] === "−" ? "−" : "+");
        });
      }
      x += w;
    });
    // What a lecturer calls it, where there is room; and where it is held, that the sum does not count.
    const end = box.x + box.width, roomy = end - x > widthOf(title, `${0.85 * s}px ${SANS}`) + 2 * s;
    if (roomy) label(g, end, y + 1.1 * s, 0.85 * s, title, { anchor: "end", name: "soft" });
    if (!run.arrays[`held:${name}`]) return;
    const tag = label(g, end, y + 2.3 * s, 0.85 * s, "held", { anchor: "end", name: "tag", weight: 600 });
    live.push((t, u) => {
      const held = heldAt(run, name, t, u);
      g.classList.toggle("held", held);
      tag.style.display = held ? "" : "none";
    });
  }

  // The pre-activation as its largest products, the rest in one line, the bias and the sum.
  function table(name, sums, y) {
    const line = 1.42 * em, size = 0.92 * em, right = box.x + box.width;
    // Few products get all their rows, the others share what is left.
    const wanted = new Map(sums.map((node) => [node, productsPossible(run, node)]));
    let left = Math.floor((box.y + box.height - y) / line - 0.3 - sums.reduce((n, node) => n + 2 + Boolean(run.nodes[node].biases.length), 0));
    const each = new Map();
    [...wanted].sort((a, b) => a[1] - b[1]).forEach(([node, n], k) => {
      const rows = clamp(Math.floor(left / (sums.length - k)), 1, Math.min(n, 9));
      each.set(node, rows);
      left -= rows;
    });
    for (const node of sums) {
      el("line", { x1: box.x, x2: right, y1: y, y2: y, class: "rule" }, parent);
      const shown = each.get(node), cells = Array.from({ length: shown }, () => row());
      const rest = wanted.get(node) > shown ? row("soft") : null;
      const bias = run.nodes[node].biases.length ? row("soft") : null, total = row("total");
      live.push((t, u) => {
        const { products, bias: b } = productsOf(run, node, t, u);
        const sorted = products.filter((p) => p.product).sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
        const most = Math.max(Math.abs(sorted[0]?.product ?? 0), Math.abs(b)) || 1;
        cells.forEach((cell, k) => {
          const p = sorted[k];
          cell(p ? productName(p) : "", p ? `${printed(p.w)} × ${printed(p.v)}` : "", p?.product, most, p?.matrix === "W_ih" ? "x" : "h");
        });
        const others = sorted.slice(shown), sum = others.reduce((s, p) => s + p.product, 0);
        rest?.(others.length ? `${others.length} more` : "no more", "", others.length ? sum : undefined, most);
        bias?.("bias", "", b, most);
        total(`sum, unit ${u + 1}`, "", valueOf(run, node, t, u), 0);
      });
      function row(kind = "") {
        y += line;
        const at = y - 0.38 * em, g = el("g", { class: `row ${kind}` }, parent);
        const bar = el("rect", { y: at - 0.78 * em, height: 0.98 * em, rx: 0.15 * em, class: "bar" }, g);
        const middle = right - 8.2 * em, half = 2.1 * em;
        if (kind !== "total") el("line", { x1: middle, x2: middle, y1: at - 0.95 * em, y2: at + 0.35 * em, class: "rule" }, g);
        const first = math(g, box.x, at, size, ""), factors = label(g, middle - half - 0.6 * em, at, 0.88 * size, "", { anchor: "end", name: "number soft" });
        const number = label(g, right, at, size, "", { anchor: "end", name: "number", weight: kind === "total" ? 700 : 400 });
        if (kind === "total") el("line", { x1: right - 5.6 * em, x2: right, y1: at - 1.05 * em, y2: at - 1.05 * em, class: "rule strong" }, g);
        let named = "";
        return (name, product, v, most, q = "") => {
          if (name !== named) {
            const fresh = math(g, box.x, at, size, name, { name: kind === "soft" ? "plain soft" : kind ? "plain" : "" });
            first.replaceChildren(...fresh.childNodes);
            first.setAttribute("class", fresh.getAttribute("class"));
            fresh.remove();
            named = name;
          }
          if (q) g.dataset.q = q;
          write(factors, product);
          write(number, v === undefined ? "" : (v > 0 ? "+" : "") + printed(v));
          const length = most && v ? (Math.abs(v) / most) * half : 0;
          bar.setAttribute("width", length);
          bar.setAttribute("x", v < 0 ? middle - length : middle);
          bar.style.fill = scales.css(v < 0 ? -0.55 : 0.55, 1);
        };
      }
      y += 0.5 * em;
    }
  }

  function productName({ matrix, source, j }) {
    if (matrix === "W_ih") return run.symbols.length ? `x  “${run.features[j] === " " ? "␣" : run.features[j]}”` : run.D > 1 ? `x_{${j + 1}}` : "x";
    return source === "h_prev" ? `h_{${j + 1}}` : `r·h_{${j + 1}}`;
  }

  // ∂L/∂s_{t-1} in its parts: straight along the state's own line, and through gates and matrices.
  function backward() {
    const decades = Math.log10(run.flow.top / run.flow.floor) || 1, right = box.x + box.width;
    const needed = 4.2 + run.states.length * 7.6 + (run.arrays["loss:h"] ? 2.2 : 0);
    em = Math.min(em, box.height / needed);
    const size = 1.3 * em, line = 1.75 * em;
    let y = box.y;
    label(parent, box.x, y + em, em, `The loss reads ${run.loss}. One backward pass, unit ${unit + 1}:`, { name: "soft" });
    y += 2.2 * em;
    for (const state of run.states) {
      const head = math(parent, box.x, y + 1.1 * size, size, `∂L/∂${state}_{t−1}`, { name: "hue", q: state });
      head.style.setProperty("--q", `var(--q-${state})`);
      const total = label(parent, right, y + 1.1 * size, 1.15 * em, "", { anchor: "end", name: "number", weight: 700 });
      total.dataset.of = `d:${state}_prev`;
      y += 1.75 * size;
      const parts = [["direct", `straight along ${state}`], ["gates", "through gates and matrices"]];
      if (run.arrays[`loss:${state}`]) parts.push(["loss", "asked by the loss at t − 1"]);
      const rows = parts.map(([key, words]) => {
        const at = y + 0.95 * em, g = el("g", { class: `row ${key}` }, parent);
        el("rect", { x: box.x, y: y + 1.28 * em, width: box.width, height: 0.3 * em, rx: 0.15 * em, class: "track" }, g);
        const bar = el("rect", { x: box.x, y: y + 1.28 * em, height: 0.3 * em, rx: 0.15 * em, class: `log ${key}` }, g);
        bar.style.setProperty("--q", `var(--q-${state})`);
        label(g, box.x, at, 0.95 * em, words);
        const number = label(g, right, at, 0.95 * em, "", { anchor: "end", name: "number" });
        number.dataset.of = `${key}:${state}`;
        y += line + 0.45 * em;
        return { key, bar, number };
      });
      live.push((t, u) => {
        write(total, printed(valueOf(run, `d:${state}_prev`, t, u), true));
        for (const { key, bar, number } of rows) {
          const v = valueOf(run, `${key}:${state}`, t, u);
          write(number, printed(v, true));
          bar.setAttribute("width", Math.abs(placed(v, run.flow.top, decades)) * box.width);
        }
      });
      y += 0.7 * em;
    }
    label(parent, box.x, y + 0.6 * em, 0.85 * em, `Bars and wires are logarithmic: ${flowRange(run)}`, { name: "soft" });
    return update;
  }

  function update(t, u) {
    for (const show of live) show(t, u);
  }
}
