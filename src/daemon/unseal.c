/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/unseal.h"

#include "base/clock.h"
#include "base/secret.h"
#include "daemon/compat.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#define HEADER_USEC (60 * USEC_PER_SEC)
#define SECRET_USEC (600 * USEC_PER_SEC) /* what Argon2 may take on a slow machine */

void unseal_init(struct unseal *u, const struct sysctx *s, struct keys *keys, struct log *log)
{
	*u = (struct unseal){.log = log};
	prompt_init(&u->prompt, s, keys);
	tpmkey_init(&u->tpm, keys);
}

void unseal_deinit(struct unseal *u)
{
	prompt_deinit(&u->prompt);
	tpmkey_deinit(&u->tpm);
}

void unseal_begin(struct unseal *u)
{
	u->sealed = u->decided = u->asked = u->typed = false;
	u->why[0] = '\0';
}

void unseal_forget(struct unseal *u)
{
	tpmkey_forget(&u->tpm);
}

void unseal_leave(struct unseal *u, const struct config *config)
{
	struct failure f = {0};

	if (config->tpm && tpmkey_shut(&u->tpm, &f) < 0)
		log_line(u->log, LOG_LEVEL_WARNING, "the TPM stays open in this boot, and may give its key to root: %s: %s", f.object,
			 f.text);
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

/* One image on its way to be opened. */
struct opening {
	struct unseal *u;
	const struct config *config;
	const char *device;
	struct supervisor *worker;
};

static int decided(struct opening *o, enum choice choice, struct failure *f, const char *text)
{
	o->u->decided = true;
	o->u->choice = choice;
	return failure_set(f, REASON_ABORTED, ECANCELED, o->device, NULL, "%s", text);
}

static int give(struct opening *o, const uint8_t *secret, size_t length, bool from_tpm, struct failure *f)
{
	struct worker_seal *seal = &o->worker->job->seal;

	memcpy(seal->secret, secret, length);
	seal->secret_size = (uint32_t)length;
	seal->from_tpm = from_tpm;
	o->u->typed = !from_tpm;
	return supervisor_send(o->worker, WORKER_SECRET, -1, f);
}

/* What was answered, if that is nothing for this question: negative, @f filled. */
static int other_answer(struct opening *o, int answer, struct failure *f)
{
	switch ((enum prompt_answer)answer) {
	case PROMPT_POWER_OFF:
		return decided(o, CHOICE_POWEROFF, f, "powering off, as was asked for; the image is kept");
	case PROMPT_BOOT_WITHOUT:
		return decided(o, CHOICE_BOOT, f, "booting without the image, as was asked for");
	case PROMPT_NOBODY:
		return decided(o, choice_unanswered(o->config), f, "nobody has typed what opens it");
	case PROMPT_SECRET:
	case PROMPT_PASSPHRASE:
		break;
	}
	return failure_set(f, REASON_INTERNAL, EINVAL, o->device, NULL, "an answer of kind %d", answer);
}

static int by_passphrase(struct opening *o, struct failure *f)
{
	AUTO_SECRET uint8_t *secret = secret_new(WORKER_SECRET_MAX);
	const struct prompt_question question = {
		.device = o->device,
		.why = o->u->why,
		.tries = o->u->wrong,
		.recovery = o->worker->job->seal.wraps & BLOB_WRAP_RECOVERY,
		.wait_usec = o->config->resume_wait_usec,
	};
	size_t length = 0;
	int r;

	if (!secret)
		return failure_set(f, REASON_CRYPTO, ENOMEM, o->device, NULL, "no memory for its passphrase");
	r = prompt_ask(&o->u->prompt, &question, secret, WORKER_SECRET_MAX, &length, f);
	if (r < 0)
		return r;
	return r == PROMPT_SECRET ? give(o, secret, length, false, f) : other_answer(o, r, f);
}

/* ---- the TPM ------------------------------------------------------------ */

/* It is the passphrase that opens the image, and this is why. */
static int pass_on(struct opening *o, const char *why)
{
	snprintf(o->u->why, sizeof(o->u->why), "%s", why);
	log_line(o->u->log, LOG_LEVEL_WARNING, "%s: not opened by the TPM: %s", o->device, why);
	return 0;
}

/* Ask for a PIN and try it: as tpmkey_unseal(), or TPM_TRIES_USED with @why filled in when somebody wants no more of it. */
static int try_pin(struct opening *o, const uint8_t *blob, const char **why, struct failure *f)
{
	AUTO_SECRET uint8_t *pin = secret_new(TPM_JOB_PIN_MAX);
	const struct prompt_question question = {
		.device = o->device,
		.pin = true,
		.tries = o->u->wrong_pins,
		.left = o->u->tpm.job->tries_left,
		.wait_usec = o->config->resume_wait_usec,
	};
	size_t length = 0;
	int r;

	if (!pin)
		return failure_set(f, REASON_CRYPTO, ENOMEM, o->device, NULL, "no memory for its PIN");
	r = prompt_ask(&o->u->prompt, &question, pin, TPM_JOB_PIN_MAX, &length, f);
	if (r < 0)
		return r;
	if (r == PROMPT_PASSPHRASE) {
		*why = "the passphrase is wanted instead of the PIN";
		return TPM_TRIES_USED;
	}
	if (r != PROMPT_SECRET)
		return other_answer(o, r, f);
	r = tpmkey_unseal(&o->u->tpm, o->device, blob, (struct bytes){pin, length}, f);
	if (r == KEY_WRONG_SECRET || r == TPM_TRIES_USED)
		o->u->wrong_pins++;
	return r;
}

/* 1 if the worker was given the TPM's key, 0 if the passphrase is to be asked for. */
static int by_tpm(struct opening *o, struct failure *f)
{
	const char *why = "one more wrong PIN, and it would lock itself up";
	struct unseal *u = o->u;
	uint8_t blob[SEAL_BLOB_BYTES]; /* a copy: the worker can change the other */
	int r;

	if (!(o->worker->job->seal.wraps & BLOB_WRAP_TPM))
		return 0;
	if (!o->config->tpm)
		return pass_on(o, "TPMKeySet= does not say whose keys to believe");
	memcpy(blob, o->worker->job->seal.blob, sizeof(blob));
	/* Without a PIN first: that shows what else stands against it, before anybody types. */
	r = tpmkey_unseal(&u->tpm, o->device, blob, (struct bytes){"", 0}, f);
	while (r == KEY_WRONG_SECRET)
		r = try_pin(o, blob, &why, f);
	if (r == 0) {
		r = give(o, u->tpm.job->blob_key, CRYPTO_KEY_BYTES, true, f);
		return r < 0 ? r : 1;
	}
	if (r > 0)
		return pass_on(o, why);
	if (u->decided || f->reason == REASON_ABORTED)
		return r;
	pass_on(o, f->text);
	*f = (struct failure){0};
	return 0;
}

/* The worker has asked. */
static int answer(struct opening *o, struct failure *f)
{
	struct unseal *u = o->u;
	int r = 0;

	u->sealed = true;
	if (u->typed)
		u->wrong++;
	u->typed = false;
	if (!u->asked) {
		u->asked = true;
		r = check_kernel(o->worker->job, f);
		if (r >= 0)
			r = by_tpm(o, f);
	}
	return r ? r : by_passphrase(o, f);
}

int unseal_open(struct unseal *u, const struct config *config, const char *device, struct supervisor *worker,
		supervisor_tick tick, void *data, struct failure *f)
{
	struct opening o = {.u = u, .config = config, .device = device, .worker = worker};
	int r = supervisor_send(worker, WORKER_OPEN, -1, f);

	while (r >= 0) {
		r = supervisor_await_either(worker, WORKER_META, WORKER_ASK, u->asked ? SECRET_USEC : HEADER_USEC, tick,
					    data, f);
		if (r <= 0)
			break;
		r = answer(&o, f);
	}
	prompt_deinit(&u->prompt);
	if (r >= 0)
		unseal_leave(u, config);
	return r;
}
