/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asking for the secret of a sealed image.
 *
 * Two ways lead to whoever sits there. Where systemd's password agents are (daemon/askpass.h), the question goes to them,
 * and through them to Plymouth. Else it goes to the console, with echo off. An empty answer, on either way, leads to a
 * second question with the other answers: power off, or boot without the image. So they can be reached from every
 * question. Whoever boots without the image must disarm it first; that, and what becomes of it when nobody
 * answers, is the caller's, as after a resume that has failed (daemon/choice.h).
 *
 * What is typed goes straight into the caller's memory: not through stdio, not on the heap.
 */
#pragma once

#include "base/failure.h"
#include "base/sys.h"
#include "daemon/keys.h"
#include "daemon/terminal.h"

enum prompt_answer {
	PROMPT_SECRET,       /* something was typed */
	PROMPT_POWER_OFF,    /* the image is kept */
	PROMPT_BOOT_WITHOUT, /* the image must be disarmed */
	PROMPT_NOBODY,       /* nobody was there in time: the caller's policy decides */
	PROMPT_PASSPHRASE,   /* the PIN shall not be asked for; only where one is */
};

struct prompt_question {
	const char *device;  /* where the image is */
	const char *label;   /* of the image or its keys, chosen by anybody, shown escaped; NULL: none */
	size_t label_size;   /* bytes at @label; it may end before, with a NUL */
	const char *why;     /* said first, shown escaped; NULL or "": nothing */
	bool pin;            /* asked for is the PIN of a TPM... */
	unsigned int left;   /* ...which may be tried so often; 0: not said */
	unsigned int tries;  /* wrong ones so far: prompt_delay_usec() */
	bool recovery;       /* a recovery key is taken, too */
	uint64_t wait_usec;  /* until PROMPT_NOBODY; begins again with each question and each key */
};

struct prompt {
	const struct sysctx *sys;
	struct keys *keys;
	struct terminal terminal;
	unsigned int asked;    /* questions put to agents: names their files */
	bool agents_decline;   /* they have, for both questions: the console is asked from then on */
	void (*meanwhile)(void *data); /* each prompt_ask() begins with it, unless it is NULL */
	void *meanwhile_data;
};

/* Changes nothing yet. @s and @keys (whose signals end a wait) are borrowed. */
void prompt_init(struct prompt *p, const struct sysctx *s, struct keys *keys);

/* Give the console back as it was. Idempotent. */
void prompt_deinit(struct prompt *p);

/*
 * Ask @q and wait. Returns one of enum prompt_answer; -ECANCELED and @f filled when a signal came, else another negative errno.
 * With PROMPT_SECRET, @length (1 to @room) bytes of UTF-8, or whatever the keyboard sends, are at @secret, without a NUL;
 * otherwise @secret is wiped. @room: at least 8.
 *
 * The console stays without echo from here until prompt_deinit(), so that nothing typed ahead is seen. After wrong
 * answers a secret is handed out only when prompt_delay_usec() has passed since this was called; the other answers are not held back.
 */
int prompt_ask(struct prompt *p, const struct prompt_question *q, uint8_t *secret, size_t room, size_t *length,
	       struct failure *f);

/* After @tries wrong answers: 0, 1, 2, 4, 8, 16 s, then always 30 s. */
uint64_t prompt_delay_usec(unsigned int tries);
