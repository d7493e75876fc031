/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verify and extract: both go through all chunks in order, and differ in what they do with the pages. */
#include "cli/image-commands.h"

#include "base/fdio.h"
#include "cli/image-source.h"
#include "cli/json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Called with the pages of one chunk. 0 or -errno with @f. */
typedef int (*pages_sink)(void *data, const void *pages, size_t size, struct failure *f);

struct chunk_reader {
	const struct image_source *source;
	const struct image_loaded *image;
	struct extent_cursor cursor;
	size_t workspace_size;
	uint8_t *block, *pages, *workspace; /* in one allocation, at @block */
};

static int reader_begin(struct chunk_reader *reader, const struct image_source *source, const struct image_loaded *image,
			struct failure *f)
{
	size_t chunk_size = image->meta.chunk_size;

	*reader = (struct chunk_reader){
		.source = source,
		.image = image,
		.workspace_size = codec_workspace_size(image->meta.codec, 0, chunk_size),
	};
	extent_cursor_init(&reader->cursor, &image->map);
	reader->block = aligned_alloc(PAGE_BYTES, round_up(2 * chunk_size + reader->workspace_size, PAGE_BYTES));
	if (!reader->block)
		return failure_set(f, REASON_INTERNAL, ENOMEM, source->name, NULL, "no memory for chunks of %zu bytes", chunk_size);
	reader->pages = reader->block + chunk_size;
	reader->workspace = reader->pages + chunk_size;
	return 0;
}

static int read_block(struct chunk_reader *reader, const struct image_chunk *chunk, size_t number, struct failure *f)
{
	uint64_t offset = chunk->offset, left = round_up(chunk->stored, PAGE_BYTES);
	uint8_t *at = reader->block;

	while (left) {
		uint64_t start, run;
		int r = extent_cursor_locate(&reader->cursor, offset, &start, &run);

		if (r >= 0) {
			run = MIN(run, left);
			r = fd_pread_full(reader->source->fd, at, run, start);
		}
		if (r < 0)
			return failure_set(f, REASON_IO, -r, reader->source->name, "Check the disk and its cabling.",
					   "reading chunk %zu of the image, at byte %llu of the device, failed", number,
					   (unsigned long long)start);
		at += run;
		offset += run;
		left -= run;
	}
	return 0;
}

/* The block that was read: its checksum; sealed, opened where it lies. */
static int verify_block(struct chunk_reader *reader, const struct image_chunk *chunk, size_t number, struct failure *f)
{
	struct seal_stream *stream = reader->image->chunks;
	struct seal_chunk place = {
		.index = number,
		.last = number + 1 == reader->image->index.count,
		.stored = chunk->stored,
		.size = chunk->size,
		.codec = (uint32_t)chunk->codec,
	};
	struct checksum sum;

	if (stream && seal_chunk_open(stream, &place, reader->block, reader->block, chunk->tag.bytes) < 0)
		return failure_set(f, REASON_UNAUTHENTIC, EBADMSG, reader->source->name, NULL,
				   "chunk %zu of %zu was changed", number, reader->image->index.count);
	if (stream)
		return 0;
	sum = checksum_of(reader->block, chunk->stored);
	if (!checksum_equal(&sum, &chunk->tag))
		return failure_set(f, REASON_IMAGE_DAMAGED, EBADMSG, reader->source->name, NULL,
				   "chunk %zu of %zu does not match its checksum", number, reader->image->index.count);
	return 0;
}

/* The pages of chunk @number into reader->pages, verified. */
static int read_chunk(struct chunk_reader *reader, size_t number, struct failure *f)
{
	const struct image_chunk *chunk = &reader->image->index.chunks[number];
	int r = read_block(reader, chunk, number, f);

	if (r >= 0)
		r = verify_block(reader, chunk, number, f);
	if (r < 0)
		return r;
	r = codec_decompress(chunk->codec, reader->workspace, reader->workspace_size, reader->block, chunk->stored,
			     reader->pages, chunk->size);
	if (r < 0)
		return failure_set(f, REASON_IMAGE_DAMAGED, -r, reader->source->name, NULL,
				   "chunk %zu of %zu has the right checksum and cannot be decompressed", number,
				   reader->image->index.count);
	return 0;
}

