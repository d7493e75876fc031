/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/image-commands.h"

#include "base/clock.h"
#include "base/escape.h"
#include "base/fdio.h"
#include "cli/image-source.h"
#include "cli/json.h"
#include "seal/blob.h"
#include "seal/slot.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define HEX_MAX (2 * FINGERPRINT_VALUE_BYTES + 1)

static const char *hex(const uint8_t *bytes, size_t size, char out[HEX_MAX])
{
	out[0] = '\0';
	for (size_t i = 0; i < size && 2 * i + 2 < HEX_MAX; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	return out;
}

#define HEX(bytes) hex(bytes, sizeof(bytes), (char[HEX_MAX]){0})

/* 8-4-4-4-12 */
static const char *uuid(const uint8_t bytes[16], char out[HEX_MAX])
{
	size_t at = 0;

	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			out[at++] = '-';
		at += (size_t)snprintf(out + at, HEX_MAX - at, "%02x", bytes[i]);
	}
	return out;
}

#define UUID(bytes) uuid(bytes, (char[HEX_MAX]){0})

static const char *moment(uint64_t usec, char out[32])
{
	time_t seconds = (time_t)(usec / USEC_PER_SEC);
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M:%S UTC", &tm))
		snprintf(out, 32, "%" PRIu64 " us", usec);
	return out;
}

#define MOMENT(usec) moment(usec, (char[32]){0})

/* A line; what comes from the disk must not steer the terminal. */
static void PRINTF_LIKE(2, 3) line(const char *label, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printf("  %-13s %s\n", label, escape_message(text));
}

static size_t raw_chunks(const struct image_loaded *image)
{
	size_t raw = 0;

	for (size_t i = 0; i < image->index.count; i++)
		raw += image->index.chunks[i].codec == CODEC_NONE;
	return raw;
}

static const char *state_of(const struct image_source *source)
{
	if (source->bare)
		return "unmarked";
	return source->mark.kind == MARK_ARMED ? "armed" : mark_state_name(source->mark.state);
}

static void print_mark(const struct image_source *source)
{
	const struct mark *mark = &source->mark;

	if (source->bare) {
		line("state", "a header page without a mark: nothing will resume it");
		return;
	}
	if (mark->kind == MARK_ARMED)
		line("state", "armed: the next boot resumes it");
	else if (mark->state == MARK_STATE_DISARMED)
		line("state", "disarmed: %s", mark_drop_phrase(mark->drop));
	else
		line("state", "%s", mark->state == MARK_STATE_RESUMED ? "resumed" : "a resume of it had begun");
	line("save", "%.2f s, of that %.2f s moving pages", (double)mark->save.save_usec / USEC_PER_SEC,
	     (double)mark->save.write_usec / USEC_PER_SEC);
	if (mark->boot.tries)
		line("load", "%.2f s, of that %.2f s moving pages; tries: %u", (double)mark->boot.total_usec / USEC_PER_SEC,
		     (double)mark->boot.load_usec / USEC_PER_SEC, mark->boot.tries);
}

static const char *sealing_of(const struct image_loaded *image, char out[48])
{
	bool sealed = suite_seals(image->header.suite);

	snprintf(out, 48, "%s%s", sealed ? "sealed with " : "unsealed", sealed ? suite_name(image->header.suite) : "");
	return out;
}

