# SPDX-License-Identifier: GPL-2.0-or-later
"""Harness of the VM tests: kernels, initramfs, disks, QEMU, the guest's agent, and the runner."""
