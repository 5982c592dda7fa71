# SPDX-License-Identifier: MIT
"""Random templates against Jinja2: pieces of the language put together at random, rendered by both with one context, must
give the same text, or an error in both. Left out is appending to lists, which the sandbox of Jinja2 forbids and models' templates do. SEED and COUNT choose the templates; a failing one is printed."""
import json
import os
import random

import lib

SEED = int(os.environ.get("SEED", "6"))
COUNT = int(os.environ.get("COUNT", "300"))
NOW = "2026-01-02T03:04:05"

CONTEXT = {
    "s": "Hello, World", "t": "  two  words\n", "u": "héllo ßträße 日本 👍🏽", "e": "", "h": "<a href='x'>&\"</a>", "num": "42",
    "n": 7, "z": 0, "m": -3, "big": 12345678901234, "f": 2.5, "g": -0.1, "k": 3.0, "yes": True, "no": False, "nil": None,
    "l": [3, 1, 2], "w": ["b", "A", "c", "a"], "x": [], "y": [1, "a", None, True, 2.5, [1], {"q": "r"}], "p": [[1, 2], [3, 4]],
    "d": {"b": 1, "a": 2, "C": 3}, "o": {"k": {"v": [1, {"deep": "x"}]}, "é": "\n\t\"\\", "f": 1e20, "n": None, "t": True},
    "r": [{"n": "x", "v": 3, "o": {"z": 1}}, {"n": "Y", "v": 1}, {"n": "x", "v": 2, "o": {"z": 0}}],
    "messages": [{"role": "system", "content": "Be nice."}, {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
                 {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1, "b": [True]}}}]}],
}  # fmt: skip

STRINGS = ["s", "t", "u", "e", "h", "num", "'a-b_c'", '"it\'s"', "'x' 'y'", "'%s|%d'", "'\\n'", "messages[0].role", "'äÖ'", "'\\u00e9\\x41\\t'"]
# Texts for the filters that break lines.
LONG = ["('The co-operative--well--known mother-in-law said: \\\'e.g. --no-stdin a-b-c\\\' ' * 2)", "'one two  three\\n\\n  four\\tfive six-seven eight--nine ten eleven twelve thirteen fourteen fifteen\\n'", "('x' * 90 ~ ' ' ~ 'y-' * 30 ~ 'z')", "(messages | tojson)", "('日本語-テキスト über-größe ' * 5)", "'<p class=\\'x\\'>a &amp; b <!-- no <b> --> &lt;i&gt; &#65;&#x42; <br/>\\n  c</p> d < e'"]
INTS = ["n", "z", "m", "big", "0", "1", "2", "-1", "10", "l[0]", "r[1].v", "1_000"]
FLOATS = ["f", "g", "k", "1.5", "1e3", "0.1"]
LISTS = ["l", "w", "x", "y", "p", "r", "[1, 2, 2, 3]", "('a', 'b')", "['é', 'z', 'E']", "(range(4) | list)", "(range(5, 0, -2) | list)", "messages"]
DICTS = ["d", "o", "{}", "{'a': 1, 2: 'b'}", "r[0]", "messages[0]", "dict(a=1, b='c')"]
MISSING = ["missing", "d.missing", "o.k.none", "r[9]", "missing.a is defined"]


