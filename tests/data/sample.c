/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sample.h"

#include "base/fdio.h"
#include "base/secret.h"
#include "seal/blob.h"
#include "seal/keyfile.h"
#include "seal/recovery.h"
#include "seal/slot.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CREATED_USEC UINT64_C(1767225600000000)

/* These rows are the images under tests/data: change none, add below. */
const struct sample samples[] = {
	{
		.name = "lz4",
		.codec = CODEC_LZ4,
		.chunk_size = 64 * KIB,
		.pages = 70, /* the last chunk is short */
		.random_chunk = UINT32_MAX,
		.device_pages = 28,
		.fingerprints = 1,
		.extents = {{8, 20}},
	},
	{
		.name = "lz4-extents",
		.codec = CODEC_LZ4,
		.chunk_size = 64 * KIB,
		.pages = 49,
		.random_chunk = 1, /* stored raw */
		.device_pages = 48,
		.area_page = 3, /* a swap file */
		.fingerprints = 2,
		.platform = true,
		.extents = {{1, 2}, {4, 1}, {7, 20}, {29, 1}, {40, 8}},
	},
	{
		.name = "zstd",
		.codec = CODEC_ZSTD,
		.chunk_size = 128 * KIB,
		.pages = 96,
		.random_chunk = UINT32_MAX,
		.device_pages = 24,
		.platform = true,
		.extents = {{1, 7}, {10, 14}},
	},
	{
		.name = "none",
		.codec = CODEC_NONE,
		.chunk_size = 64 * KIB,
		.pages = 17,
		.random_chunk = UINT32_MAX,
		.device_pages = 26,
		.fingerprints = FINGERPRINTS_MAX,
		.extents = {{2, 10}, {14, 12}},
	},
	{
		.name = "dropped",
		.codec = CODEC_LZ4,
		.chunk_size = 256 * KIB,
		.pages = 20,
		.random_chunk = UINT32_MAX,
		.device_pages = 10,
		.fingerprints = 1,
		.drop = MARK_DROP_BOOTED,
		.extents = {{1, 9}},
	},
};
const size_t sample_count = ARRAY_LENGTH(samples);

/* Likewise. */
const struct sample sealed_samples[] = {
	{
		.name = "sealed-gcm",
		.codec = CODEC_LZ4,
		.chunk_size = 64 * KIB,
		.pages = 70,
		.random_chunk = 2,
		.device_pages = 44,
		.fingerprints = 1,
		.suite = SUITE_AES256_GCM,
		.extents = {{8, 36}},
	},
	{
		.name = "sealed-ocb",
		.codec = CODEC_LZ4,
		.chunk_size = 64 * KIB,
		.pages = 49,
		.random_chunk = 1,
		.device_pages = 48,
		.area_page = 3,
		.fingerprints = 2,
		.platform = true,
		.suite = SUITE_AES256_OCB,
		.extents = {{1, 2}, {4, 1}, {7, 20}, {29, 1}, {40, 8}},
	},
	{
		.name = "sealed-chacha20",
		.codec = CODEC_NONE,
		.chunk_size = 64 * KIB,
		.pages = 17,
		.random_chunk = UINT32_MAX,
		.device_pages = 26,
		.fingerprints = 1,
		.drop = MARK_DROP_BOOTED,
		.suite = SUITE_CHACHA20_POLY1305,
		.extents = {{2, 10}, {14, 12}},
	},
	{
		.name = "sealed-recovery",
		.codec = CODEC_LZ4,
		.chunk_size = 64 * KIB,
		.pages = 20,
		.random_chunk = UINT32_MAX,
		.device_pages = 12,
		.fingerprints = 1,
		.suite = SUITE_AES256_OCB,
		.all_ways = true,
		.extents = {{1, 11}},
	},
};
const size_t sealed_sample_count = ARRAY_LENGTH(sealed_samples);

static uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void sample_page(const struct sample *sample, uint32_t number, uint8_t page[PAGE_BYTES])
{
	bool random = number / (sample->chunk_size / PAGE_BYTES) == sample->random_chunk;
	uint64_t seed = mix(number + 1) * UINT64_C(0x9e3779b97f4a7c15);

	memset(page, 0, PAGE_BYTES);
	if (!random && number % 4 == 3)
		return; /* a page of zeros */
	for (uint32_t i = 0; i < PAGE_BYTES; i += 8) {
		uint64_t r = mix(seed + i);

		if (!random && r % 8)
			r = number % 4; /* seven of eight words are small numbers */
		for (int b = 0; b < 8; b++)
			page[i + b] = (uint8_t)(r >> (8 * b));
	}
}

static void number_bytes(uint8_t *bytes, size_t size, uint8_t first)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(first + i);
}

