/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/prompt.h"

#include "base/clock.h"
#include "base/escape.h"
#include "base/secret.h"
#include "daemon/askpass.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 1024
#define LABEL_SHOWN 160
#define WHY_SHOWN 320
#define LOOK_AGAIN_USEC USEC_PER_SEC

static const char other_answers[] = "p: power off, keep the image; b: boot without it, the image is dropped; "
				    "Enter: back to the question";
static const char other_answers_than_pin[] = "p: power off, keep the image; b: boot without it, the image is dropped; "
					     "s: the passphrase instead; Enter: back to the question";

uint64_t prompt_delay_usec(unsigned int tries)
{
	static const uint8_t seconds[] = {0, 1, 2, 4, 8, 16, 30};

	return seconds[MIN(tries, ARRAY_LENGTH(seconds) - 1)] * USEC_PER_SEC;
}

void prompt_init(struct prompt *p, const struct sysctx *s, struct keys *keys)
{
	*p = (struct prompt){.sys = s, .keys = keys};
	terminal_init(&p->terminal);
}

void prompt_deinit(struct prompt *p)
{
	terminal_release(&p->terminal);
}

/* One prompt_ask() on its way. */
struct asking {
	struct prompt *p;
	const struct prompt_question *q;
	uint8_t *text; /* the caller's memory, for the other answers too: a secret may be typed there by mistake */
	size_t room;
	size_t length;
	bool too_long; /* the last one was */
	bool declined; /* the last one was, by an agent */
};

static int ask_agents(struct asking *a, const char *text)
{
	struct askpass_question question = {.message = text, .id = "hibernated", .wait_usec = a->q->wait_usec};

	if (a->p->agents_decline)
		return REPLY_NOBODY;
	question.serial = a->p->asked++;
	return askpass_ask(a->p->sys, a->p->keys, &question, a->text, a->room, &a->length, &a->declined);
}

static int ask_terminal(struct asking *a, const char *text, bool echo_first)
{
	struct terminal *t = &a->p->terminal;
	int r;

	if (terminal_hold(t, a->p->sys) < 0)
		return REPLY_NOBODY;
	terminal_say(t, "\r\n");
	terminal_say(t, text);
	terminal_say(t, ": ");
	r = terminal_read_line(t, a->p->keys, a->q->wait_usec, echo_first, a->text, a->room, &a->length);
	if (r == REPLY_NOBODY)
		terminal_release(t);
	return r;
}

/* Ask on the way that there is; while there is none, look for one until it is too late. */
static int ask(struct asking *a, const char *text, bool echo_first)
{
	uint64_t deadline = clock_monotonic_usec() + a->q->wait_usec, now;
	int r;

	a->declined = false;
	for (;;) {
		r = ask_agents(a, text);
		if (r == REPLY_NOBODY)
			r = ask_terminal(a, text, echo_first);
		if (r != REPLY_NOBODY)
			return r;
		now = clock_monotonic_usec();
		if (now >= deadline)
			return REPLY_NOBODY;
		r = keys_wait(a->p->keys, -1, MIN(deadline, now + LOOK_AGAIN_USEC));
		if (r < 0)
			return r;
	}
}

/* "Passphrase", and what is to be said of it before. */
static const char *what_is_asked(const struct asking *a)
{
	if (a->q->pin)
		return "PIN";
	return a->q->recovery ? "Passphrase or recovery key" : "Passphrase";
}

static int ask_secret(struct asking *a)
{
	char text[TEXT_MAX], device[LABEL_SHOWN], label[LABEL_SHOWN], why[WHY_SHOWN];
	char wrong[48] = "", too_long[64] = "", left[64] = "";

	escape_text(a->q->device, SIZE_MAX, device, sizeof(device));
	escape_text(a->q->label ? a->q->label : "", a->q->label ? a->q->label_size : 0, label, sizeof(label));
	escape_text(a->q->why ? a->q->why : "", SIZE_MAX, why, sizeof(why));
	if (a->q->tries)
		snprintf(wrong, sizeof(wrong), "%u wrong so far. ", a->q->tries);
	if (a->too_long)
		snprintf(too_long, sizeof(too_long), "Longer than %zu bytes, not tried. ", a->room);
	if (a->q->left)
		snprintf(left, sizeof(left), "%u more may be tried. ", a->q->left);
	snprintf(text, sizeof(text), "%s%s%s%s%s%s%s for the hibernation image on %s%s%s%s (Enter alone: other answers)",
		 why[0] ? "Not opened by the TPM: " : "", why, why[0] ? ". " : "", too_long, wrong, left, what_is_asked(a),
		 device, label[0] ? ", \"" : "", label, label[0] ? "\"" : "");
	return ask(a, text, false);
}

