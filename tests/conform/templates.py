# SPDX-License-Identifier: MIT
"""Chat templates of models against Jinja2: the rendered text of every case must agree exactly, and where Jinja2 gave an
error there must be one."""
import json
import os

import lib

NOW = "2026-01-02T03:04:05"


def compare(template, case):
    context = json.dumps(case["context"], ensure_ascii=False).encode()
    try:
        text = lib.pith("template", "--template", template, "--now", NOW, stdin=context).decode()
    except RuntimeError as e:
        return None if "error" in case else str(e)
    if "error" in case:
        return f"expected an error: {case['error']}"
    if text == case["expected"]:
        return None
    at = next((i for i, (a, b) in enumerate(zip(text, case["expected"])) if a != b), 0)
    return f"differs at character {at}: {text[at : at + 40]!r}, expected {case['expected'][at : at + 40]!r}"


def main():
    folder = lib.conformance("templates", "templates")
    with open(os.path.join(folder, "cases.jsonl"), encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            case = json.loads(line)
            name = f"templates: {case['template']} {case['case']} ({number})"
            lib.report(name, compare(os.path.join(folder, case["template"]), case))


main()
lib.finish()
