/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "resumer.h"

#include "area/mark-disk.h"
#include "base/fdio.h"
#include "base/secret.h"
#include "image/format.h"
#include "seal/blob.h"
#include "seal/keyfile.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NAME "test"
#define ARGON2_KIB 64

static const char *const stage_names[] = {
	[STAGE_MARK] = "the mark", [STAGE_HEADER] = "the header page", [STAGE_SECRET] = "the secret",
	[STAGE_BODY] = "the body", [STAGE_CHUNKS] = "the chunks",      [STAGE_END] = "the end",
};
_Static_assert(ARRAY_LENGTH(stage_names) == _STAGE_MAX, "each stage has a name");

struct key_material *resumer_keys(uint8_t number)
{
	AUTO_SECRET struct key_set *set = secret_new(sizeof(*set));
	AUTO_SECRET struct blob_random *random = secret_new(sizeof(*random));
	struct key_material *keys = secret_new(sizeof(*keys));
	const struct argon2_cost cost = {.memory_kib = ARGON2_KIB, .passes = 1, .lanes = 1};
	struct failure f = {0};

	ck_assert_msg(crypto_init(&f) >= 0, "%s", f.text);
	ck_assert(set && random && keys);
	memset(set->recipient_secret, 0x21 + number, sizeof(set->recipient_secret));
	memset(set->signing_seed, 0x41 + number, sizeof(set->signing_seed));
	memset(random, 0x61 + number, sizeof(*random));
	ck_assert_int_eq(key_set_complete(set), 0);
	ck_assert_int_eq(key_blob_make(set, (struct bytes){RESUMER_PASSPHRASE, strlen(RESUMER_PASSPHRASE)}, &cost, random,
				       keys->blob), 0);
	keys->public = set->public;
	memcpy(keys->signing_seed, set->signing_seed, sizeof(keys->signing_seed));
	return keys;
}

static void make_buffers(struct resumer *r)
{
	r->buffer_size = 2 * PAGE_BYTES + round_up(image_body_size(SAMPLE_EXTENTS_MAX, SAMPLE_CHUNKS_MAX), PAGE_BYTES);
	r->buffer = aligned_alloc(PAGE_BYTES, r->buffer_size);
	r->region_size = round_up(pipeline_region_least(r->sample.codec, 0, r->sample.chunk_size, 1) +
				  4 * (size_t)r->sample.chunk_size, PAGE_BYTES);
	r->region = aligned_alloc(PAGE_BYTES, r->region_size);
	r->job = calloc(1, sizeof(*r->job));
	ck_assert(r->buffer && r->region && r->job);
	r->job->direction = WORKER_RESTORE;
	r->job->threads = 1;
	snprintf(r->job->area_name, sizeof(r->job->area_name), NAME);
	r->job->seal.memory_kib = ARGON2_KIB;
	extent_list_init(&r->map, r->map_items, SAMPLE_EXTENTS_MAX);
	r->index = (struct image_index){.chunks = r->chunks, .capacity = RESUMER_CHUNKS};
}

struct resumer *resumer_new(const struct sample *sample, const struct key_material *keys)
{
	struct resumer *r = calloc(1, sizeof(*r));
	char text[1024];

	ck_assert_ptr_nonnull(r);
	r->sample = *sample;
	r->sample.keys = keys;
	r->typed = RESUMER_PASSPHRASE;
	r->size = (uint64_t)sample->device_pages * PAGE_BYTES;
	r->device = memfd_create("device", MFD_CLOEXEC);
	ck_assert_int_ge(r->device, 0);
	if (sample_write(&r->sample, r->device, &r->place, &r->failure) < 0)
		ck_abort_msg("%s", failure_format(&r->failure, text, sizeof(text)));
	r->bytes = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, r->device, 0);
	ck_assert_ptr_ne(r->bytes, MAP_FAILED);
	r->original = malloc(r->size);
	r->pages = malloc((size_t)sample->pages * PAGE_BYTES);
	ck_assert(r->original && r->pages);
	memcpy(r->original, r->bytes, r->size);
	for (uint32_t i = 0; i < sample->pages; i++)
		sample_page(sample, i, r->pages + (size_t)i * PAGE_BYTES);
	make_buffers(r);
	worker_keys_init(&r->keys, r->job, suite_seals(sample->suite), &r->failure);
	return r;
}

struct resumer *resumer_free(struct resumer *r)
{
	worker_keys_deinit(&r->keys);
	munmap(r->bytes, (size_t)r->sample.device_pages * PAGE_BYTES);
	fd_close(r->device);
	free(r->original);
	free(r->pages);
	free(r->buffer);
	free(r->region);
	free(r->job);
	free(r);
	return NULL;
}

int resumer_mark(struct resumer *r)
{
	struct mark_io io = {.fd = r->device, .position = (uint64_t)r->sample.area_page * PAGE_BYTES, .buffer = r->buffer,
			     .name = NAME};
	int result;

	r->stage = STAGE_MARK;
	r->failure = (struct failure){0};
	r->taken = 0;
	r->finished = r->other = false;
	result = mark_read(&io, &r->mark, &r->failure);
	if (result < 0 || r->mark.kind == MARK_ARMED)
		return result;
	if (r->mark.kind == MARK_DAMAGED)
		return failure_set(&r->failure, REASON_IMAGE_DAMAGED, EBADMSG, NAME, NULL, "a damaged mark");
	return failure_set(&r->failure, REASON_NO_IMAGE, ENODATA, NAME, NULL, "a mark of kind %s",
			   mark_kind_name(r->mark.kind));
}

