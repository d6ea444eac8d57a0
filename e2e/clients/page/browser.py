"""Chromium by the WebDriver protocol, which is JSON over HTTP: no library is needed for the little that is used here.

    with driver():                    chromedriver runs
        with Tab() as tab:            a browser of its own, empty
            tab.open(url); tab.text("#view"); tab.press("#path", "/a", ENTER); tab.script("return 1")
"""

import base64
import contextlib
import json
import os
import re
import subprocess
import urllib.error
import urllib.request

from harness import until

ENTER, DOWN, LEFT = "\ue007", "\ue015", "\ue012"
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,1000"]
DRIVER = []


@contextlib.contextmanager
def driver():
    command = ["setpriv", "--pdeathsig", "KILL", "chromedriver", "--port=0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        port = next(found for line in process.stdout if (found := re.search(r"successfully on port (\d+)", line)))
        DRIVER.append(f"http://127.0.0.1:{port.group(1)}")
        yield
    finally:
        process.kill()
        process.wait()


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(DRIVER[0] + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(json.load(error)["value"]["message"].splitlines()[0]) from None


class Tab:
    def __enter__(self):
        options = {"args": ARGUMENTS}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        session = call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.path = "/session/" + session["sessionId"]
        return self

    def __exit__(self, *error):
        call("DELETE", self.path)

    def open(self, url):
        call("POST", self.path + "/url", {"url": url})

    def script(self, text, *arguments):
        return call("POST", self.path + "/execute/sync", {"script": text, "args": list(arguments)})

    def command(self, name, **parameters):
        """One of the browser's own, of the DevTools protocol."""
        return call("POST", self.path + "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def element(self, selector):
        return call("POST", self.path + "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def text(self, selector):
        """What a person reads there; empty where there is nothing."""
        return self.script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def click(self, selector):
        call("POST", f"{self.path}/element/{self.element(selector)}/click", {})

    def press(self, selector, *keys):
        call("POST", f"{self.path}/element/{self.element(selector)}/value", {"text": "".join(keys)})

    def reads(self, selector, *words, without=()):
        """Waits until all words stand there, and none of the others."""
        def there():
            text = self.text(selector)
            return all(word in text for word in words) and not any(word in text for word in without)
        try:
            until(there, f"{words} in {selector}, without {without}")
        except AssertionError as error:
            raise AssertionError(f"{error}; there is {self.text(selector)!r}") from None

    def complaints(self):
        """What the browser has against the page, except that an answer was no success."""
        log = call("POST", self.path + "/se/log", {"type": "browser"})
        return [entry["message"] for entry in log if "the server responded with a status of" not in entry["message"]]

    def picture(self, name):
        """Kept for a person where E2E_PICTURES says so."""
        if folder := os.environ.get("E2E_PICTURES"):
            with open(os.path.join(folder, name + ".png"), "wb") as file:
                file.write(base64.b64decode(call("GET", self.path + "/screenshot")))
