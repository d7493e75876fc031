/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seal/blob.h"

#include "base/cursor.h"
#include "base/secret.h"
#include "seal/disk.h"
#include "seal/hkdf.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define PASSPHRASE_LABEL "hibernated passphrase"
#define PAYLOAD_LABEL    "hibernated private"
#define REMEDY_DAMAGED   "Boot without it."

/* What is sealed. In memory for secrets. */
struct payload {
	uint8_t recipient_secret[CRYPTO_KEY_BYTES];
	uint8_t verifier[CRYPTO_KEY_BYTES];
};
_Static_assert(sizeof(struct payload) == sizeof(((struct blob_disk *)0)->sealed), "payload");

static int stretch(const struct blob_disk *disk, struct bytes passphrase, const struct argon2_cost *cost,
		   uint8_t out[CRYPTO_KEY_BYTES])
{
	struct argon2_input input = {
		.password = passphrase,
		.salt = {disk->passphrase.salt, sizeof(disk->passphrase.salt)},
	};

	return argon2id(cost, &input, out);
}

static struct passphrase_transcript_disk passphrase_transcript(const struct blob_disk *disk)
{
	struct passphrase_transcript_disk transcript;

	memcpy(transcript.key_set, disk->key_set, sizeof(transcript.key_set));
	memcpy(transcript.wrap, &disk->passphrase, sizeof(transcript.wrap));
	return transcript;
}

/* A handle for what the blob seals, keyed by the blob's key and all bytes before. */
static int payload_aead(const struct blob_disk *disk, const uint8_t blob_key[CRYPTO_KEY_BYTES], struct aead **aead)
{
	AUTO_SECRET uint8_t *key = secret_new(CRYPTO_KEY_BYTES);
	int r;

	if (!key)
		return -ENOMEM;
	r = hkdf_derive((struct bytes){NULL, 0}, (struct bytes){blob_key, CRYPTO_KEY_BYTES}, PAYLOAD_LABEL,
			(struct bytes){disk, offsetof(struct blob_disk, sealed)}, key, CRYPTO_KEY_BYTES);
	if (r >= 0)
		r = aead_new(aead, WRAP_SUITE);
	return r < 0 ? r : aead_set_key(*aead, key);
}

static int wrap_by_passphrase(struct blob_disk *disk, struct bytes passphrase, const struct argon2_cost *cost,
			      const uint8_t blob_key[CRYPTO_KEY_BYTES])
{
	AUTO_SECRET uint8_t *stretched = secret_new(CRYPTO_KEY_BYTES);
	struct passphrase_transcript_disk transcript = passphrase_transcript(disk);
	struct wrapped_key wrapped;
	int r = stretched ? stretch(disk, passphrase, cost, stretched) : -ENOMEM;

	if (r >= 0)
		r = wrap_key((struct bytes){stretched, CRYPTO_KEY_BYTES}, PASSPHRASE_LABEL,
			     (struct bytes){&transcript, sizeof(transcript)}, blob_key, &wrapped);
	if (r < 0)
		return r;
	memcpy(disk->passphrase.commitment, wrapped.commitment, sizeof(wrapped.commitment));
	memcpy(disk->passphrase.wrapped, wrapped.wrapped, sizeof(wrapped.wrapped));
	memcpy(disk->passphrase.tag, wrapped.tag, sizeof(wrapped.tag));
	return 0;
}

int key_blob_make(const struct key_set *set, struct bytes passphrase, const struct argon2_cost *cost,
		  const struct blob_random *random, void *place)
{
	AUTO_SECRET struct payload *payload = secret_new(sizeof(*payload));
	AUTO_AEAD struct aead *aead = NULL;
	struct blob_disk disk = {
		.version = htole32(BLOB_VERSION),
		.size = htole32(SEAL_BLOB_BYTES),
		.wraps = htole32(BLOB_WRAP_PASSPHRASE),
		.passphrase.kind = htole32(WRAP_KIND_ARGON2ID),
		.passphrase.memory_kib = htole32(cost->memory_kib),
		.passphrase.passes = htole32(cost->passes),
		.passphrase.lanes = htole32(cost->lanes),
	};
	int r;

	if (!payload)
		return -ENOMEM;
	memcpy(disk.magic, BLOB_MAGIC, sizeof(disk.magic));
	memcpy(disk.key_set, set->public.id, sizeof(disk.key_set));
	memcpy(disk.nonce, random->nonce, sizeof(disk.nonce));
	memcpy(disk.passphrase.salt, random->salt, sizeof(disk.passphrase.salt));
	memcpy(payload->recipient_secret, set->recipient_secret, sizeof(payload->recipient_secret));
	memcpy(payload->verifier, set->public.verifier, sizeof(payload->verifier));
	r = wrap_by_passphrase(&disk, passphrase, cost, random->key);
	if (r >= 0)
		r = payload_aead(&disk, random->key, &aead);
	if (r >= 0)
		r = aead_seal(aead, disk.nonce, (struct bytes){&disk, offsetof(struct blob_disk, sealed)}, payload,
			      disk.sealed, sizeof(disk.sealed), disk.tag);
	if (r >= 0)
		memcpy(place, &disk, sizeof(disk));
	return r;
}

static int unknown(const char *name, struct failure *f, const char *what)
{
	return failure_set(f, REASON_IMAGE_VERSION, ENOTSUP, name, "Use the version of hibernated that wrote it.",
			   "the sealed private key has %s unknown here", what);
}

