/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/tpmkey.h"

#include "base/clock.h"
#include "base/fdio.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TPM_PROGRAM    PKGLIBEXECDIR "/hibernated-tpm"
#define ANSWER_USEC    (60 * USEC_PER_SEC) /* some take seconds for a storage key */
#define NOT_STARTED    120
#define UNANSWERED     INT32_MIN

void tpmkey_init(struct tpmkey *t, struct keys *keys)
{
	*t = (struct tpmkey){.keys = keys, .program = TPM_PROGRAM, .memory = -1};
}

void tpmkey_deinit(struct tpmkey *t)
{
	tpmkey_forget(t);
	if (t->job)
		munmap(t->job, sizeof(*t->job));
	t->job = NULL;
	t->memory = fd_close(t->memory);
}

void tpmkey_forget(struct tpmkey *t)
{
	if (t->job)
		secret_wipe(t->job, sizeof(*t->job));
	t->held = false;
}

static int make_memory(struct tpmkey *t, struct failure *f)
{
	struct tpm_job *job;

	if (t->job)
		return 0;
	fd_close(t->memory); /* of a time when it could not be locked */
	t->memory = memfd_create("hibernate-tpm", MFD_CLOEXEC);
	if (t->memory < 0 || ftruncate(t->memory, sizeof(*job)) < 0)
		return failure_set(f, REASON_INTERNAL, errno, "TPM", "Free some memory.", "no memory to speak with it");
	job = mmap(NULL, sizeof(*job), PROT_READ | PROT_WRITE, MAP_SHARED, t->memory, 0);
	if (job == MAP_FAILED)
		return failure_set(f, REASON_INTERNAL, errno, "TPM", "Free some memory.", "no memory to speak with it");
	if (mlock(job, sizeof(*job)) < 0) {
		munmap(job, sizeof(*job));
		return failure_set(f, REASON_CRYPTO, errno, "TPM", "Raise RLIMIT_MEMLOCK.", "its answer cannot be locked in memory");
	}
	madvise(job, sizeof(*job), MADV_DONTFORK);
	madvise(job, sizeof(*job), MADV_DONTDUMP);
	t->job = job;
	return 0;
}

/* Child: become the program, with nothing but the memfd. */
static _Noreturn void become_program(const struct tpmkey *t, pid_t parent)
{
	char name[] = "hibernated-tpm";
	char *const argv[] = {name, NULL}, *const envp[] = {NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t empty;

	if (dup2(t->memory, TPM_JOB_FD) < 0 || null < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		_exit(NOT_STARTED);
	syscall(SYS_close_range, 3, ~0U, 0);
	sigemptyset(&empty);
	sigprocmask(SIG_SETMASK, &empty, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
		_exit(NOT_STARTED);
	execve(t->program, argv, envp);
	_exit(NOT_STARTED);
}

static int ended(const struct tpmkey *t, int status, struct failure *f)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_STARTED)
		return failure_set(f, REASON_CRYPTO, ENOENT, t->program,
				   "Put it into the initramfs, with the libraries that it needs.", "hibernated-tpm cannot be started, so the TPM is not asked");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || t->job->result == UNANSWERED)
		return failure_set(f, REASON_CRYPTO, EIO, t->program, "Look whether the initramfs has all libraries that it needs.",
				   "hibernated-tpm ended with status %d, so the TPM is not asked", status);
	return 0;
}

static int await(struct tpmkey *t, pid_t pid, struct failure *f)
{
	AUTO_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int r = pidfd < 0 ? -errno : keys_wait(t->keys, pidfd, clock_monotonic_usec() + ANSWER_USEC);
	int status = 0;

	if (r <= 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == -ECANCELED) {
		t->keys->aborted = false; /* the question that follows may lead to another try */
		return failure_set(f, REASON_ABORTED, ECANCELED, "resume", NULL, "aborted by %s", t->keys->by);
	}
	if (r < 0)
		return failure_set(f, REASON_INTERNAL, -r, "TPM", NULL, "cannot wait for its answer");
	if (r == 0)
		return failure_set(f, REASON_CRYPTO, ETIMEDOUT, "TPM", NULL, "no answer within %llu s",
				   (unsigned long long)(ANSWER_USEC / USEC_PER_SEC));
	return ended(t, status, f);
}

/* Have t->job done. 0 if it was, whatever came of it. */
static int run(struct tpmkey *t, struct failure *f)
{
	pid_t parent = getpid(), pid;
	int r;

	t->job->version = TPM_JOB_VERSION;
	t->job->result = UNANSWERED;
	t->job->shut = 0;
	if (t->stand_in) {
		r = t->stand_in(t->stand_in_data, t->job);
		return r < 0 ? ended(t, NOT_STARTED << 8, f) : 0;
	}
	pid = fork();
	if (pid == 0)
		become_program(t, parent);
	if (pid < 0)
		return failure_set(f, REASON_INTERNAL, errno, "TPM", "Free some memory.", "cannot start what asks it");
	return await(t, pid, f);
}

/* A failure out of memory that another program wrote. */
static void take_failure(const struct failure *said, struct failure *f)
{
	*f = *said;
	f->object[sizeof(f->object) - 1] = f->text[sizeof(f->text) - 1] = f->remedy[sizeof(f->remedy) - 1] = '\0';
	if (f->reason <= REASON_NONE || f->reason >= _REASON_MAX)
		f->reason = REASON_CRYPTO;
}

int tpmkey_unseal(struct tpmkey *t, const char *name, const uint8_t *blob, struct bytes pin, struct failure *f)
{
	int r = make_memory(t, f);

	if (r < 0)
		return r;
	if (t->held && memcmp(t->job->blob, blob, SEAL_BLOB_BYTES) == 0)
		return 0;
	tpmkey_forget(t);
	t->job->kind = TPM_JOB_UNSEAL;
	snprintf(t->job->name, sizeof(t->job->name), "%.*s", (int)sizeof(t->job->name) - 1, name);
	memcpy(t->job->blob, blob, SEAL_BLOB_BYTES);
	t->job->pin_size = (uint32_t)MIN(pin.size, sizeof(t->job->pin));
	memcpy(t->job->pin, pin.data, t->job->pin_size);
	r = run(t, f);
	secret_wipe(t->job->pin, sizeof(t->job->pin));
	if (r < 0)
		return r;
	t->shut = t->job->shut == 1;
	if (t->job->result < 0)
		take_failure(&t->job->failure, f);
	t->held = t->job->result == 0;
	return t->job->result;
}

int tpmkey_shut(struct tpmkey *t, struct failure *f)
{
	int r = t->shut ? 0 : make_memory(t, f);

	if (r < 0 || t->shut)
		return r;
	t->job->kind = TPM_JOB_SHUT; /* the rest stays: a key may be held */
	r = run(t, f);
	t->shut = r >= 0 && t->job->shut == 1;
	if (r >= 0 && !t->shut) {
		take_failure(&t->job->shut_failure, f);
		r = -EIO;
	}
	return r;
}
