"""Chromium without a window: what a page does when it is opened, and what axe has to say of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
EVIL = "evil.example"
"""The host that hostile names would call."""


class Opened(NamedTuple):
    """A page after it was opened: its document, and the addresses of EVIL that were asked for."""

    dom: str
    asked: tuple[str, ...]


def chromium() -> str:
    """The browser; the test is skipped where there is none."""
    given = os.environ.get("NETTALLY_CHROMIUM")
    found = given or next((path for name in NAMES if (path := shutil.which(name))), None)
    if not found:
        pytest.skip("no chromium here (NETTALLY_CHROMIUM may say where it is)")
    return found


def axe() -> str:
    """The text of axe-core; the test is skipped where it is not installed (npm i axe-core)."""
    given = os.environ.get("NETTALLY_AXE")
    path = Path(given) if given else ROOT / "node_modules" / "axe-core" / "axe.min.js"
    if not path.is_file():
        pytest.skip("no axe-core here (npm install axe-core, or NETTALLY_AXE=…/axe.min.js)")
    return path.read_text("utf-8")


def opened(page: str, folder: Path, *, width: int = 1280, dark: bool = False) -> Opened:
    """Open the page and wait until nothing happens any more."""
    path = folder / "page.html"
    path.write_text(page, encoding="utf-8")
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_listen, args=(server, asked), daemon=True).start()
        done = subprocess.run(
            [
                chromium(),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
                "--no-first-run",
                *(["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] if dark else []),
                f"--user-data-dir={folder / 'profile'}",
                f"--proxy-server=http://127.0.0.1:{server.getsockname()[1]}",
                f"--window-size={width},900",
                "--virtual-time-budget=4000",
                "--dump-dom",
                path.as_uri(),
            ],
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    return Opened(done.stdout, tuple(each for each in asked if EVIL in each))


def _listen(server: socket.socket, asked: list[str]) -> None:
    """A proxy that writes down what is asked of it, and answers nothing."""
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(2)
            try:
                asked.append(connection.recv(4096).split(b"\r\n")[0].decode("latin-1"))
                connection.sendall(b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n")
            except OSError:
                continue


def without_policy(page: str) -> str:
    """The page without its Content-Security-Policy: what is left is our escaping alone."""
    bare, count = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>\n', "", page)
    assert count == 1
    return bare


def violations(page: str, folder: Path, **how: Any) -> list[dict[str, Any]]:
    """What axe objects to, with every part of the page opened."""
    run = (
        "addEventListener('load', () => {"
        "document.querySelectorAll('details').forEach(each => { each.open = true });"
        "axe.run().then(found => { const told = document.createElement('pre');"
        "told.id = 'axe-told'; told.textContent = JSON.stringify(found.violations.map(each => "
        "({id: each.id, impact: each.impact, help: each.help, "
        "nodes: each.nodes.map(node => node.html.slice(0, 200))})));"
        "document.body.append(told) }) })"
    )
    scripts = f"<script>{axe()}</script><script>{run}</script>"
    tested = without_policy(page).replace("</head>", f"{scripts}</head>", 1)
    dom = opened(tested, folder, **how).dom
    told = re.search(r'<pre id="axe-told">(.*?)</pre>', dom, re.DOTALL)
    assert told, "axe did not run"
    from html import unescape

    return json.loads(unescape(told[1]))
