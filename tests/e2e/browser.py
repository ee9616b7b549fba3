"""A Chromium to look at the app with, and the two things every browser test does: settle and shoot."""

import os
import shutil
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright

SCREENS = Path(__file__).parent / "screens"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No name resolves, so a page that needs the network breaks here as it would in a lecture hall.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

_QUIET = """quiet => new Promise(done => {
  let since = performance.now()
  const look = () => {
    const app = document.querySelector("[data-testid='stApp']")
    const idle = app?.dataset.testScriptState === "notRunning"
      && !document.querySelector("[data-testid='stSkeleton'], [data-stale='true']")
    if (!idle) since = performance.now()
    performance.now() - since >= quiet ? done() : setTimeout(look, 15)
  }
  look()
})"""


def find_chromium() -> str:
    """Return the path of a Chromium, or say how to get one.

    Raises:
        RuntimeError: if there is none.

    """
    found = os.environ.get("RNNVIZ_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None or not shutil.which(found):
        raise RuntimeError(
            f"No Chromium at {found or ', '.join(NAMES)}: run `make test`, which installs one where it can, "
            "or set RNNVIZ_CHROMIUM to the path of a Chrome or Chromium."
        )
    return found


def launch(playwright: Playwright) -> Browser:
    """Launch the system's Chromium, unseen."""
    flags = [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else list(FLAGS)  # root has no sandbox to use
    return playwright.chromium.launch(executable_path=find_chromium(), headless=True, args=flags)


def settle(page: Page, quiet_ms: int = 150) -> None:
    """Wait until no script runs, no element is stale or loading, and that has held for `quiet_ms`.

    The wait covers the moment between an action and the rerun it asks for.
    """
    page.wait_for_selector("[data-testid='stApp'][data-test-script-state='notRunning']")
    page.evaluate(_QUIET, quiet_ms)


def shot(page: Page, name: str) -> Path:
    """Save what the window shows to `screens/<name>.png`."""
    path = SCREENS / f"{name}.png"
    page.screenshot(path=path)
    return path
