# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The page at ``/``: what it may do, and that it does it, in a real browser without a screen."""

import base64
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import httpx
from echo import Echo
from server_process import Process

from tunesmith.serve import Application
from tunesmith.serve.page import policy

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def test_the_page_runs_its_own_script_and_nothing_else(ask):
    response = ask("/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    told = response.headers["content-security-policy"]
    assert told == policy(response.text)
    assert "default-src 'none'" in told
    assert "unsafe" not in told
    assert len(re.findall(r"'sha256-[A-Za-z0-9+/]{43}='", told)) == 2
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["referrer-policy"] == "no-referrer"


def test_the_page_loads_nothing_and_keeps_nothing(ask):
    text = ask("/").text
    assert not re.findall(r"""(?:src|href)\s*=|url\(|@import|https?://""", text)
    assert not re.findall(
        r"localStorage|sessionStorage|document\.cookie|indexedDB|innerHTML|eval\(|\son\w+=|style=", text
    )


def test_the_page_can_be_left_out(ask):
    assert ask("/", of=Application({"echo": Echo()}, page=False)).status_code == 404


# ---- in a browser ------------------------------------------------------------------------------


class Browser:
    """A headless browser, told what to do by its debugging protocol (over a WebSocket of our own, 40 lines)."""

    def __init__(self, program, profile, url):
        command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        command += ["--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0"]
        self.child = subprocess.Popen(
            [*command, f"--user-data-dir={profile}", url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.socket = None
        self.number = 0
        port = self._until(lambda: self._port(Path(profile)))
        target = self._until(lambda: self._page(port))
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        path = target.partition(str(port))[2]
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        self.stream = self.socket.makefile("rb")
        while self.stream.readline().strip():
            pass

    @staticmethod
    def _until(look, seconds=60):
        until = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < until, "the browser does not come up"
            time.sleep(0.1)
        return found

    @staticmethod
    def _port(profile):
        try:
            return int((profile / "DevToolsActivePort").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None

    @staticmethod
    def _page(port):
        pages = httpx.get(f"http://127.0.0.1:{port}/json/list").json()
        return next((page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page"), None)

    def __call__(self, method, **params):
        self.number += 1
        data = json.dumps({"id": self.number, "method": method, "params": params}).encode()
        mask = os.urandom(4)
        size = bytes([0xFE]) + struct.pack(">H", len(data)) if len(data) > 125 else bytes([0x80 | len(data)])
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
        self.socket.sendall(b"\x81" + size + mask + masked)
        while True:
            message = json.loads(self._frame())
            if message.get("id") == self.number:
                return message

    def _frame(self):
        _, size = self.stream.read(2)
        if size == 126:
            (size,) = struct.unpack(">H", self.stream.read(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self.stream.read(8))
        return self.stream.read(size)

    def run(self, script):
        message = self("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in message.get("result", {"exceptionDetails": "no context"}), message
        return message["result"]["result"].get("value")

    def wait(self, script, seconds=20):
        def look():
            try:
                return self.run(script)
            except AssertionError:  # the page is not there yet
                return None

        return self._until(look, seconds)

    def end(self):
        if self.socket:
            self.stream.close()
            self.socket.close()
        self.child.kill()
        self.child.wait()


@pytest.fixture
def browser(tmp_path):
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None or sys.platform == "win32":
        pytest.skip(f"needs a browser: {', '.join(BROWSERS)}")
    open_ = []

    def opened(url):
        open_.append(Browser(program, tmp_path / "profile", url))
        return open_[-1]

    yield opened
    for each in open_:
        each.end()


def say(browser, text):
    browser.run(
        f"document.getElementById('text').value = {json.dumps(text)}; document.getElementById('form').requestSubmit()"
    )


def test_people_can_chat_classify_and_stop_in_a_browser(browser, request):
    key = "a-key-for-the-page"
    process = Process(classifiers=["labels"], environment={"TUNESMITH_SERVE_KEY": key})
    request.addfinalizer(process.end)
    page = browser(process.url)
    # Without a key the page asks for one.
    page.wait(
        "document.getElementById('trouble') && document.getElementById('trouble').textContent.includes('needs a key')"
    )
    assert page.run("document.getElementById('keyed').hidden") is False
    page.run(f"const k = document.getElementById('key'); k.value = '{key}'; k.dispatchEvent(new Event('change'))")
    page.wait("document.getElementById('model').options.length === 2")
    assert page.run("[...document.getElementById('model').options].map(each => each.value).join()") == "echo,labels"
    # An answer in pieces, with its figures.
    say(page, "hello <b>there</b> <img src=x onerror=alert(1)>")
    page.wait("document.getElementById('times').textContent.includes('first token')")
    assert page.run("[...document.querySelectorAll('.turn')].map(each => each.textContent).join('|')") == "|".join(
        ["hello <b>there</b> <img src=x onerror=alert(1)>"] * 2
    )
    assert page.run("document.querySelectorAll('.turn *').length") == 0
    assert "made" in page.run("document.getElementById('times').textContent")
    # Stopping frees the engine.
    say(page, "/hold 3")
    page.wait("document.getElementById('said').textContent.includes('w2')")
    page.run("document.getElementById('stop').click()")
    page.wait("document.getElementById('trouble').textContent === 'stopped'")
    # A failure is told.
    say(page, "/busy")
    page.wait("document.getElementById('trouble').textContent.includes('the queue is full')")
    # Another model classifies.
    page.run("const m = document.getElementById('model'); m.value = 'labels'; m.dispatchEvent(new Event('change'))")
    assert page.run("document.getElementById('send').textContent") == "Classify"
    say(page, "good")
    page.wait("document.querySelectorAll('.bar').length === 2")
    assert page.run("document.querySelector('.bar').textContent") == "yes75.0 %"
    assert page.run("localStorage.length + sessionStorage.length + document.cookie.length") == 0
    picture = os.environ.get("PICTURE_OF_THE_PAGE")
    if picture:
        Path(picture).write_bytes(base64.b64decode(page("Page.captureScreenshot")["result"]["data"]))
