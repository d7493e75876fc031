/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seal/open.h"

#include "base/secret.h"
#include "seal/disk.h"
#include "seal/slot.h"
#include "seal/unlock.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

_Static_assert(sizeof(((struct seal_transcript *)0)->image_id) == SEAL_IMAGE_ID_BYTES, "id");

static const uint8_t *place(const void *page, size_t offset)
{
	return (const uint8_t *)page + offset;
}

static enum seal_suite suite_of(const void *page)
{
	uint32_t suite;

	memcpy(&suite, place(page, SEAL_PAGE_BEGIN_BYTES - sizeof(suite)), sizeof(suite));
	return (enum seal_suite)le32toh(suite);
}

int seal_page_check(const void *page, const char *name, uint32_t *wraps, struct failure *f)
{
	struct key_slot slot;
	struct key_blob blob;
	int r = key_slot_decode(place(page, SEAL_PAGE_SLOTS), name, &slot, f);

	if (r >= 0)
		r = key_blob_decode(place(page, SEAL_PAGE_BLOB), name, &blob, f);
	if (r >= 0)
		*wraps = blob.wraps;
	return r;
}

static int unauthentic(const char *name, struct failure *f, const char *text)
{
	return failure_set(f, REASON_UNAUTHENTIC, EBADMSG, name, "Boot without it.", "%s", text);
}

/* The image's key out of the slot of a page that has been verified. */
static int open_slot(const void *page, const struct key_opened *key, const char *name, struct seal_opened *opened,
		     struct failure *f)
{
	struct slot_image image = {.suite = suite_of(page)};
	struct key_slot slot;
	int r = key_slot_decode(place(page, SEAL_PAGE_SLOTS), name, &slot, f);

	if (r < 0)
		return r;
	memcpy(image.id, place(page, SEAL_PAGE_IMAGE_ID), sizeof(image.id));
	r = key_slot_open(&slot, &image, &key->public, key->recipient_secret, opened->image_key);
	if (r == KEY_WRONG_SECRET || r == -EBADMSG || r == -EKEYREJECTED)
		return unauthentic(name, f, "its key slot was made for another image or key set");
	if (r < 0)
		return failure_set(f, REASON_CRYPTO, -r, name, NULL, "its key slot cannot be opened");
	memcpy(opened->transcript.image_id, image.id, sizeof(image.id));
	opened->transcript.suite = image.suite;
	opened->by = key->public;
	r = seal_header_hash(page, opened->transcript.header_hash);
	return r < 0 ? failure_set(f, REASON_CRYPTO, -r, name, NULL, "its header page cannot be hashed") : 0;
}

int seal_page_trust(const void *page, const uint8_t trusted[KEY_SET_ID_BYTES], const char *name, struct failure *f)
{
	if (secret_equal(place(page, SEAL_PAGE_BLOB + offsetof(struct blob_disk, key_set)), trusted, KEY_SET_ID_BYTES))
		return 0;
	return failure_set(f, REASON_UNAUTHENTIC, EKEYREJECTED, name,
			   "Boot without it; or boot with TPMKeySet= as hibernatectl key list shows it.",
			   "it is sealed for another key set than TPMKeySet= names");
}

/* What a blob gave out, once it is open: whom to believe, the signature, the slot. */
static int open_by(const void *page, const struct key_opened *key, const uint8_t *trusted, const char *name,
		   struct seal_opened *opened, struct failure *f)
{
	bool same = trusted && secret_equal(trusted, key->public.id, KEY_SET_ID_BYTES);
	uint8_t verifier[CRYPTO_KEY_BYTES];
	int r = key_choose_verifier(key->by_human ? key->public.verifier : NULL, same ? key->public.verifier : NULL,
				    verifier);

	if (r == -ENOKEY)
		return unauthentic(name, f, "a TPM opens its keys, and nothing says that they are this machine's");
	if (r >= 0)
		r = header_verify(verifier, page);
	if (r == -EBADMSG)
		return unauthentic(name, f, "its header page is not signed by the key set that opens it");
	if (r < 0)
		return failure_set(f, REASON_CRYPTO, -r, name, NULL, "its signature cannot be verified");
	return open_slot(page, key, name, opened, f);
}

int seal_page_open(const void *page, struct bytes typed, uint64_t memory_kib, const char *name,
		   struct seal_opened *opened, struct failure *f)
{
	AUTO_SECRET struct key_opened *key = secret_new(sizeof(*key));
	struct key_answer answer;
	int r;

	if (!key)
		return failure_set(f, REASON_CRYPTO, ENOMEM, name, NULL, "no memory for keys");
	r = key_blob_open_typed(place(page, SEAL_PAGE_BLOB), typed, memory_kib, name, key, &answer, f);
	return r ? r : open_by(page, key, NULL, name, opened, f);
}

int seal_page_open_tpm(const void *page, const uint8_t blob_key[CRYPTO_KEY_BYTES], const uint8_t *trusted,
		       const char *name, struct seal_opened *opened, struct failure *f)
{
	AUTO_SECRET struct key_opened *key = secret_new(sizeof(*key));
	int r;

	if (!key)
		return failure_set(f, REASON_CRYPTO, ENOMEM, name, NULL, "no memory for keys");
	r = key_blob_open_key(place(page, SEAL_PAGE_BLOB), blob_key, name, key, f);
	return r < 0 ? r : open_by(page, key, trusted, name, opened, f);
}
