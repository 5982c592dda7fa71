# SPDX-License-Identifier: MIT
"""Writes the reference cases of tests/data/beyond from the published code of the models, with tiny random weights.
    references.py [-o FOLDER] [NAME...]      needs torch, transformers, rwkv and gguf"""
import os
import sys

import decoders
import encoders
import gemmas
import kin
import rwkv_cases
import t5

FAMILIES = (encoders, decoders, gemmas, kin, t5, rwkv_cases)
DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "beyond")


def main(args):
    folder = DATA
    if args[:1] == ["-o"]:
        folder, args = args[1], args[2:]
    cases = {name: make for family in FAMILIES for name, make in family.CASES.items()}
    for name in args or cases:
        cases[name]().save(folder)


main(sys.argv[1:])