class Maker:
    def __init__(self, rng):
        self.rng = rng
        self.names = []
        self.loops = 0

    def pick(self, *options):
        return self.rng.choice(options)

    def string(self, deep=0):
        if deep > 2 or self.rng.random() < 0.3:
            return self.rng.choice(STRINGS + self.names)
        s, more = self.string(deep + 1), lambda: self.string(deep + 1)
        i, n = self.pick("0", "1", "-1", "2"), lambda: self.int(deep + 1)
        return self.pick(
            f"{s}.upper()", f"{s}.lower()", f"{s}.title()", f"{s}.capitalize()", f"{s}.strip()", f"{s}.lstrip('H ')", f"{s}.rstrip('\\n')",
            f"{s}.strip('l. ')", f"{s}.replace('l', '{i}')", f"{s}.replace('l', 'LL', 1)", f"{s}.removeprefix('He')",
            f"{s}.removesuffix('ld')", f"{s}.split('o')[{i}]", f"{s}.split()[0]", f"{s}.split(',', 1)[-1]", f"{s}.rsplit('o', 1)[0]",
            f"{s}.partition('l')[2]", f"{s}.rpartition('l')[0]", f"','.join({self.strings(deep)})", f"{s}[{i}]", f"{s}[{i}:]", f"{s}[:{i}]", f"{s}[::-1]",
            f"{s}[1:4:2]", f"({s} ~ {more()})", f"({s} + {more()})", f"({s} * 2)", f"({s} ~ {n()})", f"({s} ~ {self.any(deep + 1)})",
            f"('%s-%05.1f-%x-%r' % ({s}, {self.float(deep + 1)}, 255, {more()}))", f"('%5d|%-5s|%+d' % ({n()}, {s}, 3))",
            f"'{{}} {{:>8}}'.format({s}, {more()})", f"'{{a}}{{b!r:.3}}'.format(a={n()}, b={s})",
            f"{s}.center(20, '*')", f"{s}.ljust(9)", f"{s}.rjust(9, '.')", f"{s}.zfill(6)", f"{s}.swapcase()", f"{s}.casefold()",
            f"({s} | upper)", f"({s} | lower)", f"({s} | title)", f"({s} | capitalize)", f"({s} | trim)", f"({s} | trim('Hed'))",
            f"({s} | replace('o', '0'))", f"({s} | replace('l', 'L', 1))", f"({s} | indent)", f"({s} | indent(2, true))", f"({s} | indent(width='> ', first=True, blank=true))",
            f"({s} | truncate(8))", f"({s} | truncate(9, True, '..', 0))", f"({s} | center(15))", f"({s} | default('D'))", f"({s} | d('D', true))",
            f"({self.any(deep + 1)} | string)", f"({self.any(deep + 1)} | tojson)", f"({self.any(deep + 1)} | tojson(indent=2))", f"({self.dict(deep + 1)} | tojson(sort_keys=true))",
            f"({self.any(deep + 1)} | tojson(separators=(',', ':')))", f"({self.any(deep + 1)} | tojson(ensure_ascii=True))", f"({self.list(deep + 1)} | join('-'))", f"(r | join(', ', attribute='n'))", f"({s} | escape)", f"({s} | e)",
            f"({s} | first)", f"({s} | last)", f"({s} | reverse)", f"({s} | urlencode)",
            f"({s} if {self.bool(deep + 1)} else {more()})", f"({self.pick(*MISSING)} | default({s}))", f"({s} or {more()})", f"({s} and {more()})",
            f"({self.any(deep + 1)} | pprint)", f"({s} | striptags)", f"({n()} | filesizeformat)", f"({self.float(deep + 1)} | filesizeformat(true))", f"({self.dict(deep + 1)} | xmlattr)", f"({self.dict(deep + 1)} | xmlattr(false))",
            f"({s} | wordwrap({self.pick('5', '9', '20')}))", f"({more()} | wordwrap(7, false))", f"({s} | wordwrap(6, wrapstring='|', break_on_hyphens=false))",
            f"({self.pick(*LONG)} | wordwrap({self.pick('3', '11', '24')}, {self.pick('true', 'false')}, '|', {self.pick('true', 'false')}))", f"({self.pick(*LONG)} | striptags)", f"({self.pick(*LONG)} | pprint)", f"([{self.any(deep + 1)}, {self.pick(*LONG)}, {self.any(deep + 1)}] | pprint)", f"({{'k': {self.pick(*LONG)}, 'a': [{self.pick(*LONG)}, [{more()}]]}} | pprint)",
            f"({s} | format(1, 2))", f"(strftime_now('%d %b %Y %H:%M'))",
        )  # fmt: skip

    def strings(self, deep):
        return self.pick("w", f"{self.string(deep + 1)}.split('l')", f"{self.string(deep + 1)}", "['a', 'b']", f"w | map('upper')", f"d", f"({self.string(deep + 1)} | list)", "r | map(attribute='n')")

    def int(self, deep=0):
        if deep > 2 or self.rng.random() < 0.4:
            return self.rng.choice(INTS + (["loop.index", "loop.index0", "loop.revindex", "loop.length", "loop.depth0"] if self.loops else []))
        a, b = self.int(deep + 1), self.int(deep + 1)
        return self.pick(
            f"({a} + {b})", f"({a} - {b})", f"({a} * {b})", f"({a} // {b})", f"({a} % {b})", f"(2 ** ({b} % 9))", f"(-{a})", f"({self.string(deep + 1)} | length)", f"({self.list(deep + 1)} | length)",
            f"({self.dict(deep + 1)} | count)", f"{self.string(deep + 1)}.find('l')", f"{self.string(deep + 1)}.count('l')", f"({self.string(deep + 1)} | int)", f"({self.string(deep + 1)} | int(5))", f"('ff' | int(0, 16))", f"({self.float(deep + 1)} | int)",
            f"({a} | abs)", f"(l | sum)", f"(r | sum(attribute='v'))", f"(l | max)", f"(l | min)", f"{self.list(deep + 1)}.index({a})", f"({a} if {self.bool(deep + 1)} else {b})", f"{self.string(deep + 1)}.index('l')", f"({self.string(deep + 1)} | wordcount)",
        )  # fmt: skip

    def float(self, deep=0):
        if deep > 2 or self.rng.random() < 0.4:
            return self.rng.choice(FLOATS)
        a, b = self.pick(self.int(deep + 1), self.float(deep + 1)), self.float(deep + 1)
        return self.pick(f"({a} + {b})", f"({a} * {b})", f"({a} / {b})", f"({a} // {b})", f"({a} % {b})", f"(f ** 2)", f"({a} | round(1))", f"({a} | round)", f"({a} | round(1, 'floor'))", f"({a} | round(method='ceil'))", f"({a} | float)", f"({self.string(deep + 1)} | float(1.5))", f"({a} | abs)")

    def list(self, deep=0):
        if deep > 2 or self.rng.random() < 0.35:
            return self.rng.choice(LISTS)
        a, s = self.list(deep + 1), self.string(deep + 1)
        return self.pick(
            f"{s}.split()", f"{s}.split('l')", f"{s}.splitlines()", f"({s} | list)", f"({a} | list)", f"({a} + {self.list(deep + 1)})", f"{a}[1:]", f"{a}[:-1]", f"{a}[::-1]", f"({a} | reverse | list)", f"(w | sort)", f"(w | sort(case_sensitive=true))", f"(l | sort(reverse=true))",
            f"(r | sort(attribute='n,v'))", f"(r | sort(attribute='v', reverse=True))", f"({a} | unique | list)", f"({a} | batch(2) | list)", f"({a} | batch(3, 'pad') | list)", f"({a} | slice(2) | list)", f"({a} | slice(3, 'f') | list)", f"({a} | map('string') | list)", f"({a} | map('tojson') | list)", f"(r | map(attribute='n') | list)",
            f"(r | map(attribute='o.z', default='-') | list)", f"({a} | select('string') | list)", f"({a} | select | list)", f"({a} | reject('none') | list)", f"({a} | reject('in', [1, 2]) | list)", f"(l | select('>', 1) | list)", f"(l | select('odd') | list)", f"(r | selectattr('o') | list)",
            f"(r | selectattr('n', 'equalto', 'x') | list)", f"(r | rejectattr('v', 'lt', 2) | list)", f"(r | selectattr('o', 'defined') | map(attribute='v') | list)", f"({self.dict(deep + 1)}.items() | list)", f"({self.dict(deep + 1)}.keys() | list)", f"({self.dict(deep + 1)}.values() | list)", f"({self.dict(deep + 1)} | items | list)", f"({self.dict(deep + 1)} | list)",
            f"(d | dictsort)", f"(d | dictsort(true))", f"(d | dictsort(by='value', reverse=true))", f"(r | groupby('n') | list)", f"(p | sum(start=[]))", f"(a if false else {a})", f"([{self.any(deep + 1)}, {self.any(deep + 1)}])", f"({a} * 2)", f"(w | map('upper') | map('lower') | list)", f"(y | map('default', 0) | list)",
        )  # fmt: skip

    def dict(self, deep=0):
        if deep > 2 or self.rng.random() < 0.6:
            return self.rng.choice(DICTS)
        return self.pick(f"{{'k': {self.any(deep + 1)}, {self.string(deep + 1)}: {self.any(deep + 1)}}}", f"dict({self.dict(deep + 1)}, z={self.any(deep + 1)})", "dict([('a', 1), ('b', 2)])", f"{self.dict(deep + 1)}.copy()", "o.k", "o['k'].v[1]")

    def bool(self, deep=0):
        if deep > 2 or self.rng.random() < 0.2:
            return self.pick("yes", "no", "nil", "true", "False", "n", "e", "x", "missing", "d.a", "d['zz']")
        a, b, s, v = self.int(deep + 1), self.int(deep + 1), self.string(deep + 1), self.any(deep + 1)
        test = self.pick("defined", "undefined", "none", "string", "number", "mapping", "iterable", "sequence", "boolean", "integer", "float", "true", "false", "callable", "lower", "upper", "odd", "even", "divisibleby 3", "eq 3", "equalto(2)", "ne 1", "gt 1", "sameas none", "in [1, 2, 's']", "filter", "test")
        return self.pick(
            f"({a} < {b})", f"({a} == {b})", f"({a} != {b})", f"({s} == {self.string(deep + 1)})", f"({s} in {self.string(deep + 1)})", f"({v} in {self.list(deep + 1)})", f"({s} not in {self.dict(deep + 1)})", f"({s} < {self.string(deep + 1)})", f"({a} <= {b} < 5)", f"(not {self.bool(deep + 1)})",
            f"({self.bool(deep + 1)} and {self.bool(deep + 1)})", f"({self.bool(deep + 1)} or {self.bool(deep + 1)})", f"({v} is {test})", f"({v} is not {test})", f"({self.pick(*MISSING)} is {self.pick('defined', 'undefined', 'none')})", f"{s}.startswith('He')", f"{s}.endswith(('d', 'x'))", f"{s}.isdigit()", f"{s}.isalpha()", f"{s}.isspace()", f"{s}.isupper()", f"{s}.isalnum()",
            f"({v} == {self.any(deep + 1)})", f"{self.dict(deep + 1)}.get('a')", f"({self.list(deep + 1)} == {self.list(deep + 1)})", f"({a} > {self.float(deep + 1)})", "loop.first" if self.loops else "yes", "loop.last" if self.loops else "no",
        )  # fmt: skip

    def any(self, deep=0):
        return self.rng.choice([self.string, self.string, self.int, self.float, self.list, self.dict, self.bool, lambda _: self.pick("nil", "true", "none", "d.b", "o.k.v[0]", "d.get('q')", "d.get('q', 5)", "messages[-1].tool_calls[0].function.arguments"), lambda _: self.pick(*MISSING)])(deep)

    def open(self):
        return self.pick("{%", "{%", "{%-", "{%+")

    def close(self):
        return self.pick("%}", "%}", "-%}")

    def block(self, deep):
        return "".join(self.statement(deep + 1) for _ in range(self.rng.randrange(1, 4)))

    def tag(self, text):
        return f"{self.open()} {text} {self.close()}"

    def output(self):
        minus, end = self.pick("", "", "-"), self.pick("", "", "-")
        return "{{" + minus + f" {self.any()} " + end + "}}"

    def loop(self, deep):
        target, over = self.pick(("i", self.list(1)), ("i", self.list(1)), ("k, v", self.dict(1) + ".items()"), ("k", self.dict(1)), ("c", self.string(1)), ("a, b", "p"))
        names = [n.strip() for n in target.split(",")]
        tail = self.pick("", "", "", " if " + self.bool(1), f" if {names[0]}")
        self.names += names
        self.loops += 1
        inner = self.block(deep) + self.pick("", "", self.tag(f"if {self.bool(1)}") + self.tag(self.pick("break", "continue")) + self.tag("endif"), "{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}", "{{ loop.cycle('x', 'y') }}", "{{ loop.previtem }}{{ loop.nextitem is defined }}" if len(names) == 1 else "", "{{ loop.changed(" + names[0] + ") }}", self.block(deep))
        self.loops -= 1
        del self.names[-len(names):]
        other = self.tag("else") + self.block(deep) if self.rng.random() < 0.2 else ""
        return self.tag(f"for {target} in {over}{tail}") + inner + other + self.tag("endfor")

    def macro(self, deep):
        params = self.pick("a", "a, b=2", "a, b='x', c=none", "")
        caller = self.pick("", "{{ caller('q') if caller is defined }}", "{{ varargs }}{{ kwargs }}")
        loops, self.loops = self.loops, 0
        text = self.tag(f"macro mc({params})") + f"[{{{{ {self.pick('a', 'a ~ b', 'a|tojson', 'missing', self.string(1))} }}}}{caller}{self.block(deep)}]" + self.tag("endmacro")
        self.loops = loops
        call = self.pick(f"mc({self.any(1)})", f"mc({self.any(1)}, 5)", f"mc(a={self.any(1)})", f"mc(b=1, a={self.string(1)})", "mc()", f"mc(1, 2, 3, 4)", "f(*[1], **{'b': 2})")
        if self.rng.random() < 0.3:
            return text + self.tag(f"call{self.pick('', '(z)')} {call}") + self.block(deep) + self.tag("endcall")
        return text + "{{ " + call + " }}{{ mc.name }}"

    def statement(self, deep=0):
        r = self.rng.random()
        if deep > 2 or r < 0.4:
            return self.pick(self.output(), self.output(), "text", "\n", "  \n", " a ", "\n    ", "é\n", "{# note #}", "{#- note -#}\n", "'")
        if r < 0.55:
            arms = self.tag(f"elif {self.bool()}") + self.block(deep) if self.rng.random() < 0.3 else ""
            arms += self.tag("else") + self.block(deep) if self.rng.random() < 0.5 else ""
            return self.tag(f"if {self.bool()}") + self.block(deep) + arms + self.tag("endif")
        if r < 0.72:
            return self.loop(deep)
        if r < 0.84:
            name = self.pick("q", "qq")
            target = self.pick(f"set {name} = {self.any()}", f"set {name}, zz = 1, {self.any()}", f"set ns = namespace(v={self.any()})")
            use = "{{ ns.v }}" + self.tag(f"set ns.v = {self.any()}") + "{{ ns.v }}" if "ns" in target else "{{ " + name + " }}"
            return self.tag(target) + use
        if r < 0.88:
            return self.tag("set q" + self.pick("", " | upper", " | trim | replace('a', 'b')")) + self.block(deep) + self.tag("endset") + "{{ q | tojson }}"
        if r < 0.94:
            return self.macro(deep)
        return self.pick(
            self.tag("filter upper") + self.block(deep) + self.tag("endfilter"),
            self.tag(f"with q = {self.any()}, w2 = 3") + "{{ q }}" + self.block(deep) + self.tag("endwith"),
            "{% raw %}{{ x }} {% if %}{% endraw %}",
            self.tag("generation") + self.block(deep) + self.tag("endgeneration"),
            "{% for i in p recursive %}<{{ i if i is number else loop(i) }}>{% endfor %}",
            "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.current }}{{ c.next() }}",
            "{% set j = joiner('|') %}{{ j() }}{{ j() }}{{ j() }}",
            self.tag(f"if {self.bool()}") + "{{ raise_exception('no') }}" + self.tag("endif"),
        )

    def template(self):
        return "".join(self.statement() for _ in range(self.rng.randrange(1, 6)))