static void fill_meta(const struct sample *sample, struct image_meta *meta)
{
	*meta = (struct image_meta){
		.created_usec = CREATED_USEC,
		.kernel_release = "6.1.0-32-amd64",
		.architecture = "x86_64",
		.hostname = "sample",
		.program_version = "0.1.0",
		.area = {
			.device_size = (uint64_t)sample->device_pages * PAGE_BYTES,
			.partition_start = 1 * MIB,
			.part_uuid = "0c0ffee0-0001-4000-8000-0123456789ab",
			.device_id = "serial:SAMPLE-0001",
		},
		.area_start = (uint64_t)sample->area_page * PAGE_BYTES,
		.platform = sample->platform,
		.snapshot_pages = sample->pages,
		.chunk_size = sample->chunk_size,
		.codec = sample->codec,
		.fingerprint_count = sample->fingerprints,
	};
	number_bytes(meta->id.bytes, sizeof(meta->id.bytes), (uint8_t)(0x10 + sample->number));
	number_bytes(meta->boot_id, sizeof(meta->boot_id), 0x30);
	number_bytes(meta->machine_id, sizeof(meta->machine_id), 0x50);
	number_bytes(meta->area.swap_uuid, sizeof(meta->area.swap_uuid), 0x70);
	if (sample->area_page)
		number_bytes(meta->area.filesystem_uuid, sizeof(meta->area.filesystem_uuid), 0x90);
	for (uint32_t i = 0; i < sample->fingerprints; i++) {
		struct fingerprint *print = &meta->fingerprints[i];

		print->kind = (enum fingerprint_kind)(FINGERPRINT_EXT + i % (_FINGERPRINT_KIND_MAX - FINGERPRINT_EXT));
		number_bytes(print->uuid, sizeof(print->uuid), (uint8_t)(0xa0 + i));
		print->device_size = (i + 1) * GIB;
		memcpy(print->device_id, "serial:SAMPLE-0001+2048", sizeof("serial:SAMPLE-0001+2048"));
		memcpy(print->mount, i ? "/srv" : "/", i ? sizeof("/srv") : sizeof("/"));
		number_bytes(print->value, sizeof(print->value), (uint8_t)(0xc0 + i));
	}
}

int sample_keys(struct key_material *material)
{
	AUTO_SECRET struct key_set *set = secret_new(sizeof(*set));
	AUTO_SECRET struct blob_random *random = secret_new(sizeof(*random));
	const struct argon2_cost cost = {.memory_kib = 1024, .passes = 2, .lanes = 1};
	int r;

	if (!set || !random)
		return -ENOMEM;
	number_bytes(set->recipient_secret, sizeof(set->recipient_secret), 0x01);
	number_bytes(set->signing_seed, sizeof(set->signing_seed), 0x41);
	number_bytes((uint8_t *)random, sizeof(*random), 0x81);
	r = key_set_complete(set);
	if (r >= 0)
		r = key_blob_make(set, (struct bytes){SAMPLE_PASSPHRASE, strlen(SAMPLE_PASSPHRASE)}, &cost, random,
				  material->blob);
	if (r < 0)
		return r;
	material->public = set->public;
	memcpy(material->signing_seed, set->signing_seed, sizeof(material->signing_seed));
	memcpy(material->label, "sample", sizeof("sample"));
	material->created_usec = CREATED_USEC;
	return 0;
}

/* A recovery key for the blob, and a part that no TPM made: nobody but a TPM looks into that. */
static int add_ways(struct key_material *material)
{
	AUTO_SECRET struct key_opened *opened = secret_new(sizeof(*opened));
	AUTO_SECRET struct blob_random *random = secret_new(sizeof(*random));
	struct tpm_disk tpm = {
		.kind = htole32(WRAP_KIND_TPM2),
		.flags = htole32(TPM_FLAG_PIN),
		.pcrs = htole32(1u << 7 | 1u << 15),
		.public_size = htole16(78),
		.private_size = htole16(160),
	};
	uint8_t recovery[RECOVERY_KEY_BYTES];
	struct failure f;
	int r;

	if (!opened || !random)
		return -ENOMEM;
	number_bytes(recovery, sizeof(recovery), 0x80);
	number_bytes((uint8_t *)random, sizeof(*random), 0x91);
	number_bytes(tpm.hints, 2 * TPM_HINT_BYTES, 0x11);
	number_bytes(tpm.salt, sizeof(tpm.salt), 0x21);
	number_bytes(tpm.object, 78 + 160, 0x31);
	r = key_blob_open(material->blob, (struct bytes){SAMPLE_PASSPHRASE, strlen(SAMPLE_PASSPHRASE)}, UINT64_MAX, "sample",
			  opened, &f);
	if (r)
		return r < 0 ? r : -EINVAL;
	return key_blob_change(material->blob, opened, &(struct blob_change){.recovery = recovery, .tpm = &tpm}, random,
			       material->blob);
}

