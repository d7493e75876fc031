/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What parses key slots, sealed private blobs, recovery keys and key files, and what opens a blob or a whole header page.
 *
 * The first byte of the input chooses. What a parser accepts must obey the limits that its callers rely on; a slot and
 * key files must be written again as the same bytes; of all blobs and of all header pages only the ones of the corpus open by their
 * passphrases; and a recovery key that is accepted is the same when it is written and read again. Checksums are made right
 * first, as an attacker would.
 */
#include "base/secret.h"
#include "image/format.h"
#include "scratch.h"
#include "seal/blob.h"
#include "seal/keyfile.h"
#include "seal/open.h"
#include "seal/slot.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MEMORY_KIB 64

static void require(bool truth)
{
	if (!truth)
		abort();
}

static void fuzz_slot(const uint8_t *data, size_t size)
{
	uint8_t place[SEAL_SLOT_BYTES] = {0}, again[SEAL_SLOT_BYTES];
	struct key_slot slot;
	struct failure f;

	memcpy(place, data, MIN(size, sizeof(place)));
	if (key_slot_decode(place, "fuzz", &slot, &f) < 0)
		return;
	key_slot_encode(&slot, again);
	require(memcmp(place, again, sizeof(place)) == 0);
}

static void fuzz_blob(const uint8_t *data, size_t size)
{
	uint8_t place[SEAL_BLOB_BYTES] = {0};
	struct key_blob blob;
	struct failure f;

	memcpy(place, data, MIN(size, sizeof(place)));
	if (key_blob_decode(place, "fuzz", &blob, &f) < 0)
		return;
	require(blob.wraps && !(blob.wraps & ~BLOB_WRAPS_KNOWN));
	require(!(blob.wraps & BLOB_WRAP_PASSPHRASE) || argon2_cost_valid(&blob.passphrase.cost));
}

static void fuzz_open(const uint8_t *data, size_t size)
{
	static const uint8_t id[KEY_SET_ID_BYTES] = {0xd8, 0xc2, 0x06, 0xe6, 0x44, 0x68, 0xea, 0xf9,
						     0x41, 0x1e, 0x7d, 0xb3, 0x3e, 0xf6, 0x9f, 0x99};
	AUTO_SECRET struct key_opened *opened = secret_new(sizeof(*opened));
	uint8_t place[SEAL_BLOB_BYTES] = {0};
	struct failure f;

	require(opened && crypto_init(&f) >= 0);
	memcpy(place, data, MIN(size, sizeof(place)));
	if (key_blob_open(place, (struct bytes){"correct horse", 13}, MEMORY_KIB, "fuzz", opened, &f) == 0)
		require(memcmp(opened->public.id, id, sizeof(id)) == 0);
}

static void fuzz_recovery(const uint8_t *data, size_t size)
{
	uint8_t key[RECOVERY_KEY_BYTES], again[RECOVERY_KEY_BYTES];
	char text[RECOVERY_TEXT_BYTES];
	unsigned int group = 0;
	int r = recovery_key_parse((struct bytes){data, size}, key, &group);

	require(r >= 0 && group <= RECOVERY_GROUPS);
	if (r == RECOVERY_TYPO)
		return;
	recovery_key_format(key, text);
	require(recovery_key_parse((struct bytes){text, strlen(text)}, again, NULL) == 0);
	require(memcmp(key, again, sizeof(key)) == 0);
	require(recovery_key_meant((struct bytes){data, size}));
}

static void hash_end(void *file, size_t size)
{
	struct bytes before = {file, size - KEY_FILE_HASH_BYTES};

	require(hash_of(HASH_SHA256, &before, 1, (uint8_t *)file + before.size) >= 0);
}

/* The file `public`, and behind it the file `signing`. */
static void fuzz_files(const uint8_t *data, size_t size)
{
	AUTO_SECRET struct key_material *material = secret_new(sizeof(*material));
	struct {
		struct public_file_disk public;
		struct signing_file_disk signing;
	} files = {0};
	struct failure f;

	require(material && crypto_init(&f) >= 0);
	memcpy(&files, data, MIN(size, sizeof(files)));
	hash_end(&files.public, sizeof(files.public));
	hash_end(&files.signing, sizeof(files.signing));
	scratch_write("public", &files.public, sizeof(files.public));
	scratch_write("signing", &files.signing, sizeof(files.signing));
	if (key_file_load(scratch_folder(), material, &f) < 0)
		return;
	require(memchr(material->label, '\0', sizeof(material->label)) != NULL);
	require(key_file_store(scratch_folder(), material, &f) >= 0);
	require(scratch_holds("public", &files.public, sizeof(files.public)));
	require(scratch_holds("signing", &files.signing, sizeof(files.signing)));
}

/* The header page of a whole image: from its checksum to the image key. */
static void fuzz_page(const uint8_t *data, size_t size)
{
	static const uint8_t hash[32] = {0xea, 0xf0, 0xbb, 0x31, 0x58, 0xc3, 0xd4, 0x46,
                                          0xa5, 0x63, 0x63, 0xe2, 0x4b, 0x3f, 0xb6, 0x40,
                                          0x45, 0x37, 0x36, 0x1c, 0x95, 0xf8, 0x02, 0x55,
                                          0xf0, 0xd2, 0xd3, 0x38, 0x42, 0x10, 0x14, 0x73};
	AUTO_SECRET struct seal_opened *opened = secret_new(sizeof(*opened));
	struct header_disk page = {0};
	struct image_header header;
	struct checksum sum;
	uint8_t found[32];
	struct failure f;
	uint32_t wraps;

	require(opened && crypto_init(&f) >= 0);
	memcpy(&page, data, MIN(size, sizeof(page)));
	sum = checksum_of(&page, offsetof(struct header_disk, checksum));
	memcpy(page.checksum, sum.bytes, sizeof(page.checksum));
	if (image_header_decode(&page, "fuzz", 64 * MIB, &header, &f) < 0 || !suite_seals(header.suite) ||
	    seal_page_check(&page, "fuzz", &wraps, &f) < 0 ||
	    seal_page_open(&page, (struct bytes){"golden", 6}, MEMORY_KIB, "fuzz", opened, &f) != 0)
		return;
	require(hash_of(HASH_SHA256, &(struct bytes){&page, offsetof(struct header_disk, signature)}, 1, found) >= 0);
	require(memcmp(hash, found, sizeof(hash)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	switch (data[0]) {
	case 's':
		fuzz_slot(data + 1, size - 1);
		break;
	case 'b':
		fuzz_blob(data + 1, size - 1);
		break;
	case 'r':
		fuzz_recovery(data + 1, size - 1);
		break;
	case 'o':
		fuzz_open(data + 1, size - 1);
		break;
	case 'f':
		fuzz_files(data + 1, size - 1);
		break;
	case 'p':
		fuzz_page(data + 1, size - 1);
		break;
	default:
		break;
	}
	return 0;
}