/* Of a sealed image what anybody can see, and anybody could have written. */
static void print_closed(const struct image_source *source, const struct image_loaded *image)
{
	struct key_slot slot;
	struct key_blob blob;
	char sealing[48], release[IMAGE_RELEASE_MAX];

	printf("%s: sealed image of a hibernated system\n", source->path);
	print_mark(source);
	line("image id", "%s", HEX(image->header.id.bytes));
	if (!source->bare)
		line("taken", "%s", MOMENT(source->mark.save.created_usec));
	line("kernel", "%s", escape_text(image->header.kernel_release, SIZE_MAX, release, sizeof(release)));
	line("sealing", "format version 1, %s", sealing_of(image, sealing));
	if (key_slot_decode(image->header.slot, source->name, &slot, NULL) >= 0)
		line("key set", "%s", HEX(slot.key_set));
	if (key_blob_decode(image->header.blob, source->name, &blob, NULL) >= 0) {
		line("opened by", "%s%s%s", blob.wraps & BLOB_WRAP_PASSPHRASE ? "passphrase " : "",
		     blob.wraps & BLOB_WRAP_RECOVERY ? "recovery-key " : "", blob.wraps & BLOB_WRAP_TPM ? "tpm" : "");
		if (blob.wraps & BLOB_WRAP_PASSPHRASE)
			line("", "Argon2id with %u KiB, %u passes", blob.passphrase.cost.memory_kib,
			     blob.passphrase.cost.passes);
	}
	line("on the disk", "header page at byte %" PRIu64, source->header_offset);
	line("", "none of this is authentic: verify asks for the passphrase");
}

static void print_text(const struct image_source *source, const struct image_loaded *image)
{
	const struct image_meta *meta = &image->meta;
	char sealing[48];

	printf("%s: image of a hibernated system\n", source->path);
	print_mark(source);
	line("image id", "%s", HEX(meta->id.bytes));
	line("taken", "%s", MOMENT(meta->created_usec));
	line("host", "%s", meta->hostname);
	line("machine id", "%s", HEX(meta->machine_id));
	line("boot id", "%s", UUID(meta->boot_id));
	line("kernel", "%s (%s)", meta->kernel_release, meta->architecture);
	line("written by", "hibernated %s, format version 1, %s", meta->program_version, sealing_of(image, sealing));
	line("left by", "%s", meta->platform ? "platform (ACPI S4)" : "shutdown or reboot");
	line("snapshot", "%" PRIu64 " pages, %.1f MiB", meta->snapshot_pages,
	     (double)meta->snapshot_pages * PAGE_BYTES / (double)MIB);
	line("on the disk", "%.1f MiB in %zu extents; header page at byte %" PRIu64, (double)image->stored_bytes / (double)MIB,
	     image->map.count, source->header_offset);
	line("chunks", "%zu of %u KiB, %s; %zu stored raw", image->index.count, (unsigned int)(meta->chunk_size / KIB),
	     codec_name(meta->codec), raw_chunks(image));
	line("device", "%s%s%s, %" PRIu64 " bytes", meta->area.device_id[0] ? meta->area.device_id : "without an identity",
	     meta->area.part_uuid[0] ? ", PARTUUID " : "", meta->area.part_uuid, meta->area.device_size);
	for (uint32_t i = 0; i < meta->fingerprint_count; i++) {
		const struct fingerprint *print = &meta->fingerprints[i];

		line(i ? "" : "filesystems", "%s: %s, UUID %s, on %s", print->mount, fingerprint_kind_name(print->kind),
		     UUID(print->uuid), print->device_id[0] ? print->device_id : "a device without an identity");
	}
}

static void json_mark(struct json *json, const struct image_source *source)
{
	const struct mark *mark = &source->mark;

	json_open(json, "mark");
	json_string(json, "state", state_of(source));
	json_bool(json, "armed", !source->bare && mark->kind == MARK_ARMED);
	json_number(json, "header_offset", source->header_offset);
	if (!source->bare) {
		json_string(json, "dropped", mark_drop_name(mark->drop));
		json_number(json, "save_usec", mark->save.save_usec);
		json_number(json, "write_usec", mark->save.write_usec);
		json_number(json, "load_usec", mark->boot.load_usec);
		json_number(json, "boot_usec", mark->boot.total_usec);
		json_number(json, "tries", mark->boot.tries);
	}
	json_close(json);
}

static void json_identity(struct json *json, const struct area_identity *area, uint64_t area_start)
{
	json_open(json, "device");
	json_string(json, "id", area->device_id);
	json_string(json, "part_uuid", area->part_uuid);
	json_number(json, "size", area->device_size);
	json_number(json, "partition_start", area->partition_start);
	json_string(json, "swap_uuid", UUID(area->swap_uuid));
	json_string(json, "filesystem_uuid", UUID(area->filesystem_uuid));
	json_number(json, "area_start", area_start);
	json_close(json);
}