static int unseal(struct resumer *r)
{
	int result = worker_keys_check(&r->keys, r->buffer, r->job, &r->failure);

	if (result < 0)
		return result;
	r->stage = STAGE_SECRET;
	r->job->seal.secret_size = (uint32_t)strlen(r->typed);
	memcpy(r->job->seal.secret, r->typed, r->job->seal.secret_size);
	result = worker_keys_open(&r->keys, r->job, r->buffer, &r->failure);
	if (result == KEY_WRONG_SECRET)
		return failure_set(&r->failure, REASON_WRONG_SECRET, EACCES, NAME, NULL, "not the passphrase");
	return result;
}

int resumer_header(struct resumer *r)
{
	int result;

	r->stage = STAGE_HEADER;
	worker_keys_deinit(&r->keys);
	result = image_read_header(r->device, NAME, r->mark.header_offset, r->size, r->buffer, &r->header, &r->failure);
	if (result >= 0)
		result = seal_admit(r->required, (uint32_t)r->header.suite, NAME, &r->failure);
	return result < 0 || !suite_seals(r->header.suite) ? result : unseal(r);
}

int resumer_body(struct resumer *r)
{
	int result;

	r->stage = STAGE_BODY;
	result = image_read_body(r->device, NAME, &r->header, r->mark.header_offset, r->size, r->keys.body,
				 r->buffer + PAGE_BYTES, r->buffer_size - PAGE_BYTES, &r->meta, &r->map, &r->index,
				 &r->failure);
	if (result >= 0 && memcmp(r->meta.id.bytes, r->mark.image_id, sizeof(r->mark.image_id)) != 0)
		result = failure_set(&r->failure, REASON_IMAGE_DAMAGED, EBADMSG, NAME, NULL, "mark and image are two");
	if (result >= 0 && r->opened)
		r->opened(r);
	return result;
}

static ssize_t take_pages(void *data, void *buffer, size_t pages)
{
	struct resumer *r = data;

	if (r->taken + pages > r->sample.pages ||
	    memcmp(r->pages + r->taken * PAGE_BYTES, buffer, pages * PAGE_BYTES) != 0)
		r->other = true;
	r->taken += pages;
	return (ssize_t)pages;
}

static int take_end(void *data)
{
	struct resumer *r = data;

	r->finished = true;
	return 0;
}

int resumer_pages(struct resumer *r)
{
	struct pipeline_job way = {
		.load = true,
		.codec = r->meta.codec,
		.chunk_size = r->meta.chunk_size,
		.area_fd = r->device,
		.area_name = NAME,
		.extents = &r->map,
		.pages = r->meta.snapshot_pages,
		.index = &r->index,
		.seal = worker_keys_streams(&r->keys),
		.mover = {.move = take_pages, .finish = take_end, .data = r},
	};
	struct pipeline_result done;
	struct pipeline *pipeline;
	struct failure later;
	int result;

	r->stage = STAGE_CHUNKS;
	result = pipeline_start(&pipeline, r->region, r->region_size, 1, 1, &r->failure);
	if (result < 0)
		return result;
	result = pipeline_begin(pipeline, &way, &r->failure);
	if (result < 0) {
		pipeline_end(pipeline, &done, &later);
		return result;
	}
	result = pipeline_end(pipeline, &done, &r->failure);
	if (result >= 0)
		r->stage = STAGE_END;
	return result;
}

int resumer_run(struct resumer *r)
{
	int result = resumer_mark(r);

	if (result >= 0)
		result = resumer_header(r);
	if (result >= 0)
		result = resumer_body(r);
	return result < 0 ? result : resumer_pages(r);
}

void resumer_restore(struct resumer *r)
{
	memcpy(r->bytes, r->original, (size_t)r->sample.device_pages * PAGE_BYTES);
}

uint8_t *resumer_page(struct resumer *r)
{
	return r->bytes + r->place.image.header_offset;
}

void resumer_sum(struct resumer *r)
{
	struct header_disk *disk = (void *)resumer_page(r);
	struct checksum sum = checksum_of(disk, offsetof(struct header_disk, checksum));

	memcpy(disk->checksum, sum.bytes, sizeof(disk->checksum));
}

void resumer_sum_mark(struct resumer *r)
{
	struct mark_disk *disk = (void *)(r->bytes + r->sample.area_page * PAGE_BYTES + MARK_OFFSET);

	mark_disk_checksum(disk, disk->checksum);
}

void resumer_sign(struct resumer *r, const struct key_material *keys)
{
	ck_assert_int_eq(header_sign(keys->signing_seed, resumer_page(r)), 0);
	resumer_sum(r);
}

uint64_t resumer_place(const struct resumer *r, uint64_t offset)
{
	uint64_t start, run;

	ck_assert_int_eq(extent_list_locate(&r->place.map, offset, &start, &run), 0);
	return start;
}

const char *resumer_stage_name(enum resumer_stage stage)
{
	return stage_names[stage];
}

const char *resumer_tell(const struct resumer *r, char *text, size_t size)
{
	snprintf(text, size, "%s at %s, %s (\"%s\"), %llu pages%s%s", r->stage == STAGE_END ? "resumed" : "refused",
		 stage_names[r->stage], reason_name(r->failure.reason), r->failure.text, (unsigned long long)r->taken,
		 r->other ? ", others than were hibernated" : "", r->finished ? ", and the end" : "");
	return text;
}
