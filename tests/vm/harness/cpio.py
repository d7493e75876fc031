# SPDX-License-Identifier: GPL-2.0-or-later
"""Writer of cpio archives in the kernel's "newc" format, so that device nodes and owners need no root."""
import os
import stat


class Archive:
    """Collects files for an initramfs; parents of a path are made as it comes."""

    def __init__(self):
        self._parts = []
        self._known = set()
        self._inode = 0

    def _entry(self, name, mode, data=b"", device=(0, 0)):
        self._inode += 1
        raw = name.encode() + b"\0"
        head = b"070701" + b"".join(b"%08X" % v for v in (
            self._inode, mode, 0, 0, 2 if stat.S_ISDIR(mode) else 1, 0, len(data), 0, 0,
            device[0], device[1], len(raw), 0))
        body = head + raw
        body += b"\0" * (-len(body) % 4)
        self._parts.append(body + data + b"\0" * (-len(data) % 4))

    def directory(self, path, mode=0o755):
        """A directory and those above it."""
        path = path.strip("/")
        if not path or path in self._known:
            return
        self.directory(os.path.dirname(path))
        self._known.add(path)
        self._entry(path, stat.S_IFDIR | mode)

    def file(self, path, data, mode=0o644):
        """A regular file with the given bytes or text."""
        path = path.strip("/")
        if path in self._known:
            return
        self.directory(os.path.dirname(path))
        self._known.add(path)
        self._entry(path, stat.S_IFREG | mode, data.encode() if isinstance(data, str) else data)

    def link(self, path, target):
        """A symbolic link."""
        path = path.strip("/")
        if path in self._known:
            return
        self.directory(os.path.dirname(path))
        self._known.add(path)
        self._entry(path, stat.S_IFLNK | 0o777, target.encode())

    def node(self, path, major, minor, mode=0o600):
        """A character device."""
        self.directory(os.path.dirname(path.strip("/")))
        self._entry(path.strip("/"), stat.S_IFCHR | mode, device=(major, minor))

    def copy(self, source, path=None):
        """A file of this machine, links followed."""
        with open(source, "rb") as f:
            self.file(path or str(source), f.read(), stat.S_IMODE(os.stat(source).st_mode))

    def tree(self, root):
        """All that lies below a directory, links kept."""
        for base, names, files in os.walk(root):
            inside = os.path.relpath(base, root)
            for name in sorted(names + files):
                full, path = os.path.join(base, name), os.path.join(inside, name)
                if os.path.islink(full):
                    self.link(path, os.readlink(full))
                elif os.path.isdir(full):
                    self.directory(path)
                else:
                    self.copy(full, path)

    def __contains__(self, path):
        return path.strip("/") in self._known

    def bytes(self):
        """The finished archive."""
        self._entry("TRAILER!!!", 0)
        return b"".join(self._parts)
