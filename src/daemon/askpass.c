/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/askpass.h"

#include "base/clock.h"
#include "base/fdio.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

/* A question that is being put: its files are gone when it is. */
struct posted {
	int directory;
	int socket;
	char file[48];
	char draft[48];
	char address[48];
};

static void withdraw(struct posted *posted)
{
	if (posted->directory >= 0) {
		unlinkat(posted->directory, posted->file, 0);
		unlinkat(posted->directory, posted->draft, 0);
		unlinkat(posted->directory, posted->address, 0);
	}
	posted->socket = fd_close(posted->socket);
	posted->directory = fd_close(posted->directory);
}

static int listen_at(struct posted *posted)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	const int yes = 1;
	mode_t before;
	int r;

	posted->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (posted->socket < 0 || setsockopt(posted->socket, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) < 0)
		return -errno;
	snprintf(name.sun_path, sizeof(name.sun_path), "/proc/self/fd/%d/%s", posted->directory, posted->address);
	before = umask(0177);
	r = bind(posted->socket, (const struct sockaddr *)&name, sizeof(name)) < 0 ? -errno : 0;
	umask(before);
	return r;
}

static int write_file(const struct posted *posted, const struct askpass_question *q, uint64_t deadline)
{
	AUTO_FCLOSE FILE *file = NULL;
	int fd = openat(posted->directory, posted->draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	file = fdopen(fd, "w");
	if (!file) {
		fd_close(fd);
		return -ENOMEM;
	}
	fprintf(file,
		"[Ask]\nPID=%d\nSocket=" ASKPASS_DIRECTORY "/%s\nAcceptCached=0\nEcho=0\nNotAfter=%llu\n"
		"Message=%s\nId=%s\nIcon=drive-harddisk\n",
		(int)getpid(), posted->address, (unsigned long long)deadline, q->message, q->id);
	if (fchmod(fd, 0644) < 0 || fflush(file) != 0)
		return -errno;
	return renameat(posted->directory, posted->draft, posted->directory, posted->file) < 0 ? -errno : 0;
}

static int post(struct posted *posted, const struct sysctx *s, const struct askpass_question *q, uint64_t deadline)
{
	char name[32];
	int r;

	posted->directory = sys_open(s, ASKPASS_DIRECTORY, O_RDONLY | O_DIRECTORY);
	if (posted->directory < 0)
		return posted->directory;
	snprintf(name, sizeof(name), "hibernated-%d-%u", (int)getpid(), q->serial);
	snprintf(posted->file, sizeof(posted->file), "ask.%s", name);
	snprintf(posted->draft, sizeof(posted->draft), "tmp.%s", name);
	snprintf(posted->address, sizeof(posted->address), "sck.%s", name);
	/* Of a process that had this number before. */
	unlinkat(posted->directory, posted->draft, 0);
	unlinkat(posted->directory, posted->address, 0);
	r = listen_at(posted);
	return r < 0 ? r : write_file(posted, q, deadline);
}

static bool from_root(struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		struct ucred sender;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS ||
		    c->cmsg_len != CMSG_LEN(sizeof(sender)))
			continue;
		memcpy(&sender, CMSG_DATA(c), sizeof(sender));
		return sender.uid == 0 || sender.uid == geteuid();
	}
	return false;
}

/* A datagram. REPLY_MORE: not an answer. */
static enum reply receive(int fd, uint8_t *text, size_t room, size_t *length, bool *declined)
{
	char kind = 0, beyond = 0; /* before the secret and, normally its NUL, behind what fits */
	struct iovec parts[] = {{&kind, 1}, {text, room}, {&beyond, 1}};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control = {0};
	struct msghdr message = {
		.msg_iov = parts,
		.msg_iovlen = ARRAY_LENGTH(parts),
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	enum reply reply = REPLY_MORE;
	size_t found;

	if (n > 0 && from_root(&message) && (kind == '+' || kind == '-')) {
		/* Several secrets may come, each with its NUL: the first one counts. */
		found = kind == '+' ? strnlen((const char *)text, MIN((size_t)n - 1, room)) : 0;
		*declined = kind == '-';
		if (!found)
			reply = REPLY_OTHER;
		else if (found == room && beyond)
			reply = REPLY_TOO_LONG;
		else
			reply = REPLY_LINE;
		if (reply == REPLY_LINE)
			*length = found;
	}
	secret_wipe(&beyond, 1);
	if (reply != REPLY_LINE)
		secret_wipe(text, room);
	return reply;
}

int askpass_ask(const struct sysctx *s, struct keys *keys, const struct askpass_question *q, uint8_t *text, size_t room,
		size_t *length, bool *declined)
{
	uint64_t deadline = clock_monotonic_usec() + q->wait_usec;
	CLEANUP(withdraw) struct posted posted = {.directory = -1, .socket = -1};
	enum reply reply = REPLY_MORE;
	int r = post(&posted, s, q, deadline);

	secret_wipe(text, room);
	if (r < 0)
		return REPLY_NOBODY;
	while (reply == REPLY_MORE) {
		r = keys_wait(keys, posted.socket, deadline);
		if (r < 0)
			return r;
		reply = r ? receive(posted.socket, text, room, length, declined) : REPLY_SILENCE;
	}
	return (int)reply;
}
