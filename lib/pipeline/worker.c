/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pipeline/worker.h"

#include "base/clock.h"
#include "base/fdio.h"
#include "base/secret.h"
#include "pipeline/pipeline.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* They are part of the image, as zeros, which some kernels save page by page; a few chunks on their way are enough. */
#define BUFFERS_MAX (4 * MIB)
#define EXTENTS_LEAST 4096
#define PAGES_PER_EXTENT 16
/* A worker that is sent more descriptors than this gets MSG_CTRUNC, which is -EPROTO too. */
#define PASSED_MAX 4

static uint64_t least_region(const struct worker_job *job)
{
	uint64_t least = 0;

	if (job->direction == WORKER_SAVE)
		return pipeline_region_least((enum codec_id)job->codec, job->level, job->chunk_size, job->threads);
	for (int codec = 0; codec < _CODEC_MAX; codec++)
		if (codec_available((enum codec_id)codec))
			least = MAX(least, pipeline_region_least((enum codec_id)codec, 0, IMAGE_CHUNK_MAX, job->threads));
	return least;
}

uint64_t worker_layout(struct worker_job *job, uint64_t ram)
{
	bool save = job->direction == WORKER_SAVE;

	job->threads = MAX(1, MIN(job->threads, PIPELINE_THREADS_MAX));
	job->writers = MAX(1, MIN(job->writers, PIPELINE_WRITERS_MAX));

	uint64_t smallest = save ? job->chunk_size : IMAGE_CHUNK_MIN;
	uint64_t largest = save ? job->chunk_size : IMAGE_CHUNK_MAX;
	uint64_t at = round_up(sizeof(*job), PAGE_BYTES);

	job->extents_at = at;
	job->extent_capacity = MAX(ram / PAGE_BYTES / PAGES_PER_EXTENT, EXTENTS_LEAST);
	at = round_up(at + job->extent_capacity * sizeof(struct extent), PAGE_BYTES);
	job->index_at = at;
	job->index_capacity = div_up(ram, smallest);
	at = round_up(at + job->index_capacity * sizeof(struct image_chunk), PAGE_BYTES);
	job->body_at = at;
	job->body_size = image_body_size(job->extent_capacity, job->index_capacity);
	at = round_up(at + job->body_size, PAGE_BYTES);
	job->buffers_at = at;
	job->buffers_size = round_up(MIN(BUFFERS_MAX, ram / 16), PAGE_BYTES) + 4 * largest * job->threads;
	job->buffers_size = MAX(job->buffers_size, least_region(job));
	return at + job->buffers_size;
}

void worker_wipe(struct worker_job *job)
{
	secret_wipe(job->seal.image_key, sizeof(job->seal.image_key));
	secret_wipe(job->seal.secret, sizeof(job->seal.secret));
	job->seal.secret_size = 0;
}

static bool inside(uint64_t at, uint64_t count, uint64_t size, uint64_t memory_size)
{
	return at % PAGE_BYTES == 0 && at >= sizeof(struct worker_job) && at <= memory_size &&
	       count <= (memory_size - at) / size;
}

int worker_check_layout(const struct worker_job *job, uint64_t memory_size)
{
	if (!inside(job->extents_at, job->extent_capacity, sizeof(struct extent), memory_size) ||
	    !inside(job->index_at, job->index_capacity, sizeof(struct image_chunk), memory_size) ||
	    !inside(job->body_at, job->body_size, 1, memory_size) ||
	    !inside(job->buffers_at, job->buffers_size, 1, memory_size) ||
	    job->extent_count > job->extent_capacity)
		return -EINVAL;
	return 0;
}

int worker_send(int fd, enum worker_message_type type, const uint64_t *values, int pass_fd)
{
	struct worker_message message = {.version = WORKER_PROTOCOL_VERSION, .type = type};
	struct iovec iov = {.iov_base = &message, .iov_len = sizeof(message)};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
	int flags = MSG_NOSIGNAL | (type == WORKER_PROGRESS ? MSG_DONTWAIT : 0);
	ssize_t n;

	if (values)
		memcpy(message.value, values, sizeof(message.value));
	if (pass_fd >= 0) {
		header.msg_control = control.bytes;
		header.msg_controllen = sizeof(control.bytes);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &pass_fd, sizeof(int));
	}
	do
		n = sendmsg(fd, &header, flags);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == sizeof(message) ? 0 : -EPROTO;
}

static int wait_readable(int fd, uint64_t timeout_usec)
{
	uint64_t now = clock_monotonic_usec();
	uint64_t deadline = timeout_usec > UINT64_MAX - now ? UINT64_MAX : now + timeout_usec;

	for (;;) {
		struct pollfd item = {.fd = fd, .events = POLLIN};
		uint64_t left = now < deadline ? div_up(deadline - now, USEC_PER_MSEC) : 0;
		int r = poll(&item, 1, deadline == UINT64_MAX ? -1 : (int)MIN(left, (uint64_t)INT_MAX));

		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
		now = clock_monotonic_usec();
		if (now >= deadline)
			return -ETIMEDOUT;
	}
}

/* The descriptors that came with @header into @fds; how many, or -EPROTO for any other control message. */
static int take_descriptors(struct msghdr *header, int *fds)
{
	bool other = false;
	int count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			other = true;
			continue;
		}
		for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0) && count < PASSED_MAX; at += sizeof(int))
			memcpy(&fds[count++], CMSG_DATA(c) + at, sizeof(int));
	}
	if (other) {
		while (count)
			close(fds[--count]);
		return -EPROTO;
	}
	return count;
}

static int check_message(const struct worker_message *message, ssize_t size, int flags, int descriptors, bool may_pass)
{
	bool carries;

	if (size != sizeof(*message) || flags & (MSG_TRUNC | MSG_CTRUNC) || message->version != WORKER_PROTOCOL_VERSION ||
	    message->type < WORKER_READY || message->type >= _WORKER_MESSAGE_MAX)
		return -EPROTO;
	carries = message->type == WORKER_AHEAD || message->type == WORKER_LOAD;
	if (descriptors != (carries ? 1 : 0) || (carries && !may_pass))
		return -EPROTO;
	return 0;
}

int worker_receive(int fd, struct worker_message *message, int *passed_fd, uint64_t timeout_usec)
{
	struct worker_message got = {0};
	struct iovec iov = {.iov_base = &got, .iov_len = sizeof(got)};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(PASSED_MAX * sizeof(int))];
	} control;
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	int fds[PASSED_MAX], count, r;
	ssize_t n;

	r = wait_readable(fd, timeout_usec);
	if (r < 0)
		return r;
	do
		n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	count = take_descriptors(&header, fds);
	if (count < 0)
		return count;
	r = n == 0 ? -ECONNRESET : check_message(&got, n, header.msg_flags, count, passed_fd != NULL);
	if (r < 0) {
		while (count)
			close(fds[--count]);
		return r;
	}
	*message = got;
	if (passed_fd)
		*passed_fd = count ? fds[0] : -1;
	return 0;
}
