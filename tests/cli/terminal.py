# SPDX-License-Identifier: MIT
"""pith chat on a pseudoterminal: what is typed, what is shown, and that the terminal is left as it was found."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

PITH, CHAIN, LONG, T = (os.environ[name] for name in ("PITH", "CHAIN", "LONG", "T"))
ANSWER = "OK: \u00e9~!"


class Terminal:
    def __init__(self, *args, columns=80, model=CHAIN, term="xterm", **env):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.slave = slave
        self.before = termios.tcgetattr(slave)
        self.seen = ""
        env = {**os.environ, "TERM": term, "PITH_HISTORY": os.path.join(T, "history"), **env}
        self.child = subprocess.Popen([PITH, "chat", "-m", model, *args], stdin=slave, stdout=slave, stderr=slave, env=env,
                                      start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def wait_for(self, text, seconds=20):
        """Everything up to and with the text, which is taken away from what was seen."""
        end = time.time() + seconds
        while text not in self.seen:
            if not select.select([self.master], [], [], max(0, end - time.time()))[0]:
                raise AssertionError(f"waited in vain for {text!r}, saw {self.seen[-300:]!r}")
            self.seen += os.read(self.master, 4096).decode(errors="replace")
        at = self.seen.index(text) + len(text)
        taken, self.seen = self.seen[:at], self.seen[at:]
        return taken

    def type(self, text):
        os.write(self.master, text.encode())

    def prompt(self):
        self.wait_for("\x1b[?2004h")
        self.wait_for("> ")

    def say(self, text, answer=ANSWER):
        """Types a line, and returns what was shown up to the next prompt."""
        self.type(text + "\r")
        self.wait_for("\x1b[?2004l")
        shown = self.wait_for("\x1b[?2004h")
        self.wait_for("> ")
        assert answer in shown, f"expected {answer!r}, saw {shown!r}"
        return shown

    def end(self, keys="\x04", status=0):
        self.type(keys)
        end = time.time() + 20
        while self.child.poll() is None and time.time() < end:
            if select.select([self.master], [], [], 0.05)[0]:
                self.seen += os.read(self.master, 4096).decode(errors="replace")
        got = self.child.poll()
        if got is None:
            self.child.kill()
        assert got == status, f"status {got}, expected {status}; saw {self.seen[-300:]!r}"
        assert termios.tcgetattr(self.slave) == self.before, "the terminal is not as it was"
        os.close(self.master)
        os.close(self.slave)


def question(path, number=-1):
    turns = re.split(r"^## user\n\n", open(path, encoding="utf-8").read(), flags=re.M)[1:]
    return re.split(r"\n\n## assistant\n", turns[number])[0]


def edited(keys, wanted, **how):
    """What a line typed with these keys is, as the file of the conversation has it."""
    path = os.path.join(T, "keys.md")
    if os.path.exists(path):
        os.remove(path)
    t = Terminal(path, **how)
    t.prompt()
    t.say(keys)
    t.end()
    got = question(path)
    assert got == wanted, f"{keys!r} gave {got!r}, expected {wanted!r}"


def answers():
    t = Terminal()
    t.prompt()
    t.say("hello")
    t.say("again")
    t.end()


def keys():
    edited("acd\x1b[D\x1b[Db", "abcd")
    edited("\u00e9\u65e5e\u0301x\x1b[D\x7f\x7f", "\u00e9x")  # a mark goes with its letter
    edited("one two three\x1bb\x1bb\x0b\x01\x19 ", "two three one")
    edited("ab cd\x17ef\x01g\x05h", "gab efh")
    edited("abc\x1b[H\x1b[3~\x1b[F!", "bc!")
    edited("one\x15two", "two")
    edited("one\x1b\rtwo", "one\ntwo")
    edited("a\x1b[99;9zb", "ab")  # an unknown key does nothing


def wide():
    # Twelve columns, a prompt of two: five wide characters fill a row.
    path = os.path.join(T, "wide.md")
    t = Terminal(path, columns=12)
    t.prompt()
    t.type("\u65e5" * 6)
    shown = t.wait_for("\r\n")
    assert shown.count("\u65e5") >= 5, shown
    t.say("\x1b[D\x1b[Dx")
    t.end()
    assert question(path) == "\u65e5" * 4 + "x" + "\u65e5" * 2


def paste():
    edited("\x1b[200~one\rtwo\tx\x1b\x07\x1b[201~!", "one\ntwo\tx!")


def history():
    edited("first", "first")
    edited("second \\ line", "second \\ line")
    edited("\x1b[A\x1b[A", "first")
    edited("draft\x1b[A\x1b[B!", "draft!")


def ctrl_c():
    t = Terminal(model=LONG)
    t.prompt()
    t.type("half a line\x03")
    t.prompt()
    template = os.path.join(T, "raw")
    open(template, "w").write("{% for m in messages %}{{ m.content }}{% endfor %}")
    t.end()
    t = Terminal("--template", template, model=LONG)
    t.prompt()
    t.type("a\r")
    t.wait_for("bcdefghijkl")
    t.type("\x03")
    t.prompt()
    t.end()


def commands():
    path = os.path.join(T, "saved.md")
    t = Terminal()
    t.prompt()
    t.say("/help", "/undo")
    t.say("/undo", "there is no question")
    t.say("/system Be kind.", "")
    t.say("one")
    t.say("two")
    t.say("/undo", "")
    t.say("/retry")
    t.say("/nonsense", "no such command")
    t.say("/save", "expected FILE")
    t.say("/save " + path, "")
    wanted = f"## system\n\nBe kind.\n\n## user\n\none\n\n## assistant\n\n{ANSWER}\n"
    assert open(path, encoding="utf-8").read() == wanted
    t.say("/load /no/such/file", "no such file")
    t.say("/load " + path, "")
    t.end("/quit\r")


def edited_file():
    path = os.path.join(T, "live.md")
    t = Terminal(path)
    t.prompt()
    t.say("one")
    text = open(path, encoding="utf-8").read().replace("one", "changed")
    open(path, "w", encoding="utf-8").write(text)
    shown = t.say("two")
    assert "read again" in shown, shown
    t.end()
    assert question(path, 0) == "changed" and question(path) == "two"


def signals():
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        t = Terminal()
        t.prompt()
        t.child.send_signal(number)
        t.end("", -number)


def colours():
    t = Terminal()
    t.prompt()
    t.type("x\r")
    assert "\x1b[1m" in t.wait_for(ANSWER)
    t.prompt()
    t.end()
    t = Terminal(NO_COLOR="1")
    t.prompt()
    t.type("x\r")
    shown = t.wait_for(ANSWER)
    assert "\x1b[1m" not in shown and "\x1b[0m" not in shown, shown
    t.prompt()
    t.end()


def dumb():
    t = Terminal(term="dumb")
    t.wait_for("> ")
    t.type("hello\n")
    t.wait_for(ANSWER)
    assert "\x1b" not in t.wait_for("> ")
    t.end("\x04")


def main():
    for case in (answers, keys, wide, paste, history, ctrl_c, commands, edited_file, signals, colours, dumb):
        try:
            case()
            print(f"ok cli: chat on a terminal: {case.__name__}")
        except (AssertionError, OSError) as e:
            print(f"not ok cli: chat on a terminal: {case.__name__}: {e}".replace("\n", " "))
        sys.stdout.flush()


main()