int key_blob_decode(const void *place, const char *name, struct key_blob *blob, struct failure *f)
{
	struct key_blob decoded;
	struct blob_passphrase *p = &decoded.passphrase;
	uint8_t magic[sizeof(BLOB_MAGIC) - 1];
	uint32_t version, size, wraps, kind;
	struct reader r;

	reader_init(&r, place, SEAL_BLOB_BYTES);
	get_bytes(&r, magic, sizeof(magic));
	version = get_u32(&r);
	size = get_u32(&r);
	get_bytes(&r, decoded.key_set, sizeof(decoded.key_set));
	wraps = get_u32(&r);
	get_bytes(&r, (uint8_t[CRYPTO_NONCE_BYTES]){0}, CRYPTO_NONCE_BYTES);
	kind = get_u32(&r);
	p->cost.memory_kib = get_u32(&r);
	p->cost.passes = get_u32(&r);
	p->cost.lanes = get_u32(&r);
	get_bytes(&r, p->salt, sizeof(p->salt));
	get_bytes(&r, p->key.commitment, sizeof(p->key.commitment));
	get_bytes(&r, p->key.wrapped, sizeof(p->key.wrapped));
	get_bytes(&r, p->key.tag, sizeof(p->key.tag));
	if (memcmp(magic, BLOB_MAGIC, sizeof(magic)) != 0)
		return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, name, REMEDY_DAMAGED,
				   "there is no sealed private key");
	if (version != BLOB_VERSION || size != SEAL_BLOB_BYTES)
		return unknown(name, f, "a version");
	if (wraps != BLOB_WRAP_PASSPHRASE || kind != WRAP_KIND_ARGON2ID)
		return unknown(name, f, "ways to open it that are");
	if (!get_zeros(&r, offsetof(struct blob_disk, sealed) - r.at))
		return unknown(name, f, "fields that are");
	if (!argon2_cost_valid(&p->cost))
		return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, name, REMEDY_DAMAGED,
				   "the sealed private key asks for Argon2 with %u KiB, %u passes, %u lanes, of at "
				   "most %u, %u, %u",
				   p->cost.memory_kib, p->cost.passes, p->cost.lanes, ARGON2_MEMORY_MAX_KIB,
				   ARGON2_PASSES_MAX, ARGON2_LANES_MAX);
	*blob = decoded;
	return 0;
}

static int unauthentic(const char *name, struct failure *f)
{
	return failure_set(f, REASON_UNAUTHENTIC, EBADMSG, name, REMEDY_DAMAGED, "the sealed private key was changed");
}

/* 0, KEY_WRONG_SECRET or -errno. */
static int unwrap_by_passphrase(const struct blob_disk *disk, const struct key_blob *blob, struct bytes passphrase,
				uint8_t blob_key[CRYPTO_KEY_BYTES])
{
	AUTO_SECRET uint8_t *stretched = secret_new(CRYPTO_KEY_BYTES);
	struct passphrase_transcript_disk transcript = passphrase_transcript(disk);
	int r = stretched ? stretch(disk, passphrase, &blob->passphrase.cost, stretched) : -ENOMEM;

	if (r < 0)
		return r;
	return unwrap_key((struct bytes){stretched, CRYPTO_KEY_BYTES}, PASSPHRASE_LABEL,
			  (struct bytes){&transcript, sizeof(transcript)}, &blob->passphrase.key, blob_key);
}

/* What is sealed, and that it is the key set that the blob says it is. */
static int open_payload(const struct blob_disk *disk, const uint8_t blob_key[CRYPTO_KEY_BYTES],
			struct key_opened *opened)
{
	AUTO_SECRET struct payload *payload = secret_new(sizeof(*payload));
	AUTO_AEAD struct aead *aead = NULL;
	struct key_public public;
	int r = payload ? payload_aead(disk, blob_key, &aead) : -ENOMEM;

	if (r >= 0)
		r = aead_open(aead, disk->nonce, (struct bytes){disk, offsetof(struct blob_disk, sealed)}, disk->sealed,
			      payload, sizeof(*payload), disk->tag);
	if (r >= 0)
		r = x25519_public(payload->recipient_secret, public.recipient);
	if (r < 0)
		return r;
	memcpy(public.verifier, payload->verifier, sizeof(public.verifier));
	r = key_set_id(public.recipient, public.verifier, public.id);
	if (r >= 0 && memcmp(public.id, disk->key_set, sizeof(public.id)) != 0)
		r = -EBADMSG;
	if (r < 0)
		return r;
	opened->public = public;
	memcpy(opened->recipient_secret, payload->recipient_secret, sizeof(opened->recipient_secret));
	return 0;
}

int key_blob_open(const void *place, struct bytes passphrase, uint64_t memory_kib, const char *name,
		  struct key_opened *opened, struct failure *f)
{
	AUTO_SECRET uint8_t *blob_key = secret_new(CRYPTO_KEY_BYTES);
	struct blob_disk disk; /* a copy: nobody changes it between looking and using */
	struct key_blob blob;
	int r;

	memcpy(&disk, place, sizeof(disk));
	r = key_blob_decode(&disk, name, &blob, f);
	if (r < 0)
		return r;
	if (blob.passphrase.cost.memory_kib > memory_kib)
		return failure_set(f, REASON_CRYPTO, ENOMEM, name, "Resume with more memory, or make a cheaper key.",
				   "the passphrase takes %u KiB of memory, and there are %llu",
				   blob.passphrase.cost.memory_kib, (unsigned long long)memory_kib);
	if (!passphrase.size)
		return KEY_WRONG_SECRET; /* none is sealed by it */
	r = blob_key ? unwrap_by_passphrase(&disk, &blob, passphrase, blob_key) : -ENOMEM;
	if (r == 0)
		r = open_payload(&disk, blob_key, opened);
	if (r == -EBADMSG)
		return unauthentic(name, f);
	if (r < 0)
		return failure_set(f, REASON_CRYPTO, -r, name, NULL, "the sealed private key cannot be opened here");
	return r;
}
