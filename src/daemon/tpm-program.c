/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hibernated-tpm: what hibernated asks a TPM, in a program of its own. Libtss2 and what it needs are several megabytes, which an
 * initramfs carries and a resume loads only where a TPM is used. It does one thing and ends, long before anything is frozen, and
 * with it goes all that libtss2 had in memory; and a TPM that hangs takes nobody along.
 */
#include "base/secret.h"
#include "daemon/tpm-job.h"
#include "seal/blob.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static void shut(struct tpm *tpm, struct tpm_job *job)
{
	int r = tpm_shut(tpm, &job->shut_failure);

	job->shut = r < 0 ? r : 1;
}

/* Whether another PIN may be tried. */
static int count_tries(struct tpm *tpm, struct tpm_job *job)
{
	int left = tpm_tries_left(tpm, &job->failure);

	if (left <= 0)
		return left < 0 ? left : TPM_TRIES_USED;
	job->tries_left = (uint32_t)left;
	return KEY_WRONG_SECRET;
}

static int unseal(struct tpm *tpm, struct tpm_job *job)
{
	const uint8_t *id = job->blob + offsetof(struct blob_disk, key_set);
	struct bytes pin = {job->pin, MIN(job->pin_size, sizeof(job->pin))};
	int r = tpm_unseal(tpm, job->blob + SEAL_BLOB_TPM, pin, id, job->name, job->blob_key, &job->failure);

	return r == KEY_WRONG_SECRET ? count_tries(tpm, job) : r;
}

static int run(struct tpm_job *job)
{
	AUTO_TPM struct tpm *tpm = NULL;
	int r = crypto_init(&job->failure);

	if (r >= 0)
		r = tpm_open(&tpm, TPM_DEVICE, &job->failure);
	if (r < 0) {
		job->shut_failure = job->failure;
		job->shut = r;
		return r;
	}
	switch ((enum tpm_job_kind)job->kind) {
	case TPM_JOB_UNSEAL:
		r = unseal(tpm, job);
		if (r != KEY_WRONG_SECRET)
			shut(tpm, job);
		return r;
	case TPM_JOB_SHUT:
		shut(tpm, job);
		return 0;
	}
	return failure_set(&job->failure, REASON_INTERNAL, EINVAL, "hibernated-tpm", "Reinstall hibernated.",
			   "a job of kind %u", job->kind);
}

static struct tpm_job *map_job(void)
{
	struct tpm_job *job;
	struct stat st;

	if (fstat(TPM_JOB_FD, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(*job))
		return NULL;
	job = mmap(NULL, sizeof(*job), PROT_READ | PROT_WRITE, MAP_SHARED, TPM_JOB_FD, 0);
	return job == MAP_FAILED || job->version != TPM_JOB_VERSION ? NULL : job;
}

int main(int argc, char **argv)
{
	struct tpm_job *job = argc == 1 ? map_job() : NULL;

	(void)argv;
	if (!job) {
		fprintf(stderr, "hibernated-tpm: it is started by hibernated(8) only\n");
		return reason_exit_status(REASON_USAGE);
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	job->name[sizeof(job->name) - 1] = '\0';
	job->result = run(job);
	secret_wipe(job->pin, sizeof(job->pin));
	return 0;
}