static void json_fingerprints(struct json *json, const struct image_meta *meta)
{
	json_open_list(json, "filesystems");
	for (uint32_t i = 0; i < meta->fingerprint_count; i++) {
		const struct fingerprint *print = &meta->fingerprints[i];

		json_open(json, NULL);
		json_string(json, "mount", print->mount);
		json_string(json, "kind", fingerprint_kind_name(print->kind));
		json_string(json, "uuid", UUID(print->uuid));
		json_string(json, "device_id", print->device_id);
		json_number(json, "device_size", print->device_size);
		json_string(json, "value", HEX(print->value));
		json_close(json);
	}
	json_close_list(json);
}

static void json_closed(const struct image_source *source, const struct image_loaded *image)
{
	struct json json = {.out = stdout};
	struct key_slot slot;

	json_open(&json, NULL);
	json_string(&json, "path", source->path);
	json_mark(&json, source);
	json_number(&json, "format_version", 1);
	json_bool(&json, "sealed", true);
	json_bool(&json, "opened", false);
	json_string(&json, "suite", suite_name(image->header.suite));
	json_string(&json, "image_id", HEX(image->header.id.bytes));
	json_string(&json, "kernel_release", image->header.kernel_release);
	if (key_slot_decode(image->header.slot, source->name, &slot, NULL) >= 0)
		json_string(&json, "key_set", HEX(slot.key_set));
	json_close(&json);
}

static void print_json(const struct image_source *source, const struct image_loaded *image)
{
	const struct image_meta *meta = &image->meta;
	bool sealed = suite_seals(image->header.suite);
	struct json json = {.out = stdout};

	json_open(&json, NULL);
	json_string(&json, "path", source->path);
	json_mark(&json, source);
	json_number(&json, "format_version", 1);
	json_bool(&json, "sealed", sealed);
	if (sealed) {
		json_bool(&json, "opened", true);
		json_string(&json, "suite", suite_name(image->header.suite));
	}
	json_string(&json, "image_id", HEX(meta->id.bytes));
	json_string(&json, "boot_id", UUID(meta->boot_id));
	json_string(&json, "machine_id", HEX(meta->machine_id));
	json_number(&json, "created_usec", meta->created_usec);
	json_string(&json, "kernel_release", meta->kernel_release);
	json_string(&json, "architecture", meta->architecture);
	json_string(&json, "hostname", meta->hostname);
	json_string(&json, "program_version", meta->program_version);
	json_bool(&json, "platform", meta->platform);
	json_number(&json, "snapshot_pages", meta->snapshot_pages);
	json_number(&json, "chunk_size", meta->chunk_size);
	json_string(&json, "codec", codec_name(meta->codec));
	json_number(&json, "chunks", image->index.count);
	json_number(&json, "raw_chunks", raw_chunks(image));
	json_number(&json, "extents", image->map.count);
	json_number(&json, "stored_bytes", image->stored_bytes);
	json_identity(&json, &meta->area, meta->area_start);
	json_fingerprints(&json, meta);
	json_close(&json);
}

int image_info(const struct image_options *options, struct failure *f)
{
	struct image_source source = IMAGE_SOURCE_INIT;
	struct image_loaded image = {0};
	int secret = options->passphrase_fd == SECRET_TERMINAL ? SECRET_NONE : options->passphrase_fd;
	int r = image_source_open(&source, options->path, options->offset, f);

	if (r >= 0)
		r = image_source_load(&source, secret, &image, f);
	if (r >= 0 && image.closed)
		(options->json ? json_closed : print_closed)(&source, &image);
	else if (r >= 0)
		(options->json ? print_json : print_text)(&source, &image);
	image_loaded_deinit(&image);
	image_source_deinit(&source);
	return r;
}
