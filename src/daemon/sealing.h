/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys of one hibernation whose image is sealed.
 *
 * The key set is read before anything is frozen. The image's own key is drawn after CREATE_IMAGE, so it is not in the
 * image. The worker gets it; the seed that signs stays here, and signs one header page, if that says what it should. The
 * seed is in the snapshot, which is sealed: it protects what is on the same disk as itself.
 */
#pragma once

#include "config/config.h"
#include "image/image.h"
#include "pipeline/worker.h"
#include "seal/keyfile.h"

struct sealing {
	enum seal_suite suite;     /* SUITE_NONE: the image is not sealed, and nothing below is used */
	struct key_material *keys; /* memory for secrets */
	struct sealing_drawn *drawn; /* memory for secrets, made before CREATE_IMAGE, filled after it */
	struct image_header expected; /* what the header page must say before it is signed */
};

/*
 * What @config asks for. Fails where sealing is required and something for it is missing: REASON_CRYPTO, and the
 * reasons of key_file_load(). Only in a process that is not forked from afterwards, or whose children use no libgcrypt.
 */
int sealing_init(struct sealing *s, const struct config *config, struct failure *f);
/* Whether it would succeed, found out in a process of its own: for whoever forks afterwards. Fails as sealing_init(). */
int sealing_possible(const struct config *config, struct failure *f);
/* Wipe all that is secret. Idempotent. */
void sealing_deinit(struct sealing *s);

/* After CREATE_IMAGE: draw the image's key, make its slot, and give the worker both, and the blob. */
int sealing_draw(struct sealing *s, const struct image_meta *meta, struct worker_seal *worker, struct failure *f);

/*
 * Sign @page, PAGE_BYTES that nobody else can change, if it is the header page of this image, and put the signature at
 * @signature. REASON_WORKER (-EPROTO) if it is not.
 */
int sealing_sign(struct sealing *s, void *page, uint8_t signature[CRYPTO_SIGNATURE_BYTES], struct failure *f);
