/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A made-up system tree in a temporary directory, and the context rooted at it. */
#pragma once

#include "base/sys.h"

struct tree {
	char path[64];
	struct sysctx sys;
};

void tree_init(struct tree *tree);
void tree_init_with(struct tree *tree, const struct sysctx_ops *ops, void *data);
/* Removes everything. */
void tree_deinit(struct tree *tree);

/* A file with @text, its folders made as needed; an existing file is replaced. @path begins with a slash. */
void tree_write(struct tree *tree, const char *path, const char *text);
void tree_write_bytes(struct tree *tree, const char *path, const void *data, size_t size);
/* A symbolic link at @path to @target, which is taken as it is. */
void tree_link(struct tree *tree, const char *path, const char *target);
/* A file of @size bytes, all zero and sparse. */
void tree_sparse(struct tree *tree, const char *path, uint64_t size);
void tree_remove(struct tree *tree, const char *path);
/* The real path of @path, in a buffer that the next call reuses. */
const char *tree_path(struct tree *tree, const char *path);
