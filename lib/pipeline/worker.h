/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hibernated and its worker say to each other.
 *
 * They share a SOCK_SEQPACKET pair, which carries fixed-size messages from one closed table, and one
 * memfd, which carries what is larger: the job (struct worker_job), the granted extents, the chunk
 * index and the buffers. The daemon creates, sizes, zeroes and locks the memfd before FREEZE, so that
 * a worker under a frozen system needs no memory of its own. The worker trusts the job, because root
 * wrote it; the daemon does not trust the worker: it copies what it uses out of the memfd after the worker
 * has been reaped, and checks it.
 *
 * Save:    READY ->  <- GRANT  PROGRESS* ->  [SIGN ->  <- SIGNED]  DONE ->          (or FAILED -> at any time)
 * Restore: READY ->  <- OPEN   [ASK ->  <- SECRET]*  META ->  [<- AHEAD (+ area)]  <- LOAD (+ /dev/snapshot)
 *          PROGRESS* ->  DONE ->
 *
 * What stands in brackets is for sealed images. To save one the worker gets its key, and the slot and blob that open it,
 * but not the key that signs. To restore one it asks for a secret as often as it takes. Secrets lie in the job, which is
 * locked memory; the worker wipes each when it has used it, and the daemon wipes them all in the end.
 *
 * A message out of this order, of another size or of an unknown type is fatal to the worker.
 */
#pragma once

#include "base/failpoint.h"
#include "base/failure.h"
#include "image/image.h"
#include "seal/keys.h"

#define WORKER_PROTOCOL_VERSION 6

/* Descriptors at fixed numbers in the worker; nothing else is open but 0, 1, 2 on /dev/null. */
#define WORKER_FD_SOCKET 3
#define WORKER_FD_MEMORY 4
#define WORKER_FD_AREA 5     /* O_DIRECT; O_RDWR to save, O_RDONLY to restore */
#define WORKER_FD_SNAPSHOT 6 /* save only; to restore, it comes with LOAD, and with AHEAD the area's a second time */

enum worker_message_type {
	WORKER_READY = 1, /* worker: threads run, memory is locked, sandbox is closed. value[0] = protocol version */
	WORKER_GRANT,     /* daemon: snapshot taken, job.extent_count extents filled in: go */
	WORKER_OPEN,      /* daemon: read and verify the header at job.header_offset */
	WORKER_META,      /* worker: header verified, job.meta filled in */
	WORKER_SIGN,      /* worker: the header page is at job.body_at and lacks nothing but its signature */
	WORKER_SIGNED,    /* daemon: job.seal.signature filled in */
	WORKER_ASK,       /* worker: job.seal.kernel_release and wraps filled in; the secret before, if there was one, was not the right one */
	WORKER_SECRET,    /* daemon: job.seal.secret filled in: try it */
	WORKER_AHEAD,     /* daemon: value[1] bytes at device offset value[0] lie in the page cache; carries a descriptor that reads through it */
	WORKER_LOAD,      /* daemon: go; carries the /dev/snapshot descriptor (SCM_RIGHTS) */
	WORKER_PROGRESS,  /* worker: value[0] = pages done, value[1] = pages in all, value[2] = bytes on the disk; none falls */
	WORKER_DONE,      /* worker: job.result filled in; everything is on the medium (flushed) */
	WORKER_FAILED,    /* worker: job.failure filled in; it exits after this */
	_WORKER_MESSAGE_MAX,
};

struct worker_message {
	uint32_t version; /* WORKER_PROTOCOL_VERSION */
	uint32_t type;    /* enum worker_message_type */
	uint64_t value[4];
};
_Static_assert(sizeof(struct worker_message) == 40, "fixed size");

enum worker_direction {
	WORKER_SAVE = 1,
	WORKER_RESTORE = 2,
};

#define WORKER_SECRET_MAX 1024

/* What is sealed with what. All zeros for an image that is not sealed. */
struct worker_seal {
	uint32_t suite;                      /* save: enum seal_suite */
	uint8_t slot[SEAL_SLOT_BYTES];       /* save: before GRANT */
	uint8_t blob[SEAL_BLOB_BYTES];       /* save: before GRANT; restore: with ASK, not authentic */
	uint8_t image_key[CRYPTO_KEY_BYTES]; /* save: before GRANT; the worker wipes it */
	uint8_t signature[CRYPTO_SIGNATURE_BYTES]; /* save: before SIGNED */
	uint32_t required;                   /* restore: refuse an image that is not sealed */
	uint64_t memory_kib;                 /* restore: how much Argon2 may use */
	char kernel_release[IMAGE_RELEASE_MAX]; /* restore: with ASK, of the image kernel; not authentic */
	uint32_t wraps;                      /* restore: with ASK, what opens the image (BLOB_WRAP_*) */
	uint32_t trusts;                     /* restore: only images of this key set, the only one that a TPM may open: */
	uint8_t trusted[KEY_SET_ID_BYTES];
	uint32_t from_tpm;                   /* restore: before SECRET: it is the blob's key, and not what somebody typed */
	uint32_t secret_size;                /* restore: before SECRET; the worker wipes both */
	uint8_t secret[WORKER_SECRET_MAX];
};

