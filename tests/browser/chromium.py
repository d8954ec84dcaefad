"""A headless Chromium, driven through its DevTools protocol."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 60.0
OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--lang=en",
    "--remote-debugging-port=0", "--remote-allow-origins=*",
)  # fmt: skip


def find():
    """The executable, or None; $CHROMIUM names another one."""
    return next(filter(None, map(shutil.which, filter(None, (os.environ.get("CHROMIUM"), *NAMES)))), None)


class Browser:
    """One process with one page."""

    def __init__(self, profile):
        import websocket

        self._output = (Path(profile) / "chromium.log").open("wb")
        command = [find(), *OPTIONS, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(command, stdout=self._output, stderr=subprocess.STDOUT)
        port_file = Path(profile) / "DevToolsActivePort"
        wait_until(lambda: port_file.is_file() and "\n" in port_file.read_text(), "Chromium did not start")
        port = port_file.read_text().splitlines()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=SECONDS) as answer:
            target = next(one for one in json.load(answer) if one["type"] == "page")
        self._socket = websocket.create_connection(target["webSocketDebuggerUrl"], timeout=SECONDS)
        self._numbers = itertools.count(1)
        self.problems, self.requests = [], []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self):
        self._socket.close()
        self._process.terminate()
        self._process.wait(SECONDS)
        self._output.close()

    def call(self, method, **parameters):
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self._note(message)

    def _note(self, message):
        """Everything that a console would show in red or yellow, and every request."""
        what = message.get("params", {})
        if message["method"] == "Runtime.exceptionThrown":
            self.problems.append(
                what["exceptionDetails"].get("exception", {}).get("description") or what["exceptionDetails"]["text"]
            )
        elif message["method"] == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning", "assert"):
            self.problems.append(str([one.get("value") for one in what["args"]]))
        elif message["method"] == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
            self.problems.append(what["entry"]["text"])
        elif message["method"] == "Network.requestWillBeSent":
            self.requests.append(what["request"]["url"])

    def evaluate(self, script):
        """The value of an expression, awaited if it is a promise."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"].get("exception", {}).get("description", answer))
        return answer["result"].get("value")

    def open(self, address):
        self.problems, self.requests = [], []
        self.call("Page.navigate", url=address)
        self.wait(f"location.href.startsWith({json.dumps(address)}) && window.ssdBench?.ready")

    def wait(self, condition):
        def holds():
            if self.problems:
                raise RuntimeError(f"{self.problems} while waiting for {condition}")
            return self.evaluate(f"Boolean({condition})")

        wait_until(holds, f"never true: {condition}")

    def texts(self, selector):
        return self.evaluate(f"[...document.querySelectorAll({json.dumps(selector)})].map((one) => one.textContent)")

    def click(self, selector):
        """A click where the middle of the element is, as a hand would; whatever lies over it gets it instead."""
        x, y = self.evaluate(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
            "one.scrollIntoView({block: 'center', inline: 'center'}); const box = one.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key, code=0, text=""):
        extra = {"text": text} if text else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **extra)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def look(self, width, height=900, dark=False, phone=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        time.sleep(0.3)  # the page waits for the end of resizing

    def screenshot(self, path, whole=False):
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        Path(path).write_bytes(base64.b64decode(picture["data"]))


def wait_until(condition, complaint):
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(complaint)
        time.sleep(0.05)
