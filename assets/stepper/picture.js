// The whole picture: where its parts go, and what it says in words.

// The page's style sheet for presenting says so.
function presenting() {
  return getComputedStyle(document.documentElement).getPropertyValue("--rnnviz-present").trim() === "1";
}

// Everything anew but the panel; returns what moves with the cursor, and where the panel goes.
function drawPicture(run, scales, ui, settings, root) {
  const width = ui.stage.clientWidth, present = presenting();
  root.classList.toggle("present", present);
  const room = innerHeight - (present ? (run.start.around ?? 80) - 40 : run.start.around ?? (run.start.compact ? 215 : 168));
  const em = clamp(Math.min(width / 74, room / (present ? 42 : 44)), 11, 60);
  root.style.setProperty("--em", `${em}px`);
  // A presenter's page does not scroll: the picture takes what the controls leave.
  const left = present ? innerHeight - ui.stage.getBoundingClientRect().top - ui.foot.offsetHeight - em : Math.min(room - 6.2 * em, 0.75 * width);
  const tall = Math.max(left, 35 * em), high = stripsHeight(run, em), split = width * 0.615;
  const strips = { x: 0, y: tall - high, width, height: high }, at = layoutStrips(run, strips, em);
  const upper = { y: 2.7 * em, height: strips.y - 3.6 * em };

  ui.svg.replaceChildren();
  ui.svg.setAttribute("viewBox", `0 0 ${width} ${tall}`);
  ui.svg.setAttribute("width", width);
  ui.svg.setAttribute("height", tall);
  ui.stage.style.height = `${tall}px`;
  const headline = label(ui.svg, 0, 1.2 * em, 1.12 * em, "", { name: "headline" });
  // Who does not see hears the slider, which says all of it, and the equations that can be opened.
  const figure = el("g", { class: "figure", "aria-hidden": "true" }, ui.svg), below = el("g", { "aria-hidden": "true" }, ui.svg);
  const box = { x: 0.4 * em, width: split - 2.4 * em, ...upper };
  const drawing = (settings.view === "cell" ? drawDiagram : drawUnrolled)(run, scales, figure, box, em);
  const ranges = paintStrips(run, scales, ui.canvas, at, settings, inksOf(ui, run));
  const strip = drawStrips(run, below, strips, at, em, ranges, settings.back);
  const readout = label(below, at.x + at.width, at.bottom + 1.15 * em, 0.85 * em, "", { anchor: "end", name: "readout number" });
  const panelBox = { x: split, y: upper.y + 0.2 * em, width: width - split, height: upper.height };
  return { em, width, tall, at, headline, figure, drawing, strip, readout, panelBox };
}

// What marked gates are painted in: the quantity's colour, the text's, and a line's, as [r, g, b].
function inksOf(ui, run) {
  const probe = document.createElement("i");
  ui.stage.append(probe);
  const read = (colour) => {
    probe.style.color = colour;
    const found = getComputedStyle(probe).color, scale = found.startsWith("color(") ? 255 : 1;
    return found.match(/[\d.]+/g).slice(0, 3).map((part) => Math.round(part * scale));
  };
  const open = Object.fromEntries(run.strips.map(({ name }) => [name, read(`var(--q-${name})`)]));
  const inks = { open, closed: read("var(--ink)"), between: read("var(--line)") };
  probe.remove();
  return inks;
}

function headlineOf(run, { t, stage, back }) {
  if (back) return `Backward at step ${t}: what the loss would gain or lose if a value here moved a little.`;
  if (stage) return run.stages[stage - 1].sentence;
  return `Step ${t} of ${run.T}: everything that the ${run.cell} does with ${run.symbols.length ? quoted(run, t) : "this input"}.`;
}

function spokenOf(run, { t, unit, stage, back }) {
  const said = run.strips.map(({ name }) => `${back ? "gradient of " : ""}${name} ${printed(valueOf(run, (back ? "d:" : "") + name, t, unit), back)}`);
  const input = inputOf(run, t), title = run.stages[stage - 1]?.title;
  return `Step ${t} of ${run.T}${input ? `, input ${input === "␣" ? "space" : input}` : ""}. Unit ${unit + 1}.${title ? ` ${title}.` : ""} ${said.join(", ")}.`;
}
