// Sliders that Vega draws inside a figure. This computes nothing: it tells the server what they hold once they
// have stood still, so that the link holds it too, and brings that back where the figure is built anew.
const STILL = 250
const known = new WeakMap()

function listen(parent) {
  const quit = new AbortController()
  const self = { held: {}, timer: 0, quit }
  const form = () => document.querySelector(`.vega-bindings input[name="${self.names[0]}"]`)?.form

  const report = () => self.tell("held", { ...self.held })
  const hear = ({ target }) => {
    if (!target.closest?.(".vega-bindings")) return
    if (target.type === "radio" && !target.checked) return
    if (!self.names.includes(target.name)) return
    if (self.held[target.name] === target.value) return
    self.held[target.name] = target.value
    clearTimeout(self.timer)
    self.timer = setTimeout(report, STILL)
  }

  // Vega begins at the specification's values whenever Streamlit builds the figure anew.
  const restore = () => {
    const found = form()
    if (!found || found === self.form) return
    self.form = found
    for (const [name, value] of Object.entries(self.held))
      for (const input of found.querySelectorAll(`input[name="${name}"]`)) {
        if (input.type === "radio") {
          if (input.value === value && !input.checked) input.click()
        } else if (input.value !== value) {
          input.value = value
          input.dispatchEvent(new Event("input", { bubbles: true }))
        }
      }
  }
  const observer = new MutationObserver(restore)
  observer.observe(document.body, { childList: true, subtree: true })
  quit.signal.addEventListener("abort", () => { observer.disconnect(); clearTimeout(self.timer) })
  for (const kind of ["input", "change"])
    document.addEventListener(kind, hear, { capture: true, signal: quit.signal })
  self.restore = restore
  known.set(parent, self)
  return self
}

export default function ({ data, parentElement, setStateValue }) {
  const self = known.get(parentElement) ?? listen(parentElement)
  Object.assign(self, { names: data.names, tell: setStateValue })
  self.restore()
  return () => { self.quit.abort(); known.delete(parentElement) }
}
