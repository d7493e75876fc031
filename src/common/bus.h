/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names shared by the daemon and hibernatectl; the interface is described in doc/dbus.md.
 *
 * The bus is a private one: peer to peer over a socket that only root can reach, so that it works
 * where no message bus runs (initramfs, rescue shell).
 */
#pragma once

#define RUN_FOLDER "/run/hibernated"
#define BUS_SOCKET RUN_FOLDER "/bus"
#define BUS_PATH "/org/hibernated/Manager"
#define BUS_INTERFACE "org.hibernated.Manager1"
/* Followed by the reason's name with '-' turned into '_'. */
#define BUS_ERROR_PREFIX "org.hibernated.Error."