/* The keys of one sealed sample; all zeros for one that is not. */
struct sealing {
	struct key_material *keys;
	struct seal_stream *chunks;
	struct image_seal seal;
	uint8_t slot[SEAL_SLOT_BYTES];
};

static void sealing_end(struct sealing *s)
{
	secret_free(s->keys);
	seal_stream_free(s->chunks);
	seal_stream_free(s->seal.body);
}

/* Slot and blob, and of a header page with them the keys. */
static int sealing_begin(const struct sample *sample, const struct image_meta *meta, struct sealing *s)
{
	AUTO_SECRET uint8_t *secrets = secret_new(2 * CRYPTO_KEY_BYTES);
	struct seal_transcript transcript = {.suite = sample->suite};
	struct image_header header = {.id = meta->id, .suite = sample->suite};
	struct slot_image image = {.suite = sample->suite};
	uint8_t page[PAGE_BYTES];
	struct key_slot slot;
	int r;

	if (!suite_seals(sample->suite))
		return 0;
	s->keys = secret_new(sizeof(*s->keys));
	if (!s->keys || !secrets)
		return -ENOMEM;
	number_bytes(secrets, 2 * CRYPTO_KEY_BYTES, (uint8_t)(0xa1 + sample->number));
	memcpy(image.id, meta->id.bytes, sizeof(image.id));
	r = sample->keys ? 0 : sample_keys(s->keys);
	if (sample->keys)
		*s->keys = *sample->keys;
	if (r >= 0 && sample->all_ways)
		r = add_ways(s->keys);
	if (r >= 0)
		r = key_slot_make(&s->keys->public, &image, secrets, secrets + CRYPTO_KEY_BYTES, &slot);
	if (r < 0)
		return r;
	key_slot_encode(&slot, s->slot);
	s->seal = (struct image_seal){.suite = sample->suite, .slot = s->slot, .blob = s->keys->blob};
	memcpy(header.slot, s->slot, sizeof(header.slot));
	memcpy(header.blob, s->keys->blob, sizeof(header.blob));
	image_header_encode(&header, page);
	memcpy(transcript.image_id, image.id, sizeof(transcript.image_id));
	r = seal_header_hash(page, transcript.header_hash);
	if (r >= 0)
		r = seal_stream_new(&s->chunks, SEAL_CHUNKS, sample->suite);
	if (r >= 0)
		r = seal_stream_key(s->chunks, &transcript, secrets + CRYPTO_KEY_BYTES);
	if (r >= 0)
		r = seal_stream_new(&s->seal.body, SEAL_BODY, sample->suite);
	return r < 0 ? r : seal_stream_key(s->seal.body, &transcript, secrets + CRYPTO_KEY_BYTES);
}

/* mkswap, as far as anything here looks. */
static int write_swap_header(const struct sample *sample, int fd)
{
	uint8_t page[PAGE_BYTES] = {0};

	page[1024] = 1; /* version */
	page[1028] = (uint8_t)(sample->device_pages - sample->area_page - 1);
	number_bytes(page + 1036, 16, 0x70);
	memcpy(page + PAGE_BYTES - MARK_SIGNATURE_BYTES, "SWAPSPACE2", MARK_SIGNATURE_BYTES);
	return fd_pwrite_full(fd, page, sizeof(page), (uint64_t)sample->area_page * PAGE_BYTES);
}

static int write_stream(int fd, const struct extent_list *stream, uint64_t offset, const uint8_t *data, size_t size)
{
	while (size) {
		uint64_t start, run;
		int r = extent_list_locate(stream, offset, &start, &run);

		if (r >= 0) {
			run = MIN(run, size);
			r = fd_pwrite_full(fd, data, run, start);
		}
		if (r < 0)
			return r;
		data += run;
		offset += run;
		size -= run;
	}
	return 0;
}

/* Two buffers of a chunk: pages and block; the workspace behind them. */
static int write_chunk(const struct sample *sample, int fd, struct sample_place *place, const struct sealing *sealing,
		       uint64_t offset, uint8_t *memory, size_t workspace_size)
{
	uint32_t full = sample->chunk_size / PAGE_BYTES, first = (uint32_t)place->index.count * full;
	uint8_t *pages = memory, *block = memory + sample->chunk_size;
	struct image_chunk *chunk = &place->index.chunks[place->index.count++];
	size_t stored;

	*chunk = (struct image_chunk){
		.offset = offset,
		.size = MIN(full, sample->pages - first) * PAGE_BYTES,
		.codec = sample->codec,
	};
	for (uint32_t i = 0; i < chunk->size / PAGE_BYTES; i++)
		sample_page(sample, first + i, pages + (size_t)i * PAGE_BYTES);
	memset(block, 0, sample->chunk_size);
	if (sample->codec == CODEC_NONE ||
	    codec_compress(sample->codec, 0, block + sample->chunk_size, workspace_size, pages, chunk->size, block,
			   chunk->size - PAGE_BYTES, &stored) < 0) {
		memcpy(block, pages, chunk->size);
		stored = chunk->size;
		chunk->codec = CODEC_NONE;
	}
	chunk->stored = (uint32_t)stored;
	if (sealing->chunks)
		seal_chunk_seal(sealing->chunks,
				&(struct seal_chunk){place->index.count - 1, first + full >= sample->pages, chunk->stored,
						     chunk->size, (uint32_t)chunk->codec},
				block, block, chunk->tag.bytes);
	else
		chunk->tag = checksum_of(block, stored);
	return write_stream(fd, &place->map, offset, block, round_up(stored, PAGE_BYTES));
}

