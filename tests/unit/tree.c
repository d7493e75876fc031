/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tree.h"

#include "base/fdio.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void tree_init_with(struct tree *tree, const struct sysctx_ops *ops, void *data)
{
	const char *base = getenv("TMPDIR");

	snprintf(tree->path, sizeof(tree->path), "%.40s/tree-XXXXXX", base ? base : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(tree->path));
	ck_assert_int_eq(sysctx_init_rooted(&tree->sys, tree->path, ops, data), 0);
}

void tree_init(struct tree *tree)
{
	tree_init_with(tree, NULL, NULL);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void tree_deinit(struct tree *tree)
{
	sysctx_deinit(&tree->sys);
	nftw(tree->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *tree_path(struct tree *tree, const char *path)
{
	static char full[512];

	snprintf(full, sizeof(full), "%s%s", tree->path, path);
	return full;
}

static void make_folders(struct tree *tree, const char *path)
{
	char full[512];

	snprintf(full, sizeof(full), "%s", tree_path(tree, path));
	for (char *slash = full + strlen(tree->path) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		ck_assert(mkdir(full, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
}

void tree_write_bytes(struct tree *tree, const char *path, const void *data, size_t size)
{
	int fd;

	make_folders(tree, path);
	unlink(tree_path(tree, path));
	fd = open(tree_path(tree, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_write_full(fd, data, size), 0);
	fd_close(fd);
}

void tree_write(struct tree *tree, const char *path, const char *text)
{
	tree_write_bytes(tree, path, text, strlen(text));
}

void tree_link(struct tree *tree, const char *path, const char *target)
{
	make_folders(tree, path);
	ck_assert_int_eq(symlink(target, tree_path(tree, path)), 0);
}

void tree_sparse(struct tree *tree, const char *path, uint64_t size)
{
	tree_write(tree, path, "");
	ck_assert_int_eq(truncate(tree_path(tree, path), (off_t)size), 0);
}

void tree_remove(struct tree *tree, const char *path)
{
	ck_assert_int_eq(remove(tree_path(tree, path)), 0);
}
