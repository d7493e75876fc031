# SPDX-License-Identifier: GPL-2.0-or-later
dist_man_MANS += man/hibernatectl.1 man/hibernatectl-key.1 man/s2disk.1 man/s2both.1 man/hibernate.conf.5 man/hibernated.8 man/hibernate-image.8