static int write_mark(const struct sample *sample, int fd, const struct sample_place *place, void *buffer,
		      struct failure *f)
{
	struct mark_io io = {
		.fd = fd,
		.position = (uint64_t)sample->area_page * PAGE_BYTES,
		.buffer = buffer,
		.name = sample->name,
	};
	struct mark mark = {
		.header_offset = place->image.header_offset,
		.identity = place->meta.area,
		.save = {.created_usec = CREATED_USEC, .save_usec = 2500000, .write_usec = 1500000,
			 .stored_bytes = place->image.stream_end, .pages = sample->pages},
	};
	int r;

	memcpy(mark.boot_id, place->meta.boot_id, sizeof(mark.boot_id));
	memcpy(mark.image_id, place->meta.id.bytes, sizeof(mark.image_id));
	r = mark_arm(&io, &mark, f);
	if (r >= 0 && sample->drop != MARK_DROP_NONE)
		r = mark_disarm(&io, sample->drop, f);
	return r;
}

/* Body and header page. */
static int write_end(const struct sample *sample, int fd, struct sample_place *place, const struct sealing *sealing,
		     uint64_t offset, uint8_t *memory, size_t size, struct failure *f)
{
	bool sealed = suite_seals(sample->suite);
	int r = image_write_body(fd, sample->name, &place->map, offset, &place->meta, &place->index,
				 sealed ? &sealing->seal : NULL, memory, size, &place->image, f);

	if (r >= 0 && sealed) {
		r = header_sign(sealing->keys->signing_seed, memory);
		image_header_sign(memory, memory + SEAL_PAGE_SIGNATURE);
	}
	return r < 0 ? r : image_write_header(fd, sample->name, &place->image, f);
}

int sample_write(const struct sample *sample, int fd, struct sample_place *place, struct failure *f)
{
	size_t workspace = codec_workspace_size(sample->codec, 0, sample->chunk_size);
	size_t body = image_body_size(SAMPLE_EXTENTS_MAX, SAMPLE_CHUNKS_MAX);
	size_t size = round_up(2 * (size_t)sample->chunk_size + workspace + body + MARK_BUFFER_BYTES, PAGE_BYTES);
	AUTO_FREE uint8_t *memory = aligned_alloc(PAGE_BYTES, size);
	uint64_t offset = PAGE_BYTES;
	struct sealing sealing = {0};
	int r;

	if (!memory)
		return -ENOMEM;
	*place = (struct sample_place){0};
	fill_meta(sample, &place->meta);
	extent_list_init(&place->map, place->map_items, SAMPLE_EXTENTS_MAX);
	place->index = (struct image_index){.chunks = place->chunks, .capacity = SAMPLE_CHUNKS_MAX};
	for (size_t i = 0; i < SAMPLE_EXTENTS_MAX && sample->extents[i].length; i++)
		extent_list_append(&place->map, sample->extents[i].start * PAGE_BYTES,
				   sample->extents[i].length * PAGE_BYTES);
	r = ftruncate(fd, (off_t)((uint64_t)sample->device_pages * PAGE_BYTES)) < 0 ? -errno : write_swap_header(sample, fd);
	if (r >= 0)
		r = sealing_begin(sample, &place->meta, &sealing);
	while (r >= 0 && place->index.count < div_up(sample->pages, sample->chunk_size / PAGE_BYTES)) {
		r = write_chunk(sample, fd, place, &sealing, offset, memory, workspace);
		offset += round_up(place->chunks[place->index.count - 1].stored, PAGE_BYTES);
	}
	if (r < 0)
		r = failure_set(f, REASON_IO, -r, sample->name, NULL, "writing the sample's chunks failed");
	if (r >= 0)
		r = write_end(sample, fd, place, &sealing, offset, memory, size, f);
	sealing_end(&sealing);
	if (r >= 0)
		r = write_mark(sample, fd, place, memory, f);
	place->image.page = NULL;
	return r;
}
