/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which files count, and reading one of them.
 *
 * A file may be anything that an administrator can put there by accident, so it is opened without
 * blocking (a FIFO), must be regular, and is read up to its limit, whatever stat() says of its size.
 * Links are followed: /etc may be full of them for good reasons.
 */
#include "config/config.h"

#include "base/fdio.h"
#include "config/ini.h"
#include "config/key.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SECTION "Hibernate"

/* Highest priority first. */
static const char *const places[] = {"/etc", "/run", "/usr/local/lib", "/usr/lib"};

/* What opening a file can answer besides a descriptor. */
enum opening {
	OPENED,
	OPENED_MASK,   /* /dev/null: an empty file */
	OPENED_NOTHING, /* there is no such file */
};

static int file_error(struct failure *f, const char *path, int error, const char *text)
{
	return failure_set(f, REASON_CONFIG, error, path, "Mend it, or remove it.", "%s", text);
}

/* An enum opening, or -errno. */
static int open_file(const struct sysctx *s, const char *path, int *fd, struct failure *f)
{
	AUTO_CLOSE int opened = sys_open(s, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (opened == -ENOENT) {
		AUTO_CLOSE int link = sys_open(s, path, O_PATH | O_NOFOLLOW);

		if (link < 0)
			return OPENED_NOTHING;
		return file_error(f, path, ENOENT, "it is a link to nowhere");
	}
	if (opened == -ELOOP)
		return file_error(f, path, ELOOP, "its links lead in a circle");
	if (opened < 0)
		return file_error(f, path, -opened, "cannot open it");
	if (fstat(opened, &st) < 0)
		return file_error(f, path, errno, "cannot look at it");
	if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
		return OPENED_MASK;
	if (!S_ISREG(st.st_mode))
		return file_error(f, path, S_ISDIR(st.st_mode) ? EISDIR : 0, "it is not a regular file");
	if ((uint64_t)st.st_size > CONFIG_FILE_BYTES_MAX)
		return failure_set(f, REASON_CONFIG, EFBIG, path, "Is it the right file?",
				   "it has %lld bytes, %llu are allowed", (long long)st.st_size,
				   (unsigned long long)CONFIG_FILE_BYTES_MAX);
	*fd = opened;
	opened = -1;
	return OPENED;
}

static int unknown_key(const struct ini *ini, struct failure *f)
{
	char remedy[FAILURE_TEXT_MAX] = "Allowed:";

	for (int i = 0; i < _CONFIG_KEY_MAX; i++)
		snprintf(remedy + strlen(remedy), sizeof(remedy) - strlen(remedy), "%s %s", i ? "," : "",
			 config_key_name((enum config_key)i));
	strncat(remedy, ".", sizeof(remedy) - strlen(remedy) - 1);
	return ini_error(ini, f, remedy, "unknown key '%.64s'", ini->name);
}

static int apply_entry(struct config *c, const struct ini *ini, bool in_section, unsigned int *seen, struct failure *f)
{
	enum config_key key = config_key_from_name(ini->name);

	if (!in_section)
		return ini_error(ini, f, "Put [" SECTION "] above it.", "'%.64s' stands before any section", ini->name);
	if (key == _CONFIG_KEY_INVALID)
		return unknown_key(ini, f);
	if (seen[key])
		return ini_error(ini, f, "Keep one of them.", "%s was given in line %u already", ini->name, seen[key]);
	seen[key] = ini->line;
	return config_set(c, key, ini->value, ini->file, ini->line, f);
}

static int apply_text(struct config *c, const char *path, char *text, size_t size, struct failure *f)
{
	unsigned int seen[_CONFIG_KEY_MAX] = {0};
	bool in_section = false;
	struct ini ini;
	int r;

	ini_init(&ini, path, text, size);
	while ((r = ini_next(&ini, f)) > 0) {
		if (r == INI_ENTRY)
			r = apply_entry(c, &ini, in_section, seen, f);
		else if (strcmp(ini.name, SECTION) != 0)
			r = ini_error(&ini, f, "Allowed: [" SECTION "].", "unknown section [%.64s]", ini.name);
		else
			in_section = true;
		if (r < 0)
			return r;
	}
	return r;
}

/* Apply the file to @c. 1, 0 if there is none, or -errno. */
static int apply_file(struct config *c, const struct sysctx *s, const char *path, struct failure *f)
{
	AUTO_CLOSE int fd = -1;
	AUTO_FREE char *text = NULL;
	ssize_t size;
	int r = open_file(s, path, &fd, f);

	if (r != OPENED)
		return r == OPENED_MASK ? 1 : r == OPENED_NOTHING ? 0 : r;
	text = malloc(CONFIG_FILE_BYTES_MAX + 2);
	if (!text)
		return failure_set(f, REASON_INTERNAL, ENOMEM, path, "Free some memory.", "cannot read it");
	size = fd_read_text(fd, text, CONFIG_FILE_BYTES_MAX + 2);
	if (size == -EFBIG || size > (ssize_t)CONFIG_FILE_BYTES_MAX)
		return failure_set(f, REASON_CONFIG, EFBIG, path, "Is it the right file?",
				   "it has more than the %llu bytes that are allowed",
				   (unsigned long long)CONFIG_FILE_BYTES_MAX);
	if (size < 0)
		return file_error(f, path, (int)-size, "cannot read it");
	r = apply_text(c, path, text, (size_t)size, f);
	return r < 0 ? r : 1;
}

struct dropin {
	char path[CONFIG_PATH_MAX];
	const char *place; /* one of places[] */
};

static const char *dropin_name(const struct dropin *d)
{
	return strrchr(d->path, '/') + 1;
}

/* By name; of the same name the one of the higher place first. */
static int compare_dropins(const void *a, const void *b)
{
	const struct dropin *x = a, *y = b;
	int order = strcmp(dropin_name(x), dropin_name(y));
	size_t i = 0;

	if (order)
		return order;
	while (places[i] != x->place && places[i] != y->place)
		i++;
	return x->place == y->place ? 0 : places[i] == x->place ? -1 : 1;
}

static bool is_dropin_name(const char *name)
{
	size_t length = strlen(name);

	return name[0] != '.' && length > 5 && strcmp(name + length - 5, ".conf") == 0;
}

/* Append the drop-ins of @place to @list, which has room for CONFIG_DROPINS_MAX. */
static int collect_dropins(const struct sysctx *s, const char *place, struct dropin *list, size_t *count,
			   struct failure *f)
{
	char folder[64];
	AUTO_CLOSEDIR DIR *dir = NULL;
	struct dirent *entry;
	int fd;

	snprintf(folder, sizeof(folder), "%s/" CONFIG_FILE_NAME ".d", place);
	fd = sys_open(s, folder, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return file_error(f, folder, -fd, "cannot open it");
	dir = fdopendir(fd);
	if (!dir) {
		fd_close(fd);
		return file_error(f, folder, errno, "cannot read it");
	}
	for (errno = 0; (entry = readdir(dir)); errno = 0) {
		if (!is_dropin_name(entry->d_name))
			continue;
		if (*count == CONFIG_DROPINS_MAX)
			return failure_set(f, REASON_CONFIG, E2BIG, folder, "Join some of them.",
					   "more than %d drop-ins in all places", CONFIG_DROPINS_MAX);
		snprintf(list[*count].path, sizeof(list[*count].path), "%s/%s", folder, entry->d_name);
		list[(*count)++].place = place;
	}
	return errno ? file_error(f, folder, errno, "cannot read it") : 0;
}

static int apply_dropins(struct config *c, const struct sysctx *s, struct failure *f)
{
	AUTO_FREE struct dropin *list = calloc(CONFIG_DROPINS_MAX, sizeof(*list));
	size_t count = 0;
	int r = 0;

	if (!list)
		return failure_set(f, REASON_INTERNAL, ENOMEM, CONFIG_FILE_NAME, "Free some memory.", "cannot read it");
	for (size_t i = 0; i < ARRAY_LENGTH(places) && r >= 0; i++)
		r = collect_dropins(s, places[i], list, &count, f);
	if (r < 0)
		return r;
	qsort(list, count, sizeof(*list), compare_dropins);
	for (size_t i = 0; i < count; i++) {
		if (i && strcmp(dropin_name(&list[i - 1]), dropin_name(&list[i])) == 0)
			continue;
		r = apply_file(c, s, list[i].path, f);
		if (r < 0)
			return r;
	}
	return 0;
}

unsigned int config_thread_count(const struct config *c)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int count = online > 0 ? (unsigned int)online : 1;
	cpu_set_t set;

	if (c->threads)
		return c->threads;
	if (sched_getaffinity(0, sizeof(set), &set) == 0) /* fails where there are more processors than it has bits */
		count = (unsigned int)CPU_COUNT(&set);
	return MIN(count, CONFIG_THREADS_MAX);
}

int config_load(struct config *c, const struct sysctx *s, struct failure *f)
{
	struct config loaded;
	int r = 0;

	config_init(&loaded);
	for (size_t i = 0; i < ARRAY_LENGTH(places) && r == 0; i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/" CONFIG_FILE_NAME, places[i]);
		r = apply_file(&loaded, s, path, f);
	}
	if (r >= 0)
		r = apply_dropins(&loaded, s, f);
	if (r >= 0)
		r = config_check(&loaded, f);
	if (r < 0)
		return r;
	*c = loaded;
	return 0;
}

int config_load_file(struct config *c, const struct sysctx *s, const char *path, struct failure *f)
{
	struct config loaded;
	int r;

	config_init(&loaded);
	r = apply_file(&loaded, s, path, f);
	if (r == 0)
		r = file_error(f, path, ENOENT, "cannot open it");
	if (r >= 0)
		r = config_check(&loaded, f);
	if (r < 0)
		return r;
	*c = loaded;
	return 0;
}
