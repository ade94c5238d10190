"""The page in a real browser: Chromium without a window, asked by its DevTools protocol over two pipes.

Usage: browser.py CHROMIUM URL TOKEN ARRAY TOKENS_FILE OTHER_URL; prints "good" or fails.
"""
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

LIMIT = 60


class Browser:
    def __init__(self, program, profile):
        self.last = 0
        (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()

        # The protocol is spoken on descriptors 3 and 4.
        def place():
            first, second = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(first, 3)
            os.dup2(second, 4)

        words = [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe",
                 "--no-proxy-server", f"--user-data-dir={profile}", "about:blank"]
        self.process = subprocess.Popen(words, close_fds=False, preexec_fn=place, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.out = os.fdopen(ours_out, "wb", buffering=0)
        self.answers = os.fdopen(ours_in, "rb")
        self.session = None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable")
        self.ask("Runtime.enable")

    def ask(self, method, **parameters):
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.out.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = json.loads(self.read())
            if answer.get("id") == self.last:
                assert "error" not in answer, answer
                return answer["result"]

    def read(self):
        text = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            assert byte, "the browser ended"
            text += byte
        return text

    def value(self, expression):
        result = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, expression, expected=True):
        end = time.monotonic() + LIMIT
        while (found := self.value(expression)) != expected:
            assert time.monotonic() < end, f"{expression} is {found!r}, expected {expected!r}"
            time.sleep(0.05)

    def write(self, text):
        self.ask("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")

    def put_file(self, selector, path):
        document = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=document, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[path])

    def end(self):
        self.process.kill()
        self.process.wait()


class OtherSite(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *words):
        pass


def check(browser, url, token, array, tokens_file, other):
    asks = "document.getElementById('token').open"
    state = "document.getElementById('state').textContent"
    browser.ask("Page.navigate", url=url)
    browser.wait("document.readyState === 'complete' && document.getElementById('token') !== null")
    browser.wait(asks)
    # A wrong token is asked for again, and said to be wrong.
    browser.write("a-token-that-nobody-knows")
    browser.wait("document.getElementById('asks').textContent.includes('does not know')")
    browser.wait(asks)
    browser.write(token)
    browser.wait(state, "ready")
    assert browser.value(asks) is False
    # It stays in this tab: not in cookies, not in the address, not in what other tabs see.
    kept = browser.value("JSON.stringify([sessionStorage.token, localStorage.length, document.cookie, location.href])")
    assert json.loads(kept) == [token, 0, "", url], kept
    # And it is shown with what people ask by the page.
    browser.put_file("#file", array)
    browser.wait("document.querySelectorAll('#answer ol.scores li').length", 3)
    # Once it is withdrawn, the page asks again.
    pathlib.Path(tokens_file).write_text("another-token-of-some-length\n")
    browser.wait(asks)
    browser.write("another-token-of-some-length")
    browser.wait(f"!{asks} && {state} === 'ready'")
    # A page of another site has no say, where nobody needs a token either.
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), OtherSite)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    browser.ask("Page.navigate", url=f"http://127.0.0.1:{site.server_port}/")
    browser.wait(f"location.port === '{site.server_port}' && document.readyState === 'complete'")
    answer = browser.value(f"fetch('{other}/activate', {{mode: 'no-cors'}}).then(answer => answer.type)")
    assert answer == "opaque", answer
    assert browser.value(f"fetch('{other}/status').then(() => 'read', () => 'forbidden')") == "forbidden"


def main():
    program, *rest = sys.argv[1:]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            check(browser, *rest)
        finally:
            browser.end()
    print("good")


main()