def environment():
    import jinja2
    import jinja2.ext
    import jinja2.sandbox

    class Generation(jinja2.ext.Extension):
        tags = {"generation"}

        def parse(self, parser):
            line = next(parser.stream).lineno
            body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
            return jinja2.nodes.Scope(body).set_lineno(line)

    def fail(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    import datetime

    env = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = fail
    env.globals["strftime_now"] = lambda f: datetime.datetime.fromisoformat(NOW).strftime(f)
    return env


def expected(env, source):
    try:
        return env.from_string(source).render(**json.loads(json.dumps(CONTEXT)))
    except Exception as e:
        return e


def compare(env, source, path):
    want = expected(env, source)
    with open(path, "w", encoding="utf-8", newline="") as f:
        f.write(source)
    try:
        got = lib.pith("template", "--template", path, "--now", NOW, stdin=json.dumps(CONTEXT).encode()).decode()
    except RuntimeError as e:
        too_long = "integers have 64 bits" in str(e)  # Python's have any length
        return None if isinstance(want, Exception) or too_long else f"{e}, expected {want!r}"
    lenient = isinstance(want, Exception) and any(w in str(want) for w in ("unhashable", "chain multiple tests", "for +="))
    lenient = lenient or (isinstance(want, str) and ("Markup(" in want or " at 0x" in want))  # what only Python's repr shows
    if lenient or got == want:
        return None
    return f"{got!r}, expected {want!r}"


def main():
    import tempfile

    try:
        env = environment()
    except ImportError:
        lib.skip("jinja", "the Python package jinja2 is not here")
        lib.finish()
    rng = random.Random(SEED)
    wrong, both_fail = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(COUNT):
            source = Maker(rng).template()
            why = compare(env, source, os.path.join(folder, "t.jinja"))
            if why:
                wrong.append((source, why))
    for source, why in wrong[:40] if os.environ.get("SHOW") else []:
        print(f"# {source!r}\n#   {why}"[:3000])
    lib.report(f"jinja: {COUNT} random templates, seed {SEED}", f"{len(wrong)} differ, first {wrong[0][0]!r}: {wrong[0][1]}"[:1500] if wrong else None)


main()
lib.finish()
