/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

/* Before each secret, in the same pages. In a forked child it reads as zeros. */
struct secret_head {
	size_t mapped;
	uint8_t padding[64 - sizeof(size_t)];
};
_Static_assert(sizeof(struct secret_head) == 64, "keeps the alignment");

static struct secret_head *head_of(const void *secret)
{
	return (struct secret_head *)((uintptr_t)secret - sizeof(struct secret_head));
}

void *secret_new(size_t size)
{
	struct secret_head *head;
	size_t mapped;

	if (!size || size > SIZE_MAX / 2) {
		errno = EINVAL;
		return NULL;
	}
	mapped = round_up(size + sizeof(*head), PAGE_BYTES);
	head = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (head == MAP_FAILED)
		return NULL;
	if (madvise(head, mapped, MADV_DONTDUMP) < 0 || madvise(head, mapped, MADV_WIPEONFORK) < 0 ||
	    mlock(head, mapped) < 0) {
		int saved = errno;

		munmap(head, mapped);
		errno = saved;
		return NULL;
	}
	head->mapped = mapped;
	return head + 1;
}

int secret_refused(const char *object, struct failure *f)
{
	return failure_set(f, REASON_CRYPTO, ENOMEM, object, "Raise RLIMIT_MEMLOCK.", "no memory for secrets can be locked");
}

void *secret_free(void *secret)
{
	size_t mapped = secret ? head_of(secret)->mapped : 0;
	int saved = errno;

	/* In a forked child the size is gone, and so is the secret: the pages go with the process. */
	if (mapped) {
		secret_wipe(head_of(secret), mapped);
		munmap(head_of(secret), mapped);
	}
	errno = saved;
	return NULL;
}

void secret_cleanup(void *pointer)
{
	void **secret = pointer;

	*secret = secret_free(*secret);
}

size_t secret_size(const void *secret)
{
	size_t mapped = secret ? head_of(secret)->mapped : 0;

	return mapped ? mapped - sizeof(struct secret_head) : 0;
}

void secret_wipe(void *data, size_t size)
{
	explicit_bzero(data, size);
}

bool secret_equal(const void *a, const void *b, size_t size)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t different = 0;

	for (size_t i = 0; i < size; i++)
		different |= x[i] ^ y[i];
	return !different;
}

int secret_random(void *out, size_t size)
{
	uint8_t *at = out;

	while (size) {
		ssize_t n = getrandom(at, size, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}
