"""A real browser, headless, driven over its own debugging protocol."""

import base64
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import anyio

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
WITHOUT = "no chromium on the PATH (Debian: apt-get install chromium)"
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
_STARTS_S = 60.0
_WITHIN_S = 30.0
_PLACE = """
(async () => {
  for (let was = null; ; await new Promise((done) => setTimeout(done, 50))) {
    const at = document.querySelector(FOUND);
    at?.scrollIntoView({block: 'center', inline: 'center'});
    const box = at?.getBoundingClientRect();
    const place = box && {x: box.x + box.width / 2, y: box.y + box.height / 2};
    if (was && place && was.x === place.x && was.y === place.y) return place;
    was = place;
  }
})()
"""
_KEYS = {"Enter": "\r", "Escape": "", "Tab": ""}


@dataclass(slots=True)
class Tab:
    """One page of the browser."""

    socket: aiohttp.ClientWebSocketResponse
    complaints: list[str] = field(default_factory=list)
    """What went wrong in the page: exceptions, errors on its console, broken policies."""
    forgives: str = "nothing"
    """Complaints that have this in them are none: the browser may make them late."""
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _answers: dict[int, Mapping[str, object]] = field(default_factory=dict)
    _news: anyio.Event = field(default_factory=anyio.Event)

    async def listen(self) -> None:
        """Take in what the browser says until the connection ends."""
        async for message in self.socket:
            told = json.loads(message.data)
            if "id" in told:
                self._answers[told["id"]] = told
                self._news.set()
                self._news = anyio.Event()
            elif told["method"] == "Runtime.exceptionThrown":
                self._complain(json.dumps(told["params"]["exceptionDetails"])[:800])
            elif told["method"] == "Log.entryAdded":
                entry = told["params"]["entry"]
                if entry["level"] == "error":
                    self._complain(f"{entry['text']} {entry.get('url', '')}")

    def _complain(self, text: str) -> None:
        if self.forgives not in text:
            self.complaints.append(text)

    async def call(self, method: str, **params: object) -> Mapping[str, object]:
        """One command of the protocol, and its answer."""
        number = next(self._numbers)
        await self.socket.send_json({"id": number, "method": method, "params": params})
        with anyio.fail_after(_WITHIN_S):
            while number not in self._answers:
                await self._news.wait()
        told = self._answers.pop(number)
        assert "error" not in told, f"{method}: {told['error']}"
        result = told["result"]
        assert isinstance(result, dict)
        return result

    async def ask(self, expression: str) -> object:
        """The value of a JavaScript expression in the page; promises are waited for."""
        told = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in told, f"{expression}: {told['exceptionDetails']}"
        result = told["result"]
        assert isinstance(result, dict)
        return result.get("value")

    async def until(self, condition: str, within_s: float = _WITHIN_S) -> None:
        """Return as soon as the expression is true there."""
        with anyio.move_on_after(within_s):
            while True:
                if await self.ask(f"!!({condition})"):
                    return
                await anyio.sleep(0.05)  # the page may be in the midst of anything
        said = await self.ask("document.body.innerText")
        message = f"not true in the page: {condition}\n{said}\n{self.complaints}"
        raise AssertionError(message)

    async def sees(self, text: str) -> None:
        """Return when the text is somewhere in the page."""
        await self.until(f"document.body.innerText.includes({json.dumps(text)})")

    async def open(self, url: str) -> None:
        await self.call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def click(self, selector: str) -> None:
        """Click the first such element, as a person would: where it is, once it stays there."""
        found = json.dumps(selector)
        await self.until(f"document.querySelector({found}) !== null")
        where = await self.ask(_PLACE.replace("FOUND", found))
        assert isinstance(where, dict)
        for kind in ("mousePressed", "mouseReleased"):
            await self.call(
                "Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **where
            )

    async def type(self, text: str) -> None:
        """Type into whatever has the focus."""
        await self.call("Input.insertText", text=text)

    async def press(self, key: str) -> None:
        """Press one key."""
        said = {"text": _KEYS.get(key, key)} if _KEYS.get(key, key) else {}
        code = 13 if key == "Enter" else 0
        for kind in ("keyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                windowsVirtualKeyCode=code,
                **(said if kind == "keyDown" else {}),
            )

    async def resize(self, width: int, height: int) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    async def shoot(self, file: Path, *, whole: bool = True) -> None:
        """Keep a picture of the page."""
        told = await self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        await anyio.Path(file).write_bytes(base64.b64decode(str(told["data"])))


@asynccontextmanager
async def browsing(folder: Path) -> AsyncIterator[Tab]:
    """A fresh browser with one empty tab; gone with everything that it started at the end."""
    assert PROGRAM is not None, WITHOUT
    profile = folder / "profile"
    process = subprocess.Popen(  # noqa: ASYNC220 - it only begins here
        [PROGRAM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        port = await _port(profile)
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(await _target(session, port), max_msg_size=0) as socket,
            anyio.create_task_group() as tasks,
        ):
            tab = Tab(socket)
            tasks.start_soon(tab.listen)
            for domain in ("Page", "Runtime", "Log"):
                await tab.call(f"{domain}.enable")
            yield tab
            tasks.cancel_scope.cancel()
    finally:
        os.killpg(process.pid, 9)
        process.wait()


async def _port(profile: Path) -> int:
    said = anyio.Path(profile / "DevToolsActivePort")
    with anyio.fail_after(_STARTS_S):
        while not await said.exists() or not (await said.read_text()).strip():  # noqa: ASYNC110
            await anyio.sleep(0.05)  # another process writes it
    return int((await said.read_text()).split()[0])


async def _target(session: aiohttp.ClientSession, port: int) -> str:
    async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
        tabs = await answer.json()
    return next(str(each["webSocketDebuggerUrl"]) for each in tabs if each["type"] == "page")
