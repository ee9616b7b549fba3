// Copies the page's address, which holds every control, and says so.
const TOLD_FOR = 1600

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

export default function ({ parentElement }) {
  const button = parentElement.querySelector("button")
  const label = button.querySelector("span")
  button.onclick = () =>
    copy(window.location.href)
      .then(() => "Link copied", () => "Copy it from the address bar")
      .then(told => {
        label.textContent = told
        setTimeout(() => (label.textContent = "Copy link"), TOLD_FOR)
      })
}
