#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes text/unicode_tables.h from the Unicode data files (Debian: package unicode-data).

usage: unicode-tables.py [--data FOLDER] > text/unicode_tables.h

The classes are the general categories, in the order of enum uni_class (text/unicode.h), with one more for the control
characters that are white space. Tables have two stages: the block of a code point, then its class in the block.
"""
import argparse
import os

CLASSES = ("Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn Cw").split()
N_CODES = 0x110000
BLOCK = 128

# Assigned after the version that Debian carries (15.0): tokenizers in use know Unicode 15.1.
LATER = [(0x2FFC, 0x2FFF, "So"), (0x31EF, 0x31EF, "So"), (0x2EBF0, 0x2EE5D, "Lo")]


def read_fields(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            line = line.split("#")[0].strip()
            if line:
                yield [field.strip() for field in line.split(";")]


def read_classes(folder):
    category = ["Cn"] * N_CODES
    first = None
    for fields in read_fields(os.path.join(folder, "UnicodeData.txt")):
        code = int(fields[0], 16)
        if fields[1].endswith(", First>"):
            first = code
            continue
        begin = code if first is None else first
        first = None
        for c in range(begin, code + 1):
            category[c] = fields[2]
    for begin, end, name in LATER:
        for c in range(begin, end + 1):
            category[c] = name
    for fields in read_fields(os.path.join(folder, "PropList.txt")):
        if fields[1] != "White_Space":
            continue
        ends = [int(c, 16) for c in fields[0].split("..")]
        for c in range(ends[0], ends[-1] + 1):
            if category[c] == "Cc":
                category[c] = "Cw"
            elif not category[c].startswith("Z"):
                raise SystemExit("white space outside Z and Cc: U+%04X" % c)
    return [CLASSES.index(name) for name in category]


def read_mappings(folder, field):
    """Simple case mappings as runs: first, last, what is added, and the step from one to the next."""
    runs = []
    for fields in read_fields(os.path.join(folder, "UnicodeData.txt")):
        if not fields[field]:
            continue
        code, added = int(fields[0], 16), int(fields[field], 16) - int(fields[0], 16)
        if runs and runs[-1][2] == added:
            step = code - runs[-1][1]
            if step in (1, 2) and (runs[-1][0] == runs[-1][1] or runs[-1][3] == step):
                runs[-1][1], runs[-1][3] = code, step
                continue
        runs.append([code, code, added, 1])
    return runs


def read_bases(folder):
    """What a character becomes when its accents go: the first character of its canonical decomposition."""
    first = {}
    for fields in read_fields(os.path.join(folder, "UnicodeData.txt")):
        if fields[5] and not fields[5].startswith("<"):
            first[int(fields[0], 16)] = int(fields[5].split()[0], 16)
    runs = []
    for code in sorted(first):
        base = first[code]
        while base in first:
            base = first[base]
        if runs and runs[-1][1] == code - 1 and runs[-1][2] == base - code:
            runs[-1][1] = code
        else:
            runs.append([code, code, base - code, 1])
    return runs


def read_wide(folder):
    """Characters that take two columns of a terminal, as runs: East Asian wide and fullwidth ones, emoji among them."""
    ends = []
    for fields in read_fields(os.path.join(folder, "EastAsianWidth.txt")):
        if fields[1] in ("W", "F"):
            codes = [int(c, 16) for c in fields[0].split("..")]
            ends.append((codes[0], codes[-1]))
    runs = []
    for first, last in sorted(ends):
        if runs and runs[-1][1] == first - 1:
            runs[-1][1] = last
        else:
            runs.append([first, last, 1, 1])
    return runs


def two_stages(values):
    blocks, index = {}, []
    for i in range(0, len(values), BLOCK):
        block = tuple(values[i : i + BLOCK])
        index.append(blocks.setdefault(block, len(blocks)))
    return index, [value for block in blocks for value in block]


def write_array(kind, name, values):
    print("static const %s %s[%d] = {" % (kind, name, len(values)))
    line = "   "
    for value in values:
        item = " %d," % value
        if len(line) + len(item) > 120:
            print(line)
            line = "   "
        line += item
    print(line)
    print("};")


def write_runs(name, runs):
    print("static const struct uni_run %s[%d] = {" % (name, len(runs)))
    line = "   "
    for run in runs:
        item = " {0x%X, 0x%X, %d, %d}," % tuple(run)
        if len(line) + len(item) > 120:
            print(line)
            line = "   "
        line += item
    print(line)
    print("};")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="/usr/share/unicode", help="folder with UnicodeData.txt and PropList.txt")
    folder = parser.parse_args().data
    index, classes = two_stages(read_classes(folder))
    print("// SPDX-License-Identifier: MIT")
    print("// Written by scripts/unicode-tables.py from the Unicode Character Database; not to be edited. The class of code")
    print("// point c is uni_classes[uni_blocks[c / %d] * %d + c %% %d], an enum uni_class." % (BLOCK, BLOCK, BLOCK))
    print("// clang-format off")
    print("#pragma once")
    print()
    print('#include "base/base.h"')
    print()
    print("#define UNI_BLOCK %d" % BLOCK)
    print()
    write_array("uint8_t" if max(index) < 256 else "uint16_t", "uni_blocks", index)
    print()
    write_array("uint8_t", "uni_classes", classes)
    print()
    print("struct uni_run {")
    print("    uint32_t first, last;")
    print("    int32_t added;")
    print("    uint32_t step;")
    print("};")
    print()
    write_runs("uni_lower", read_mappings(folder, 13))
    print()
    write_runs("uni_upper", read_mappings(folder, 12))
    print()
    write_runs("uni_bases", read_bases(folder))
    print()
    write_runs("uni_wide", read_wide(folder))


if __name__ == "__main__":
    main()
