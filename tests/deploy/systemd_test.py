"""Tests of the systemd unit: its keys are systemd's, it is hardened, and its settings are the server's.

Environment: SIGHTLINE_SERVER, the server program. With systemd-analyze at hand, that judges the unit too.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy" / "systemd" / "sightline.service"
SETTINGS = ROOT / "deploy" / "systemd" / "sightline.conf"
SERVER = os.environ.get("SIGHTLINE_SERVER")

# What the unit may use, of systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.kill(5), systemd.resource-control(5).
KEYS = {
    "Unit": {
        "Description", "Documentation", "Wants", "After", "AssertPathExists", "StartLimitIntervalSec", "StartLimitBurst"},
    "Service": {
        "Type", "ExecStart", "ExecReload", "Restart", "RestartSec", "RestartPreventExitStatus", "TimeoutStopSec", "KillMode",
        "OOMPolicy", "User", "Group", "StateDirectory", "StateDirectoryMode", "LogsDirectory", "LogsDirectoryMode", "ConfigurationDirectory", "WorkingDirectory",
        "UMask", "LimitNOFILE", "TasksMax", "MemoryHigh", "MemoryMax", "NoNewPrivileges", "CapabilityBoundingSet",
        "AmbientCapabilities", "ProtectSystem", "ProtectHome", "ProtectProc", "ProcSubset", "ProtectClock", "ProtectHostname",
        "ProtectControlGroups", "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "PrivateTmp",
        "PrivateDevices", "DevicePolicy", "PrivateUsers", "RemoveIPC", "LockPersonality", "RestrictSUIDSGID",
        "RestrictRealtime", "RestrictNamespaces", "RestrictAddressFamilies", "MemoryDenyWriteExecute",
        "SystemCallArchitectures", "SystemCallFilter", "SystemCallErrorNumber"},
    "Install": {"WantedBy"},
}


def parse(text):
    """Section -> list of (key, value). Raises ValueError at what systemd would ignore with a warning."""
    sections, current = {}, None
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line[0] in "#;":
            continue
        header = re.fullmatch(r"\[(\w+)\]", line)
        if header:
            if header[1] not in KEYS or header[1] in sections:
                raise ValueError(f"line {number}: '[{header[1]}]' is unknown or there twice.")
            current = sections.setdefault(header[1], [])
            continue
        key, equals, value = line.partition("=")
        if not equals or current is None:
            raise ValueError(f"line {number}: '{line}' is no setting of a section.")
        section = list(sections)[-1]
        if key not in KEYS[section]:
            raise ValueError(f"line {number}: [{section}] has no key '{key}'.")
        current.append((key, value))
    return sections


def seconds(text):
    match = re.fullmatch(r"([0-9]+)(s|min)?", text)
    return int(match[1]) * (60 if match[2] == "min" else 1)


class Unit(unittest.TestCase):
    def setUp(self):
        self.text = UNIT.read_text()
        self.service = dict(parse(self.text)["Service"])

    def test_every_key_is_one_of_systemd(self):
        self.assertEqual(set(parse(self.text)), set(KEYS))

    def test_a_misspelt_key_is_refused_wherever_it_is(self):
        lines = self.text.splitlines()
        tried = 0
        for number, line in enumerate(lines):
            if "=" in line and line[0] != "#":
                tried += 1
                with self.assertRaisesRegex(ValueError, "has no key"):
                    parse("\n".join(lines[:number] + [line.replace("=", "s=", 1)] + lines[number + 1:]))
        self.assertGreater(tried, 40)
        for text in ("Key=1", "[Service]\nword", "[Services]", "[Unit]\n[Unit]"):
            with self.assertRaises(ValueError):
                parse(text)

    def test_the_server_can_drain_before_it_is_killed(self):
        grace = 30
        for line in SETTINGS.read_text().splitlines():
            match = re.match(r"drain_grace\s*=\s*([0-9]+)s", line)
            grace = int(match[1]) if match else grace
        self.assertGreater(seconds(self.service["TimeoutStopSec"]), grace)
        # SIGTERM to the decoders too would fail the images that requests in hand wait for.
        self.assertEqual(self.service["KillMode"], "mixed")
        self.assertEqual(self.service["ExecReload"], "/bin/kill -HUP $MAINPID")

    def test_what_the_server_needs_is_not_taken_away(self):
        # oneDNN compiles while it runs; the decoder's own filter is set by a system call.
        self.assertEqual(self.service["MemoryDenyWriteExecute"], "no")
        filters = [value for key, value in parse(self.text)["Service"] if key == "SystemCallFilter"]
        self.assertIn("seccomp", filters[0].split())
        self.assertLessEqual({"AF_INET", "AF_INET6", "AF_UNIX"}, set(self.service["RestrictAddressFamilies"].split()))

    def test_the_data_directory_is_the_one_that_may_be_written(self):
        settings = dict(re.findall(r"^(\w+)\s*=\s*(\S+)", SETTINGS.read_text(), re.MULTILINE))
        self.assertEqual(settings["data_dir"], f"/var/lib/{self.service['StateDirectory']}")
        examples = dict(re.findall(r"^# (\w+) = (\S+)", SETTINGS.read_text(), re.MULTILINE))
        self.assertEqual(os.path.dirname(examples["audit_log"]), f"/var/log/{self.service['LogsDirectory']}")
        self.assertEqual(self.service["ProtectSystem"], "strict")

    @unittest.skipUnless(SERVER, "SIGHTLINE_SERVER names no server program")
    def test_the_server_takes_the_settings(self):
        # Those that are examples too; `listen` and so on are only read, --help ends before anything is opened.
        with tempfile.TemporaryDirectory() as folder:
            settings = pathlib.Path(folder, "settings")
            settings.write_text(re.sub(r"^# (\w+ = )", r"\1", SETTINGS.read_text(), flags=re.MULTILINE))
            done = subprocess.run([SERVER, f"--config={settings}", "--help"], capture_output=True, text=True, timeout=60,
                                  check=False)
            self.assertIn("--data_dir", done.stdout, done.stderr)
            self.assertEqual(done.returncode, 0)

    @unittest.skipUnless(SERVER and shutil.which("groff"), "SIGHTLINE_SERVER names no server program, or groff is not installed")
    def test_the_manual_page_names_every_flag(self):
        text = subprocess.run([SERVER, "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
        page = subprocess.run([SERVER, "--help=man"], capture_output=True, timeout=60, check=True).stdout
        shown = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-rCHECKSTYLE=0"], input=page, capture_output=True, timeout=60, check=True)
        self.assertEqual(shown.stderr, b"")
        plain = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", shown.stdout.decode())
        flags = re.findall(r"^    --(\w+) \(", text, re.MULTILINE)
        self.assertGreater(len(flags), 50)
        for flag in flags:
            self.assertRegex(plain, rf"(?m)^ +--{flag}$")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_systemd_itself_finds_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            # The program need not be installed here.
            unit = pathlib.Path(folder, UNIT.name)
            unit.write_text(self.text.replace("ExecStart=/usr/local/bin/sightline-server", "ExecStart=/bin/true"))
            done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False)
            about = [line for line in done.stderr.splitlines() if UNIT.name in line]
            self.assertEqual((done.returncode, about), (0, []), done.stderr)
            unit.write_text(unit.read_text().replace("UMask=", "UMasks="))
            done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False)
            self.assertIn("UMasks", done.stderr)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_exposure_stays_low(self):
        done = subprocess.run(["systemd-analyze", "security", "--offline=yes", str(UNIT)], capture_output=True, text=True,
                              timeout=60, check=False)
        if "unrecognized option" in done.stderr:
            self.skipTest("this systemd-analyze cannot judge files")
        level = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
        self.assertTrue(level, done.stdout + done.stderr)
        self.assertLessEqual(float(level[1]), 2.0)


if __name__ == "__main__":
    unittest.main()