/* What one direction did. */
struct worker_result {
	uint64_t header_offset;  /* save: device byte offset of the header page */
	uint64_t pages;          /* snapshot pages moved */
	uint64_t stored_bytes;   /* bytes written or read, header and body included */
	uint64_t chunks;
	uint64_t raw_chunks;     /* stored raw because they did not shrink */
	uint64_t elapsed_usec;   /* from GRANT or LOAD to DONE */
	uint64_t read_usec;      /* time the mover spent inside readv()/writev() on /dev/snapshot */
	uint64_t stall_usec;     /* time the mover waited for buffers (the rest of the pipeline was slower) */
	uint64_t ahead_bytes;    /* restore: of the chunks, through the page cache */
};

/* The first pages of the memfd. Offsets are into the memfd. */
struct worker_job {
	uint32_t version;        /* WORKER_PROTOCOL_VERSION */
	uint32_t direction;      /* enum worker_direction */
	uint32_t threads;        /* codec threads, at least 1 */
	uint32_t writers;        /* I/O threads, at least 1 */
	uint32_t codec;          /* enum codec_id */
	int32_t level;           /* 0 = the codec's default */
	uint32_t chunk_size;     /* bytes, multiple of PAGE_BYTES */
	uint32_t unlocked;       /* memory is not locked; only tests, which may not lock much, set it */
	uint32_t worker_uid;     /* what the worker must be; it checks, and 0 is refused */
	char area_name[FAILURE_OBJECT_MAX]; /* the device, for messages */
	uint64_t snapshot_pages; /* save: pages of the stream as the kernel announced them (after CREATE_IMAGE) */
	uint64_t header_offset;  /* restore: device byte offset of the header page, from the mark */
	uint64_t device_size;    /* restore: bound for every extent of the image */
	uint64_t extents_at;     /* struct extent[extent_capacity] */
	uint64_t extent_capacity;
	uint64_t extent_count;   /* save: granted, normalized, in bytes on the device */
	uint64_t index_at;       /* struct image_chunk[index_capacity] */
	uint64_t index_capacity;
	uint64_t body_at;        /* page-aligned buffer for the encoded body */
	uint64_t body_size;
	uint64_t buffers_at;     /* page-aligned; the rest of the memfd: ring and workspaces */
	uint64_t buffers_size;
	struct worker_seal seal;
	struct image_meta meta;  /* save: filled in by the daemon before GRANT; restore: by the worker before META */
	struct worker_result result;
	struct failure failure;
	struct failpoints failpoints;
};

/*
 * Lay out a memfd for @ram bytes of memory: brings threads and writers of @job within what the pipeline can
 * have, fills in the offsets and sizes from them, codec, level, chunk_size and direction, and returns the size of the memfd in bytes: of buffers
 * min(4 MiB, @ram/16) plus four chunks a codec thread (more only if the codec threads' scratch
 * memory does not fit into that), plus the tables, which grow with @ram (index: one entry a chunk of
 * @ram; extents: one per 16 pages of @ram, at least 4096). To restore, chunk_size, codec and level
 * are not known yet and are taken to be the worst that an image can ask for.
 */
uint64_t worker_layout(struct worker_job *job, uint64_t ram);

/* Wipe every secret in @job. */
void worker_wipe(struct worker_job *job);

/* Whether all that @job says about the memfd lies inside @memory_size bytes, aligned as it must be. 0 or -EINVAL. */
int worker_check_layout(const struct worker_job *job, uint64_t memory_size);

/*
 * Send one message. @values (4 of them) may be NULL for zeros; @pass_fd, -1 for none, travels with it and
 * stays the caller's. Never raises SIGPIPE. 0; -EPIPE or -ECONNRESET when the other side is gone; -EAGAIN
 * only for WORKER_PROGRESS, which is dropped when the other side does not read; or another negative errno.
 */
int worker_send(int fd, enum worker_message_type type, const uint64_t *values, int pass_fd);

/*
 * Receive one message within @timeout_usec (UINT64_MAX: without limit; 0: only what is there). 0 with @message and
 * *@passed_fd (-1 for none; the caller's, O_CLOEXEC) filled in; -ETIMEDOUT; -ECONNRESET when the other side
 * is gone; -EPROTO for a message that is not exactly of the table: wrong size, version, type, or a
 * descriptor anywhere but with WORKER_AHEAD and WORKER_LOAD, which carry exactly one. Descriptors of a bad message
 * are closed. @passed_fd may be NULL where these are not expected, which makes them -EPROTO.
 */
int worker_receive(int fd, struct worker_message *message, int *passed_fd, uint64_t timeout_usec);
