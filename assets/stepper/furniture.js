// The controls around the picture: buttons, slider, menus; named for those who hear them.

function furniture(root) {
  const html = (tag, name, parent, text = "", attributes = {}) => {
    const node = document.createElement(tag);
    if (name) node.className = name;
    if (text) node.textContent = text;
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    parent.append(node);
    return node;
  };
  root.replaceChildren();
  const bar = html("div", "bar", root);
  const group = (name, aria, parent = bar) => html("div", `group ${name}`, parent, "", { role: "group", "aria-label": aria, "data-name": name });
  const stages = group("stages", "Sub-step"), views = group("views", "View");
  const stage = html("div", "stage", root);
  const canvas = html("canvas", "", stage, "", { "aria-hidden": "true" });
  const svg = el("svg", { xmlns: SVG, role: "group", "aria-label": "Picture" }, stage);
  const foot = html("div", "foot", root), drive = html("div", "drive", foot), more = html("div", "more", foot);

  const button = (name, aria, keys, parent = drive) => html("button", name, parent, "", { type: "button", "aria-label": aria, title: `${aria} (${keys})` });
  button("first", "First step", "Home").dataset.go = "first";
  button("previous", "Step back", "←").dataset.go = "previous";
  const play = button("play", "Play", "Space");
  button("next", "Step on", "→").dataset.go = "next";
  button("last", "Last step", "End").dataset.go = "last";
  const directions = group("directions", "Direction", drive);
  const time = html("input", "time", drive, "", { type: "range", min: 1, "aria-label": "Step t" });
  const facts = html("div", "facts", drive), step = html("b", "step", facts), unit = html("span", "unit", facts);

  const menu = (name, aria, options) => {
    const select = html("select", "", more, "", { name, "aria-label": aria });
    for (const [value, text] of options) html("option", "", select, text, { value });
    return select;
  };
  const speed = menu("speed", "Speed", SPEEDS), scale = menu("scale", "Scale", SCALES);
  const check = (name, text) => {
    const wrap = html("label", "check", more), box = html("input", "", wrap, "", { type: "checkbox", name });
    html("span", "", wrap, text);
    return [wrap, box];
  };
  const [, marks] = check("marks", "mark saturated gates"), [deltaWrap, delta] = check("delta", "difference from before");
  html("span", "keys", more, "← → step · ⇧← ⇧→ sub-step · ↑ ↓ unit · Space play · B backward · P present");
  const files = html("span", "files", more);
  for (const kind of ["PNG", "SVG", "PDF", "GIF"]) {
    html("button", "", files, kind, { type: "button", "data-save": kind, title: kind === "GIF" ? "The run through time as an animation for slides" : `This picture as ${kind}` });
  }
  const busy = html("div", "busy", foot, "", { role: "status", hidden: "" });
  const bead = html("progress", "", busy, "", { max: 1 }), said = html("span", "", busy), cancel = html("button", "", busy, "Cancel", { type: "button" });

  // Fill what depends on the run.
  function fill(run) {
    time.max = run.T;
    root.setAttribute("aria-label", `${run.cell}, ${run.H} units, ${run.T} steps. ${run.caption}`);
    buttons(stages, [["0", "Whole step"], ...run.stages.map(({ title }, k) => [String(k + 1), `${k + 1} ${title}`])]);
    buttons(views, VIEWS);
    buttons(directions, [["forth", "Forward"], ["back", "Backward"]]);
    deltaWrap.hidden = !Object.keys(run.delta).length;
  }
  function buttons(parent, options) {
    const wanted = options.join("|");
    if (parent.dataset.wanted === wanted) return;    // a re-run leaves the focus where it is
    parent.dataset.wanted = wanted;
    parent.replaceChildren();
    for (const [value, text] of options) html("button", "", parent, text, { type: "button", "data-value": value });
  }
  function press(name, value) {
    for (const node of { stages, views, directions }[name].children) node.setAttribute("aria-pressed", node.dataset.value === value);
  }
  function set(values) {
    speed.value = values.speed;
    scale.value = values.scale;
    marks.checked = values.marks;
    delta.checked = values.delta;
  }
  // A bar with what is left to do; returns how to move it and how to learn of Cancel.
  function progress(text) {
    const asked = new AbortController();
    busy.hidden = false;
    cancel.onclick = () => asked.abort();
    const tell = (share, words) => { bead.value = share; said.textContent = words; };
    tell(0, text);
    return { tell, signal: asked.signal, done: (words = "") => { said.textContent = words; if (!words) busy.hidden = true; else { bead.removeAttribute("value"); bead.value = 1; setTimeout(() => { busy.hidden = true; }, 4000); } } };
  }
  return { bar, stage, canvas, svg, foot, play, time, step, unit, fill, press, set, progress };
}
