"""Runs that outlive their server, in a browser: a lecture's, a killed server's, one from another machine."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from rnnviz.lectures import LECTURES
from rnnviz.run_config import run_id
from rnnviz.ui.lab_link import link_of
from tests.e2e.browser import settle
from tests.e2e.reading import open_link, pictures, sentences, wait_for_pictures
from tests.e2e.serve import ROOT, Server, start_server

SMALL = "lab_T_adding=10&lab_seeds=2&lab_steps=100&lab_stop=last+step&lab_H=4&lab_B=5"
LONG = "lab_T_adding=20&lab_seeds=1&lab_steps=20000&lab_stop=last+step&lab_H=8&lab_cells=GRU"
AT_REST = 7


def button(page: Page, name: str):
    return page.locator("[class*=st-key-lab_]").get_by_role("button", name=name)


def kill(server: Server) -> None:
    """As if the machine's power had gone, but for the disk."""
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait(10)


def test_the_lab_opens_on_a_lecture_s_run_and_the_menu_leads_to_the_others(page: Page):
    open_link(page, "/lab")
    wait_for_pictures(page, AT_REST)
    expect(page.get_by_text("Trained beforehand, 1,000 steps")).to_be_visible()
    expect(page.get_by_text("That is no proof that it cannot")).to_be_visible()
    before = pictures(page)
    for lecture in LECTURES[1:4]:
        page.get_by_text("Lecture runs").click()
        page.get_by_role("link", name=lecture.title, exact=True).click()
        expect(page.get_by_text(lecture.shows[:40])).to_be_visible()
        wait_for_pictures(page, AT_REST)
        settle(page, 300)
        assert f"lab_run={run_id(lecture.job.configs)}" in page.url
        assert f"lab_T_{lecture.job.task.name}={lecture.job.length}" in page.url
        assert sentences(page) == []
        assert pictures(page) != before
        before = pictures(page)
    page.get_by_role("link", name="Open in Inside the cell").click()
    wait_for_pictures(page, 2)
    expect(page.get_by_text("From the Memory lab: Delayed recall, length 200")).to_be_visible()
    assert sentences(page) == []


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    return tmp_path / "home"


def test_a_killed_server_s_runs_are_there_again(browser: Browser, home: Path):
    with browser.new_context(viewport={"width": 1280, "height": 720}) as context:
        page = context.new_page()
        with start_server(ROOT / "app.py", home=home) as server:
            open_link(page, f"{server.url}/lab?{SMALL}")
            button(page, "Start").click()
            expect(page.get_by_text("Finished after 100 steps")).to_be_visible(timeout=60_000)
            wait_for_pictures(page, AT_REST)
            settle(page, 300)
            link, mine = page.url.removeprefix(server.url), pictures(page)
            open_link(page, f"{server.url}/lab?{LONG}")
            button(page, "Start").click()
            page.wait_for_function(
                "() => /Step [1-9]\\d\\d/.test(document.body.innerText)",
                timeout=60_000,
            )
            page.wait_for_timeout(1200)
            kill(server)
        with start_server(ROOT / "app.py", home=home) as server:
            open_link(page, server.url + link)
            wait_for_pictures(page, AT_REST)
            settle(page, 300)
            assert pictures(page) == mine
            assert sentences(page) == []
            open_link(page, f"{server.url}/lab?{LONG}")
            expect(page.get_by_text("Its server ended while it learned.")).to_be_visible()
            step = int(re.search(r"goes on from step ([\d,]+)", page.inner_text("body"))[1].replace(",", ""))
            assert step > 50
            button(page, "Resume").click()
            page.wait_for_function(
                "from => Number(document.querySelector('[data-testid=stProgress]')?.innerText"
                ".match(/Step ([\\d,]+)/)?.[1].replace(',', '')) > from",
                arg=step,
                timeout=60_000,
            )
            button(page, "Cancel").click()
            expect(page.get_by_text("Cancelled after step")).to_be_visible(timeout=20_000)
            assert sentences(page) == []


def test_a_run_is_taken_along_deleted_had_back_and_brought_again(
    browser: Browser, home: Path, tmp_path: Path
):
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    with start_server(ROOT / "app.py", home=home) as server, context:
        page = context.new_page()
        open_link(page, f"{server.url}/lab?{SMALL}")
        button(page, "Start").click()
        expect(page.get_by_text("Finished after 100 steps")).to_be_visible(timeout=60_000)
        open_link(page, f"{server.url}/runs")
        expect(page.get_by_text("1 run, ")).to_be_visible()
        with page.expect_download() as download:
            page.get_by_role("button", name="Export").click()
        assert download.value.suggested_filename.endswith(".safetensors")
        download.value.save_as(tmp_path / "mine.safetensors")
        title = page.get_by_role("link", name="Adding problem, length 10")
        page.get_by_role("button", name="Delete").click()
        expect(page.get_by_text("Undo brings it back.")).to_be_visible()
        expect(title).to_have_count(0)
        page.get_by_role("button", name="Undo").click()
        expect(title).to_have_count(1)
        page.get_by_role("button", name="Delete").click()
        expect(title).to_have_count(0)
        page.locator("input[type=file]").set_input_files(tmp_path / "mine.safetensors")
        expect(page.get_by_text("It is kept")).to_be_visible()
        page.get_by_role("link", name="Open it in the Memory lab").click()
        expect(page.get_by_text("Finished after 100 steps")).to_be_visible()
        wait_for_pictures(page, AT_REST)
        assert sentences(page) == []


BAD = {
    "noise.safetensors": (os.urandom(100_000), "it is damaged, or no run of this program"),
    "empty.safetensors": (b"", "it is damaged, or no run of this program"),
    "cut.safetensors": (None, "it is damaged"),
    "huge.safetensors": (b"\0" * 60_000_000, "50"),
}


def test_a_file_that_is_no_run_is_answered_in_one_sentence(page: Page, tmp_path: Path):
    whole = (ROOT / "assets" / "lectures" / f"{run_id(LECTURES[0].job.configs)}.safetensors").read_bytes()
    open_link(page, "/runs")
    before = sentences(page)
    for name, (content, words) in BAD.items():
        (tmp_path / name).write_bytes(whole[:-1000] if content is None else content)
        page.locator("input[type=file]").set_input_files(tmp_path / name)
        settle(page, 600)
        own = page.locator("[data-testid=stFileUploader]").inner_text()
        said = [line for line in sentences(page) if line not in before]
        said += [line for line in own.splitlines() if line.startswith("Error")]
        assert len(said) == 1, (name, said)
        assert words in said[0]
        assert "Traceback" not in page.inner_text("body")
        page.locator("[data-testid=stFileChipDeleteBtn] button").first.click()
        settle(page, 300)
    assert page.get_by_role("link", name=LECTURES[0].title).count() == 1


def test_a_link_to_a_run_that_nobody_has_says_so_and_describes_the_job(page: Page):
    link = {k: v for k, v in link_of(LECTURES[0].job).items() if k != "lab_run"}
    assert link == {}
    open_link(page, "/lab?lab_run=0123456789abcdef-0000&lab_H=31")
    assert len(sentences(page)) == 1
    assert "does not have" in sentences(page)[0]
    assert button(page, "Start").count() == 1