static int walk(const struct image_source *source, const struct image_loaded *image, pages_sink sink, void *data,
		struct failure *f)
{
	struct chunk_reader reader;
	int r = reader_begin(&reader, source, image, f);

	for (size_t i = 0; r >= 0 && i < image->index.count; i++) {
		r = read_chunk(&reader, i, f);
		if (r >= 0)
			r = sink(data, reader.pages, image->index.chunks[i].size, f);
	}
	free(reader.block);
	return r;
}

static int drop_pages(void *data, const void *pages, size_t size, struct failure *f)
{
	(void)data;
	(void)pages;
	(void)size;
	(void)f;
	return 0;
}

static void print_verified(const struct image_options *options, const struct image_loaded *image)
{
	struct json json = {.out = stdout};

	if (!options->json) {
		printf("%s: the image is whole: %" PRIu64 " pages in %zu chunks, %.1f MiB on the disk\n", options->path,
		       image->meta.snapshot_pages, image->index.count, (double)image->stored_bytes / (double)MIB);
		return;
	}
	json_open(&json, NULL);
	json_string(&json, "path", options->path);
	json_bool(&json, "verified", true);
	json_number(&json, "pages", image->meta.snapshot_pages);
	json_number(&json, "chunks", image->index.count);
	json_number(&json, "stored_bytes", image->stored_bytes);
	json_close(&json);
}

int image_verify(const struct image_options *options, struct failure *f)
{
	struct image_source source = IMAGE_SOURCE_INIT;
	struct image_loaded image = {0};
	int r = image_source_open(&source, options->path, options->offset, f);

	if (r >= 0)
		r = image_source_load(&source, options->passphrase_fd, &image, f);
	if (r >= 0)
		r = walk(&source, &image, drop_pages, NULL, f);
	if (r >= 0)
		r = image_source_check_device(&source, f);
	if (r >= 0)
		print_verified(options, &image);
	image_loaded_deinit(&image);
	image_source_deinit(&source);
	return r;
}

struct output {
	int fd;
	const char *name;
};

static int write_pages(void *data, const void *pages, size_t size, struct failure *f)
{
	const struct output *output = data;
	int r = fd_write_full(output->fd, pages, size);

	if (r < 0)
		return failure_set(f, REASON_IO, -r, output->name, "What was written is incomplete.", "cannot be written");
	return 0;
}

/* Opened late, so that nothing is overwritten for an image that cannot be read. */
static int extract_to(const struct image_options *options, const struct image_source *source,
		      const struct image_loaded *image, struct failure *f)
{
	struct output output = {.fd = STDOUT_FILENO, .name = "standard output"};
	AUTO_CLOSE int fd = -1;
	int r;

	if (options->output && strcmp(options->output, "-") != 0) {
		/* Memory of a whole system: for nobody else's eyes. */
		fd = open(options->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
		output = (struct output){.fd = fd, .name = options->output};
		if (fd < 0)
			return failure_set(f, REASON_IO, errno, options->output, NULL, "cannot be written");
	} else if (isatty(STDOUT_FILENO)) {
		return failure_set(f, REASON_USAGE, 0, output.name, "Redirect it, or give a file with -o.",
				   "memory contents are not for a terminal");
	}
	r = walk(source, image, write_pages, &output, f);
	if (r >= 0 && fd >= 0 && fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		r = failure_set(f, REASON_IO, errno, output.name, "What was written is incomplete.", "cannot be written");
	return r;
}

int image_extract(const struct image_options *options, struct failure *f)
{
	struct image_source source = IMAGE_SOURCE_INIT;
	struct image_loaded image = {0};
	int r = image_source_open(&source, options->path, options->offset, f);

	if (r >= 0)
		r = image_source_load(&source, options->passphrase_fd, &image, f);
	if (r >= 0)
		r = extract_to(options, &source, &image, f);
	image_loaded_deinit(&image);
	image_source_deinit(&source);
	return r;
}
