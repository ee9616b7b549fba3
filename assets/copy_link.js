// Copies the page's address, which holds every control, and says so. Being on every page and called on a
// change of theme, it also tells the server of one: what the server colours is drawn anew.
const TOLD_FOR = 1600
const grounds = new WeakMap()

function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text)
  // Without https there is no clipboard API; the old way still works from a click.
  const field = Object.assign(document.createElement("textarea"), { value: text })
  document.body.append(field)
  field.select()
  const done = document.execCommand("copy")
  field.remove()
  return done ? Promise.resolve() : Promise.reject(new Error("copy refused"))
}

export default function ({ parentElement, setTriggerValue }) {
  const button = parentElement.querySelector("button")
  const label = button.querySelector("span")
  const ground = getComputedStyle(button).getPropertyValue("--st-background-color")
  if (grounds.has(button) && grounds.get(button) !== ground) setTriggerValue("theme", ground)
  grounds.set(button, ground)
  button.onclick = () =>
    copy(window.location.href)
      .then(() => "Link copied", () => "Copy it from the address bar")
      .then(told => {
        label.textContent = told
        setTimeout(() => (label.textContent = "Copy link"), TOLD_FOR)
      })
}
