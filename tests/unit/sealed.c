/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sealed.h"

#include "base/secret.h"
#include "seal/blob.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define QUESTION   "other answers): "
#define QUESTION2  "back to the question: "

struct somebody somebody;

int __real_madvise(void *address, size_t length, int advice);
int __wrap_madvise(void *address, size_t length, int advice);

/* Runs are forked from this program, which has set up libgcrypt to make keys; in earnest nobody forks after that. */
int __wrap_madvise(void *address, size_t length, int advice)
{
	return advice == MADV_WIPEONFORK ? 0 : __real_madvise(address, length, advice);
}

/* ---- somebody at the console -------------------------------------------- */

/* Give the next answer each time a question is there. @data is told when this has begun. */
static void *sit_there(void *data)
{
	size_t looked = 0;

	sem_post(data);
	for (;;) {
		ssize_t n = read(somebody.master, somebody.seen + somebody.length, sizeof(somebody.seen) - somebody.length - 1);
		const char *at, *other;

		if (n <= 0)
			return NULL;
		somebody.length += (size_t)n;
		somebody.seen[somebody.length] = '\0';
		at = strstr(somebody.seen + looked, QUESTION);
		other = strstr(somebody.seen + looked, QUESTION2);
		if (!at || (other && other < at))
			at = other;
		if (!at || !somebody.answers[somebody.given])
			continue;
		looked = (size_t)(at - somebody.seen) + strlen(QUESTION);
		at = somebody.answers[somebody.given++];
		ck_assert_int_eq(write(somebody.master, at, strlen(at)), (ssize_t)strlen(at));
	}
}

static void sit_down(struct machine *m, const char *const *answers)
{
	sem_t begun;

	somebody.answers = answers;
	somebody.given = somebody.length = 0;
	somebody.seen[0] = '\0';
	somebody.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(somebody.master, 0);
	ck_assert_int_eq(grantpt(somebody.master), 0);
	ck_assert_int_eq(unlockpt(somebody.master), 0);
	somebody.slave = open(ptsname(somebody.master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(somebody.slave, 0);
	m->terminal = somebody.slave;
	/* The machine is forked next. What a sanitizer locks while a thread starts would stay locked there. */
	ck_assert_int_eq(sem_init(&begun, 0, 0), 0);
	ck_assert_int_eq(pthread_create(&somebody.thread, NULL, sit_there, &begun), 0);
	while (sem_wait(&begun) < 0 && errno == EINTR)
		;
	sem_destroy(&begun);
}

static void stand_up(struct machine *m)
{
	close(somebody.slave); /* which ends the reading */
	pthread_join(somebody.thread, NULL);
	close(somebody.master);
	m->terminal = 0;
}

/* ---- the machine -------------------------------------------------------- */

static int add_part(struct key_material *material, struct blob_random *random, const void *part)
{
	AUTO_SECRET struct key_opened *opened = secret_new(sizeof(*opened));
	const struct blob_change change = {.tpm = part};
	struct failure f;
	int r = key_blob_open_key(material->blob, random->key, "test", opened, &f);

	if (r >= 0)
		r = secret_random(random->nonce, sizeof(random->nonce));
	return r < 0 ? r : key_blob_change(material->blob, opened, &change, random, material->blob);
}

void sealed_make_keys(struct machine *m, const char *folder, const void *part, struct key_public *public, uint8_t *blob_key)
{
	AUTO_SECRET struct key_set *set = secret_new(sizeof(*set));
	AUTO_SECRET struct blob_random *random = secret_new(sizeof(*random));
	AUTO_SECRET struct key_material *material = secret_new(sizeof(*material));
	const struct argon2_cost cost = {.memory_kib = 64, .passes = 1, .lanes = 1};
	struct bytes passphrase = {SEALED_PASSPHRASE, strlen(SEALED_PASSPHRASE)};
	struct failure f = {0};
	char text[1024];

	snprintf(text, sizeof(text), "%s/x", folder);
	tree_write(&m->tree, text, "");
	ck_assert_int_eq(chmod(tree_path(&m->tree, folder), 0700), 0);
	ck_assert_msg(crypto_init(&f) >= 0, "%s", failure_format(&f, text, sizeof(text)));
	ck_assert_int_eq(key_set_generate(set), 0);
	ck_assert_int_eq(secret_random(random, sizeof(*random)), 0);
	ck_assert_int_eq(key_blob_make(set, passphrase, &cost, random, material->blob), 0);
	if (part)
		ck_assert_int_eq(add_part(material, random, part), 0);
	material->public = set->public;
	memcpy(material->signing_seed, set->signing_seed, sizeof(material->signing_seed));
	ck_assert_msg(key_file_store(tree_path(&m->tree, folder), material, &f) >= 0, "%s",
		      failure_format(&f, text, sizeof(text)));
	if (public)
		*public = set->public;
	if (blob_key)
		memcpy(blob_key, random->key, CRYPTO_KEY_BYTES);
}

void sealed_configure(struct machine *m, const char *folder, const char *lines)
{
	char text[512];

	snprintf(text, sizeof(text), "[Hibernate]\nThreads=2\nSealing=required\nKeyDirectory=%s\n%s\n",
		 tree_path(&m->tree, folder), lines);
	tree_write(&m->tree, "/etc/hibernate.conf", text);
}

void sealed_hibernate(struct machine *m)
{
	char text[1024];
	enum machine_end end = machine_hibernate(m, SESSION_HIBERNATE);

	ck_assert_msg(end == MACHINE_OFF, "ended with %d: %s", (int)end,
		      failure_format(&m->state->report.failure, text, sizeof(text)));
	fake_kernel_check(m->kernel);
	memset(m->state->calls, 0, sizeof(m->state->calls));
	machine_power_on(m, 2);
}

void sealed_boot(struct machine *m, enum machine_end expected, const char *const *answers, const char *what)
{
	enum machine_end end;

	sit_down(m, answers);
	end = machine_boot(m);
	stand_up(m);
	ck_assert_msg(end == expected, "%s: ended with %d, not %d; seen: %s", what, (int)end, (int)expected, somebody.seen);
	fake_kernel_check(m->kernel);
	ck_assert_msg(!strstr(somebody.seen, SEALED_PASSPHRASE), "the passphrase was shown");
}

void sealed_check_mark(struct machine *m, enum mark_kind kind, enum mark_state state, enum mark_drop drop)
{
	struct mark mark;

	machine_mark(m, &mark);
	ck_assert_msg(mark.kind == kind && mark.state == state && mark.drop == drop, "the mark is %s, %s, %s",
		      mark_kind_name(mark.kind), mark_state_name(mark.state), mark_drop_name(mark.drop));
}

void sealed_check_armed(struct machine *m)
{
	sealed_check_mark(m, MARK_ARMED, MARK_STATE_ARMED, MARK_DROP_NONE);
	ck_assert(!m->kernel->entered);
}
