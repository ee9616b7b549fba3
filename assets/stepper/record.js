// What the server sent, once: a header and typed arrays. Every number drawn is read from here; the only ones
// formed here are the products of a weight and a value, and parts of their sums.

function readRecord(bytes) {
  const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + size)));
  const base = bytes.byteOffset + 4 + size, arrays = {};
  for (const [name, [kind, shape, offset]] of Object.entries(head.arrays)) {
    const count = shape.reduce((a, b) => a * b, 1), width = shape[1] ?? 1, from = base + offset;
    let data = numbers(bytes.buffer, kind === "f8" ? Float64Array : Float32Array, from, count);
    if (kind === "s4") {   // a power of two for every row
      const scales = numbers(bytes.buffer, Float64Array, from + 8 * Math.ceil(count / 2), count / width);
      data = Float64Array.from(data, (value, k) => value * scales[Math.floor(k / width)]);
    }
    arrays[name] = { data, width, first: shape[0] === head.T + 1 ? 0 : 1 };
  }
  for (const state of head.states) {
    for (const kind of ["", "d:"]) {
      arrays[`${kind}${state}_prev`] = { ...arrays[kind + state], first: 1 };
      arrays[`${kind}${state}_next`] = arrays[kind + state];
    }
  }
  const nodes = Object.fromEntries(head.graph.nodes.map((node) => [node.name, node]));
  return { ...head, arrays, nodes };
}

// A view must start at a multiple of its element; what the socket handed over need not.
function numbers(buffer, Kind, from, count) {
  const size = Kind.BYTES_PER_ELEMENT;
  return from % size ? new Kind(buffer.slice(from, from + count * size)) : new Kind(buffer, from, count);
}

// The value of one unit at step t, both of a state and of what a step computes.
function valueOf(run, name, t, unit) {
  const array = run.arrays[name];
  return array.data[(t - array.first) * array.width + unit];
}

// Whether a what-if holds this value.
function heldAt(run, name, t, unit) {
  return Boolean(run.arrays[`held:${name}`]) && valueOf(run, `held:${name}`, t, unit) > 0;
}

// The products that one unit of an affine node sums, by matrix, and its biases: [{matrix, j, w, v, product}].
function productsOf(run, name, t, unit) {
  const node = run.nodes[name], found = [];
  const row = run.blocks.indexOf(node.block) * run.H + unit;
  for (const { source, target, weight } of run.graph.edges) {
    if (target !== name) continue;
    const W = run.arrays[weight], v = run.arrays[source];
    for (let j = 0; j < v.width; j++) {
      const w = W.data[row * W.width + j], value = v.data[(t - v.first) * v.width + j];
      found.push({ matrix: weight, source, j, w, v: value, product: w * value });
    }
  }
  const bias = node.biases.reduce((sum, name) => sum + run.arrays[name].data[row], 0);
  return { products: found, bias };
}

// How many products an affine node can have beside zeros: a character's one-hot brings a single one.
function productsPossible(run, name) {
  return run.graph.edges.filter((edge) => edge.target === name)
    .reduce((sum, { weight, source }) => sum + (weight === "W_ih" && run.symbols.length ? 1 : run.arrays[source].width), 0);
}

// A term of an equation: a value by name, or one matrix's or the biases' part of a sum.
function termOf(run, of, t, unit) {
  if (typeof of === "string") return valueOf(run, of, t, unit);
  const [name, part] = of, { products, bias } = productsOf(run, name, t, unit);
  if (part === "bias") return bias;
  return products.reduce((sum, p) => (p.matrix === part ? sum + p.product : sum), 0);
}

// The sums behind an equation: the affine nodes of its block.
function sumsOf(run, name) {
  return run.graph.nodes.filter((node) => node.op === "affine" && node.block === name).map((node) => node.name);
}

// What step t is called: its character, or its number.
function inputOf(run, t) {
  if (run.symbols.length) return run.symbols[t - 1] === " " ? "␣" : run.symbols[t - 1];
  return run.D === 1 ? printed(run.arrays.x.data[t - 1]) : "";
}
