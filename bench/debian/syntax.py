# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds the text and the syntax trees of Python's own library."""
import ast
import glob
import pathlib
import signal

trees = {}
for path in sorted(glob.glob("/usr/lib/python3*/**/*.py", recursive=True)):
    text = pathlib.Path(path).read_bytes()
    if len(text) < 100000:
        trees[path] = (text, ast.parse(text))
    if sum(len(t) for t, _ in trees.values()) > 4 << 20:
        break
pathlib.Path("ready/syntax").write_text(f"{len(trees)} files\n", encoding="ascii")
signal.pause()
