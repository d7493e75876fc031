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
#define RECOVERY_LABEL   "hibernated recovery"
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

static struct recovery_transcript_disk recovery_transcript(const struct blob_disk *disk)
{
	struct recovery_transcript_disk transcript;

	memcpy(transcript.key_set, disk->key_set, sizeof(transcript.key_set));
	memcpy(transcript.wrap, &disk->recovery, sizeof(transcript.wrap));
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

/* ---- making ---- */

static int wrap_by_passphrase(struct blob_disk *disk, struct bytes passphrase, const struct argon2_cost *cost,
			      const uint8_t *salt, const uint8_t blob_key[CRYPTO_KEY_BYTES])
{
	AUTO_SECRET uint8_t *stretched = secret_new(CRYPTO_KEY_BYTES);
	struct passphrase_transcript_disk transcript;
	struct wrapped_key wrapped;
	int r;

	if (!stretched)
		return -ENOMEM;
	disk->passphrase = (struct passphrase_disk){
		.kind = htole32(WRAP_KIND_ARGON2ID),
		.memory_kib = htole32(cost->memory_kib),
		.passes = htole32(cost->passes),
		.lanes = htole32(cost->lanes),
	};
	memcpy(disk->passphrase.salt, salt, sizeof(disk->passphrase.salt));
	r = stretch(disk, passphrase, cost, stretched);
	if (r < 0)
		return r;
	transcript = passphrase_transcript(disk);
	r = wrap_key((struct bytes){stretched, CRYPTO_KEY_BYTES}, PASSPHRASE_LABEL,
		     (struct bytes){&transcript, sizeof(transcript)}, blob_key, &wrapped);
	if (r < 0)
		return r;
	memcpy(disk->passphrase.commitment, wrapped.commitment, sizeof(wrapped.commitment));
	memcpy(disk->passphrase.wrapped, wrapped.wrapped, sizeof(wrapped.wrapped));
	memcpy(disk->passphrase.tag, wrapped.tag, sizeof(wrapped.tag));
	disk->wraps |= htole32(BLOB_WRAP_PASSPHRASE);
	return 0;
}

static int wrap_by_recovery(struct blob_disk *disk, const uint8_t *recovery, const uint8_t *salt,
			    const uint8_t blob_key[CRYPTO_KEY_BYTES])
{
	struct recovery_transcript_disk transcript;
	struct wrapped_key wrapped;
	int r;

	disk->recovery = (struct recovery_disk){.kind = htole32(WRAP_KIND_RECOVERY)};
	memcpy(disk->recovery.salt, salt, sizeof(disk->recovery.salt));
	transcript = recovery_transcript(disk);
	r = wrap_key((struct bytes){recovery, RECOVERY_KEY_BYTES}, RECOVERY_LABEL,
		     (struct bytes){&transcript, sizeof(transcript)}, blob_key, &wrapped);
	if (r < 0)
		return r;
	memcpy(disk->recovery.commitment, wrapped.commitment, sizeof(wrapped.commitment));
	memcpy(disk->recovery.wrapped, wrapped.wrapped, sizeof(wrapped.wrapped));
	memcpy(disk->recovery.tag, wrapped.tag, sizeof(wrapped.tag));
	disk->wraps |= htole32(BLOB_WRAP_RECOVERY);
	return 0;
}

/* The last step: all bytes before it are those that it is bound to. */
static int seal_payload(struct blob_disk *disk, const uint8_t recipient_secret[CRYPTO_KEY_BYTES],
			const uint8_t verifier[CRYPTO_KEY_BYTES], const uint8_t blob_key[CRYPTO_KEY_BYTES])
{
	AUTO_SECRET struct payload *payload = secret_new(sizeof(*payload));
	AUTO_AEAD struct aead *aead = NULL;
	int r;

	if (!payload)
		return -ENOMEM;
	memcpy(payload->recipient_secret, recipient_secret, sizeof(payload->recipient_secret));
	memcpy(payload->verifier, verifier, sizeof(payload->verifier));
	r = payload_aead(disk, blob_key, &aead);
	if (r < 0)
		return r;
	return aead_seal(aead, disk->nonce, (struct bytes){disk, offsetof(struct blob_disk, sealed)}, payload,
			 disk->sealed, sizeof(disk->sealed), disk->tag);
}

int key_blob_make(const struct key_set *set, struct bytes passphrase, const struct argon2_cost *cost,
		  const struct blob_random *random, void *place)
{
	struct blob_disk disk = {.version = htole32(BLOB_VERSION), .size = htole32(SEAL_BLOB_BYTES)};
	int r;

	memcpy(disk.magic, BLOB_MAGIC, sizeof(disk.magic));
	memcpy(disk.key_set, set->public.id, sizeof(disk.key_set));
	memcpy(disk.nonce, random->nonce, sizeof(disk.nonce));
	r = wrap_by_passphrase(&disk, passphrase, cost, random->salt, random->key);
	if (r >= 0)
		r = seal_payload(&disk, set->recipient_secret, set->public.verifier, random->key);
	if (r >= 0)
		memcpy(place, &disk, sizeof(disk));
	return r;
}

int key_blob_change(const void *place, const struct key_opened *opened, const struct blob_change *change,
		    const struct blob_random *random, void *out)
{
	struct blob_disk disk;
	int r = 0;

	memcpy(&disk, place, sizeof(disk));
	if (memcmp(disk.key_set, opened->public.id, sizeof(disk.key_set)) != 0)
		return -EINVAL;
	if (change->remove & BLOB_WRAP_PASSPHRASE)
		memset(&disk.passphrase, 0, sizeof(disk.passphrase));
	if (change->remove & BLOB_WRAP_RECOVERY)
		memset(&disk.recovery, 0, sizeof(disk.recovery));
	if (change->remove & BLOB_WRAP_TPM)
		memset(&disk.tpm, 0, sizeof(disk.tpm));
	disk.wraps &= htole32(~change->remove);
	if (change->passphrase.size)
		r = wrap_by_passphrase(&disk, change->passphrase, &change->cost, random->salt, opened->blob_key);
	if (r >= 0 && change->recovery)
		r = wrap_by_recovery(&disk, change->recovery, random->recovery_salt, opened->blob_key);
	if (change->tpm) {
		memcpy(&disk.tpm, change->tpm, sizeof(disk.tpm));
		disk.wraps |= htole32(BLOB_WRAP_TPM);
	}
	if (r >= 0 && !(disk.wraps & htole32(BLOB_WRAPS_HUMAN)))
		r = -EINVAL;
	if (r < 0)
		return r;
	memcpy(disk.nonce, random->nonce, sizeof(disk.nonce));
	r = seal_payload(&disk, opened->recipient_secret, opened->public.verifier, opened->blob_key);
	if (r >= 0)
		memcpy(out, &disk, sizeof(disk));
	return r;
}

/* ---- reading ---- */

static int unknown(const char *name, struct failure *f, const char *what)
{
	return failure_set(f, REASON_IMAGE_VERSION, ENOTSUP, name, "Use the version of hibernated that wrote it.",
			   "the sealed private key has %s unknown here", what);
}

static void get_wrapped(struct reader *r, struct wrapped_key *key)
{
	get_bytes(r, key->commitment, sizeof(key->commitment));
	get_bytes(r, key->wrapped, sizeof(key->wrapped));
	get_bytes(r, key->tag, sizeof(key->tag));
}

/* One part of the blob each; without the way, the part is zeros. */
static int get_passphrase(struct reader *r, bool there, const char *name, struct blob_passphrase *p, struct failure *f)
{
	size_t end = r->at + sizeof(struct passphrase_disk);

	if (there) {
		if (get_u32(r) != WRAP_KIND_ARGON2ID)
			return unknown(name, f, "ways to open it that are");
		p->cost.memory_kib = get_u32(r);
		p->cost.passes = get_u32(r);
		p->cost.lanes = get_u32(r);
		get_bytes(r, p->salt, sizeof(p->salt));
		get_wrapped(r, &p->key);
	}
	return get_zeros(r, end - r->at) ? 0 : unknown(name, f, "fields that are");
}

static int get_recovery(struct reader *r, bool there, const char *name, struct blob_recovery *p, struct failure *f)
{
	size_t end = r->at + sizeof(struct recovery_disk);

	if (there) {
		if (get_u32(r) != WRAP_KIND_RECOVERY)
			return unknown(name, f, "ways to open it that are");
		get_bytes(r, p->salt, sizeof(p->salt));
		get_wrapped(r, &p->key);
	}
	return get_zeros(r, end - r->at) ? 0 : unknown(name, f, "fields that are");
}

static int get_tpm(struct reader *r, const uint8_t *blob, bool there, const char *name, struct tpm_part *p,
		   struct failure *f)
{
	if (there)
		return tpm_part_decode(blob + r->at, name, p, f);
	return get_zeros(r, sizeof(struct tpm_disk)) ? 0 : unknown(name, f, "fields that are");
}

int key_blob_decode(const void *place, const char *name, struct key_blob *blob, struct failure *f)
{
	struct key_blob decoded = {0};
	const struct argon2_cost *cost = &decoded.passphrase.cost;
	uint8_t magic[sizeof(BLOB_MAGIC) - 1];
	uint32_t version, size;
	struct reader reader;
	int r;

	reader_init(&reader, place, SEAL_BLOB_BYTES);
	get_bytes(&reader, magic, sizeof(magic));
	version = get_u32(&reader);
	size = get_u32(&reader);
	get_bytes(&reader, decoded.key_set, sizeof(decoded.key_set));
	decoded.wraps = get_u32(&reader);
	get_bytes(&reader, (uint8_t[CRYPTO_NONCE_BYTES]){0}, CRYPTO_NONCE_BYTES);
	if (memcmp(magic, BLOB_MAGIC, sizeof(magic)) != 0)
		return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, name, REMEDY_DAMAGED,
				   "there is no sealed private key");
	if (version != BLOB_VERSION || size != SEAL_BLOB_BYTES)
		return unknown(name, f, "a version");
	if (!(decoded.wraps & BLOB_WRAPS_HUMAN) || decoded.wraps & ~BLOB_WRAPS_KNOWN)
		return unknown(name, f, "ways to open it that are");
	r = get_passphrase(&reader, decoded.wraps & BLOB_WRAP_PASSPHRASE, name, &decoded.passphrase, f);
	if (r >= 0)
		r = get_recovery(&reader, decoded.wraps & BLOB_WRAP_RECOVERY, name, &decoded.recovery, f);
	if (r >= 0)
		r = get_tpm(&reader, place, decoded.wraps & BLOB_WRAP_TPM, name, &decoded.tpm, f);
	if (r < 0)
		return r;
	if (decoded.wraps & BLOB_WRAP_PASSPHRASE && !argon2_cost_valid(cost))
		return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, name, REMEDY_DAMAGED,
				   "the sealed private key asks for Argon2 with %u KiB, %u passes, %u lanes, of at "
				   "most %u, %u, %u",
				   cost->memory_kib, cost->passes, cost->lanes, ARGON2_MEMORY_MAX_KIB,
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

static int unwrap_by_recovery(const struct blob_disk *disk, const struct key_blob *blob, const uint8_t *recovery,
			      uint8_t blob_key[CRYPTO_KEY_BYTES])
{
	struct recovery_transcript_disk transcript = recovery_transcript(disk);

	return unwrap_key((struct bytes){recovery, RECOVERY_KEY_BYTES}, RECOVERY_LABEL,
			  (struct bytes){&transcript, sizeof(transcript)}, &blob->recovery.key, blob_key);
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
	memcpy(opened->blob_key, blob_key, sizeof(opened->blob_key));
	opened->by_human = true;
	return 0;
}

/* What came of unwrapping, then of opening what is sealed, for who asked. */
static int finish(int r, const struct blob_disk *disk, const uint8_t *blob_key, const char *name,
		  struct key_opened *opened, struct failure *f)
{
	if (r == 0)
		r = open_payload(disk, blob_key, opened);
	if (r == -EBADMSG)
		return unauthentic(name, f);
	if (r < 0)
		return failure_set(f, REASON_CRYPTO, -r, name, NULL, "the sealed private key cannot be opened here");
	return r;
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
	if (!(blob.wraps & BLOB_WRAP_PASSPHRASE))
		return KEY_WRONG_SECRET;
	if (blob.passphrase.cost.memory_kib > memory_kib)
		return failure_set(f, REASON_CRYPTO, ENOMEM, name, "Resume with more memory, or make a cheaper key.",
				   "the passphrase takes %u KiB of memory, and there are %llu",
				   blob.passphrase.cost.memory_kib, (unsigned long long)memory_kib);
	if (!passphrase.size)
		return KEY_WRONG_SECRET; /* none is sealed by it */
	r = blob_key ? unwrap_by_passphrase(&disk, &blob, passphrase, blob_key) : -ENOMEM;
	return finish(r, &disk, blob_key, name, opened, f);
}

int key_blob_open_recovery(const void *place, const uint8_t *recovery, const char *name, struct key_opened *opened,
			   struct failure *f)
{
	AUTO_SECRET uint8_t *blob_key = secret_new(CRYPTO_KEY_BYTES);
	struct blob_disk disk;
	struct key_blob blob;
	int r;

	memcpy(&disk, place, sizeof(disk));
	r = key_blob_decode(&disk, name, &blob, f);
	if (r < 0)
		return r;
	if (!(blob.wraps & BLOB_WRAP_RECOVERY))
		return KEY_WRONG_SECRET;
	r = blob_key ? unwrap_by_recovery(&disk, &blob, recovery, blob_key) : -ENOMEM;
	return finish(r, &disk, blob_key, name, opened, f);
}

int key_blob_open_key(const void *place, const uint8_t blob_key[CRYPTO_KEY_BYTES], const char *name,
		      struct key_opened *opened, struct failure *f)
{
	struct blob_disk disk;
	struct key_blob blob;
	int r;

	memcpy(&disk, place, sizeof(disk));
	r = key_blob_decode(&disk, name, &blob, f);
	if (r >= 0)
		r = finish(0, &disk, blob_key, name, opened, f);
	if (r >= 0)
		opened->by_human = false;
	return r;
}
