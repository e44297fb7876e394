"""A real Chromium over a real server, for the tests of the console.

Environment: that of sightline_server.py, SIGHTLINE_MODEL_ROOT (of trained models), SIGHTLINE_CLI and SIGHTLINE_TRAIN.
"""

import base64
import json
import pathlib
import shutil
import sys
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e/python"))

PATIENCE_SECONDS = 40


def missing():
    """What the tests need and is not here; empty where all is."""
    for program in ("chromium", "chromedriver"):
        if not shutil.which(program):
            return f"{program} is not installed (deploy/install-deps.sh installs it)"
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "python3-selenium is not installed (deploy/install-deps.sh installs it)"
    return ""


def open_browser(folder):
    """Chromium that knows no host but this machine: a request to any other fails, and is in the log. What it downloads
    goes to `folder`/downloads."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                     "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
                     "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--user-data-dir={folder}/profile"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
    browser.set_script_timeout(PATIENCE_SECONDS)
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": f"{folder}/downloads"})
    return browser


def begin(browser, url, width=1280, height=900, dark=False, phone=False):
    """Loads a page as somebody sees it who has never been there."""
    browser.get("about:blank")
    split = urllib.parse.urlsplit(url)
    browser.execute_cdp_cmd("Storage.clearDataForOrigin",
                            {"origin": f"{split.scheme}://{split.netloc}", "storageTypes": "local_storage,cookies"})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                            {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone})
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": phone})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia",
                            {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(url)


def drop(browser, selector, files):
    """Drops files ([name, type, bytes]) onto an element, as a person does: by events with a DataTransfer."""
    browser.execute_script(
        """
        const [selector, files] = arguments;
        const transfer = new DataTransfer();
        for (const [name, type, text] of files) {
          const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
          transfer.items.add(new File([bytes], name, {type}));
        }
        const target = document.querySelector(selector);
        for (const kind of ['dragenter', 'dragover', 'drop']) {
          target.dispatchEvent(new DragEvent(kind, {dataTransfer: transfer, bubbles: true, cancelable: true}));
        }
        """, selector, [[name, kind, base64.b64encode(data).decode()] for name, kind, data in files])


def requests_of(browser):
    """(method, URL) of everything the page has asked for since the last call."""
    found = []
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            request = message["params"]["request"]
            found.append((request["method"], request["url"]))
    return found


def problems_of(browser):
    """What the page complained of since the last call: errors of scripts, refused styles, pictures that do not load."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
