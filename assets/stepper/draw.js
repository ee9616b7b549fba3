// Numbers as they are printed, colours on their scales, and SVG with mathematics in it.

const SVG = "http://www.w3.org/2000/svg";
const SERIF = "'Cambria Math','STIX Two Text','Latin Modern Math',Georgia,'Times New Roman',serif";
const SANS = "'Source Sans', 'Source Sans 3', sans-serif";   // Streamlit's own face, for measuring
const clamp = (x, low, high) => Math.min(high, Math.max(low, x));
const raised = (n) => String(n).replace(/./g, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]));

// Three decimals, or three digits and a power of ten where those would not do.
function printed(x, exponential = false) {
  if (Number.isNaN(x)) return "not a number";
  if (!Number.isFinite(x)) return x < 0 ? "−∞" : "∞";
  const size = Math.abs(x);
  if (size < 1000 && !(exponential && size && size < 0.1)) {
    const text = x.toFixed(3);
    return text === "-0.000" ? "0.000" : text.replace("-", "−");
  }
  const [digits, power] = x.toExponential(2).split("e");
  return `${digits.replace("-", "−")}·10${raised(Number(power))}`;
}

// Where a value stands on its scale: -1 … 1 for signed ones, 0 … 1 for gates (limit 0).
function placed(v, limit, decades) {
  if (!decades) return limit ? clamp(v / limit, -1, 1) : clamp(v, 0, 1);
  if (!v) return 0;
  const size = clamp(1 + Math.log10(Math.abs(v) / (limit || 1)) / decades, 0, 1);
  return v < 0 ? -size : size;
}

// 256 colours from a scale's stops, as [r, g, b].
function ramp(stops) {
  const rgb = stops.map((hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16)));
  return Array.from({ length: 256 }, (_, n) => {
    const along = (n / 255) * (rgb.length - 1), k = Math.min(Math.floor(along), rgb.length - 2);
    return rgb[k].map((low, j) => Math.round(low + (rgb[k + 1][j] - low) * (along - k)));
  });
}

function scalesOf(run) {
  const signed = ramp(run.colours.signed), gate = ramp(run.colours.gate);
  const rgb = (v, limit, decades) => {
    if (Number.isNaN(v)) return [0, 0, 0];
    const at = placed(v, limit, decades);
    return limit ? signed[Math.round((at + 1) * 127.5)] : gate[Math.round(at * 255)];
  };
  return { rgb, css: (v, limit, decades) => `rgb(${rgb(v, limit, decades).join(",")})` };
}

function el(name, attributes = {}, parent = null, text = null) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== null) node.textContent = text;
  parent?.append(node);
  return node;
}

// A text that stays the same costs no layout.
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function label(parent, x, y, size, text, { anchor = "start", name = "", weight = 400, q = "" } = {}) {
  const node = el("text", { x, y, "font-size": size, "text-anchor": anchor, class: name, "font-weight": weight }, parent, text);
  if (q) node.dataset.q = q;
  return node;
}

// Letters of a formula as [text, kind]: a single letter stands in italics, `_t` and `_{…}` stand lower.
function lettersOf(formula) {
  const parts = formula.match(/_\{[^}]*\}|_.|'|[A-Za-z]+|[^A-Za-z_']+/g) ?? [];
  return parts.map((part) => {
    if (part[0] === "_") return [part.replace(/[_{}]/g, ""), "sub"];
    if (part === "'") return ["′", "up"];
    return [part, /^[A-Za-z]$/.test(part) ? "var" : "up"];
  });
}

const pen = document.createElement("canvas").getContext("2d");
const widths = new Map();

function widthOf(text, font) {
  const key = font + text;
  if (!widths.has(key)) {
    pen.font = font;
    widths.set(key, pen.measureText(text).width);
  }
  return widths.get(key);
}

function mathWidth(formula, size) {
  return lettersOf(formula).reduce((sum, [text, kind]) =>
    sum + widthOf(text, `${kind === "sub" || kind === "up" ? "" : "italic "}${kind === "sub" ? size * 0.7 : size}px ${SERIF}`), 0);
}

// A formula at (x, y); returns the <text>. `q` names the quantity it links to and takes its colour from.
function math(parent, x, y, size, formula, { anchor = "start", q = "", name = "" } = {}) {
  const node = el("text", { x, y, "font-size": size, "text-anchor": anchor, class: `math ${name}` }, parent);
  let low = false;
  for (const [text, kind] of lettersOf(formula)) {
    const span = el("tspan", kind === "var" ? { "font-style": "italic" } : {}, node, text);
    if (kind === "sub") {
      span.setAttribute("font-size", size * 0.7);
      if (!/^\d/.test(text)) span.setAttribute("font-style", "italic");
    }
    if ((kind === "sub") !== low) span.setAttribute("dy", kind === "sub" ? size * 0.22 : -size * 0.22);
    low = kind === "sub";
  }
  if (q) node.dataset.q = q;
  return node;
}

// A line through points with round corners.
function rounded(points, radius) {
  let d = `M${points[0]}`;
  for (let k = 1; k < points.length - 1; k++) {
    const [a, b, c] = [points[k - 1], points[k], points[k + 1]];
    const toward = (from, to) => {
      const length = Math.hypot(to[0] - from[0], to[1] - from[1]) || 1, r = Math.min(radius, length / 2);
      return [from[0] + ((to[0] - from[0]) * r) / length, from[1] + ((to[1] - from[1]) * r) / length];
    };
    d += `L${toward(b, a)}Q${b} ${toward(b, c)}`;
  }
  return `${d}L${points.at(-1)}`;
}