/* 1 and @answer, 0: back to the first question, or a negative errno. */
static int ask_other(struct asking *a, enum prompt_answer *answer)
{
	bool declined = a->declined;
	int reply = ask(a, a->q->pin ? other_answers_than_pin : other_answers, true);
	char letter = reply == REPLY_LINE && a->length == 1 ? (char)a->text[0] : 0;

	if (reply < 0)
		return reply;
	secret_wipe(a->text, a->room);
	if (declined && a->declined) /* both: nobody sits behind it */
		a->p->agents_decline = true;
	if (reply == REPLY_SILENCE || reply == REPLY_NOBODY)
		*answer = PROMPT_NOBODY;
	else if (letter == 'p' || letter == 'P')
		*answer = PROMPT_POWER_OFF;
	else if (letter == 'b' || letter == 'B')
		*answer = PROMPT_BOOT_WITHOUT;
	else if (a->q->pin && (letter == 's' || letter == 'S'))
		*answer = PROMPT_PASSPHRASE;
	else
		return 0;
	return 1;
}

/* Hold a secret back until @due. */
static int hold_back(struct asking *a, uint64_t due)
{
	uint64_t now = clock_monotonic_usec();
	char text[64];

	if (now >= due)
		return 0;
	if (a->p->terminal.fd >= 0) {
		snprintf(text, sizeof(text), "It is tried in %llu s.\r\n",
			 (unsigned long long)div_up(due - now, USEC_PER_SEC));
		terminal_say(&a->p->terminal, text);
	}
	return keys_wait(a->p->keys, -1, due);
}

/* The same returns as ask_other(). */
static int ask_once(struct asking *a, uint64_t due, enum prompt_answer *answer)
{
	int reply = ask_secret(a), r;

	if (reply < 0)
		return reply;
	a->too_long = reply == REPLY_TOO_LONG;
	switch ((enum reply)reply) {
	case REPLY_LINE:
		r = hold_back(a, due);
		*answer = PROMPT_SECRET;
		return r < 0 ? r : 1;
	case REPLY_OTHER:
		return ask_other(a, answer);
	case REPLY_SILENCE:
	case REPLY_NOBODY:
		*answer = PROMPT_NOBODY;
		return 1;
	case REPLY_TOO_LONG:
	case REPLY_MORE:
		break;
	}
	return 0;
}

int prompt_ask(struct prompt *p, const struct prompt_question *q, uint8_t *secret, size_t room, size_t *length,
	       struct failure *f)
{
	struct asking a = {.p = p, .q = q, .text = secret, .room = room};
	uint64_t due = clock_monotonic_usec() + prompt_delay_usec(q->tries);
	enum prompt_answer answer = PROMPT_NOBODY;
	int r;

	if (p->meanwhile)
		p->meanwhile(p->meanwhile_data);
	terminal_forget(&p->terminal);
	do {
		r = ask_once(&a, due, &answer);
	} while (r == 0);
	keys_forget(p->keys);
	if (r < 0 || answer != PROMPT_SECRET)
		secret_wipe(secret, room);
	if (r == -ECANCELED) {
		p->keys->aborted = false; /* the question that follows may lead to another try */
		return failure_set(f, REASON_ABORTED, ECANCELED, "resume", NULL, "aborted by %s", p->keys->by);
	}
	if (r < 0)
		return failure_set(f, REASON_INTERNAL, -r, q->device, NULL, "cannot ask for what opens it");
	if (answer == PROMPT_SECRET)
		*length = a.length;
	return (int)answer;
}
