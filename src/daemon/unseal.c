/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/unseal.h"

#include "base/fdio.h"
#include "base/secret.h"
#include "daemon/compat.h"
#include "image/image.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

int unseal_init(struct unseal *u, const struct sysctx *s, struct keys *keys)
{
	void *pages;
	int r = posix_memalign(&pages, PAGE_BYTES, 2 * PAGE_BYTES);

	*u = (struct unseal){0};
	prompt_init(&u->prompt, s, keys);
	if (r)
		return -r;
	u->kept = pages;
	mlock(u->kept, 2 * PAGE_BYTES); /* best effort: in the initramfs there is no swap */
	return 0;
}

void unseal_deinit(struct unseal *u)
{
	prompt_deinit(&u->prompt);
	free(u->kept);
	u->kept = NULL;
}

void unseal_begin(struct unseal *u)
{
	u->sealed = u->decided = false;
}

void unseal_end(struct unseal *u)
{
	prompt_deinit(&u->prompt);
}

/* The kernel that is needed, as the header page says: not authentic yet, but it spares typing for nothing. */
static int check_kernel(const struct worker_job *job, struct failure *f)
{
	char release[IMAGE_RELEASE_MAX];
	struct utsname name;

	memcpy(release, job->seal.kernel_release, sizeof(release));
	release[sizeof(release) - 1] = '\0';
	uname(&name);
	return compat_check(release, name.machine, name.release, name.machine, f);
}

static int decided(struct unseal *u, enum choice choice, const char *device, struct failure *f, const char *text)
{
	u->decided = true;
	u->choice = choice;
	return failure_set(f, REASON_ABORTED, ECANCELED, device, NULL, "%s", text);
}

static int give(struct supervisor *worker, const uint8_t *secret, size_t length, struct failure *f)
{
	memcpy(worker->job->seal.secret, secret, length);
	worker->job->seal.secret_size = (uint32_t)length;
	return supervisor_send(worker, WORKER_SECRET, -1, f);
}

int unseal_answer(struct unseal *u, const struct config *config, const char *device, unsigned int tries,
		  struct supervisor *worker, struct failure *f)
{
	AUTO_SECRET uint8_t *secret = secret_new(WORKER_SECRET_MAX);
	struct prompt_question question = {.device = device, .tries = tries, .wait_usec = config->resume_wait_usec};
	size_t length = 0;
	int r;

	question.recovery = worker->job->seal.wraps & BLOB_WRAP_RECOVERY;
	u->sealed = true;
	if (!secret)
		return failure_set(f, REASON_CRYPTO, ENOMEM, device, NULL, "no memory for its passphrase");
	r = tries ? 0 : check_kernel(worker->job, f);
	if (r >= 0)
		r = prompt_ask(&u->prompt, &question, secret, WORKER_SECRET_MAX, &length, f);
	if (r < 0)
		return r;
	switch ((enum prompt_answer)r) {
	case PROMPT_SECRET:
		return give(worker, secret, length, f);
	case PROMPT_POWER_OFF:
		return decided(u, CHOICE_POWEROFF, device, f, "powering off, as was asked for; the image is kept");
	case PROMPT_BOOT_WITHOUT:
		return decided(u, CHOICE_BOOT, device, f, "booting without the image, as was asked for");
	case PROMPT_NOBODY:
		return decided(u, choice_unanswered(config), device, f, "nobody has typed its passphrase");
	}
	return failure_set(f, REASON_INTERNAL, EINVAL, device, NULL, "an answer of kind %d", r);
}

static int write_page(const struct mark_io *io, uint64_t at, const void *page, struct failure *f)
{
	int r = fd_pwrite_full(io->fd, page, PAGE_BYTES, at);

	if (r >= 0 && fdatasync(io->fd) < 0)
		r = -errno;
	if (r < 0)
		return failure_set(f, REASON_IO, -r, io->name, "Check the disk and its cabling.",
				   "the image's key slot at byte %llu cannot be written", (unsigned long long)at);
	return 0;
}

int unseal_destroy(struct unseal *u, const struct sysctx *s, const struct mark_io *io, const struct mark *mark,
		   uint64_t device_size, struct failure *f)
{
	uint64_t range[] = {mark->header_offset, PAGE_BYTES};
	uint8_t *zeros = u->kept + PAGE_BYTES;
	struct image_header header;
	int r;

	u->destroyed = false;
	if (!u->sealed)
		return 0;
	r = image_read_header(io->fd, io->name, mark->header_offset, device_size, u->kept, &header, f);
	if (r < 0)
		return r;
	if (!suite_seals(header.suite) || memcmp(header.id.bytes, mark->image_id, sizeof(header.id.bytes)) != 0)
		return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, io->name, NULL,
				   "the image's header page has changed while it was loaded");
	memset(zeros, 0, PAGE_BYTES);
	u->destroyed = true;
	r = write_page(io, mark->header_offset, zeros, f);
	if (r >= 0)
		(void)sys_ioctl(s, io->fd, BLKDISCARD, range); /* best effort: zeros are there already */
	return r;
}

int unseal_put_back(struct unseal *u, const struct mark_io *io, const struct mark *mark, struct failure *f)
{
	int r = u->destroyed ? write_page(io, mark->header_offset, u->kept, f) : 0;

	if (r >= 0)
		u->destroyed = false;
	return r;
}
